/**
 * Starts something with its first user and stops it with its last.
 * @param start returns what stops it
 * @returns counts one user in; the function that this returns counts it out, once
 */
export function countedUse(start: () => () => void): () => () => void {
  let users = 0
  let stop: (() => void) | null = null
  return () => {
    users += 1
    stop ??= start()
    let counted = true
    return () => {
      if (!counted) return
      counted = false
      users -= 1
      if (users > 0) return
      stop?.()
      stop = null
    }
  }
}
