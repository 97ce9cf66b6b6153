import type { Disposer } from './services'

/**
 * How many events may wait for a client that does not read. Beyond it the oldest are merged or dropped by `merge`; a
 * subscription without `merge` is ended, since a client that misses events would show something false.
 */
const maxWaiting = 4096

export interface SubscriptionOptions<T> {
  signal: AbortSignal | undefined
  /**
   * Folds a new event into the ones that still wait, so that a slow client gets the newest state and memory stays bounded.
   * Returns true when `event` needs no place of its own. `waiting` may be changed.
   */
  merge?: (waiting: T[], event: T) => boolean
}

/**
 * Turns a listener-style source into an event iterator. The source is attached at the first read and detached when the
 * reader returns, the signal aborts or the source's end of the world comes: nothing is left behind.
 */
export async function* subscription<T>(attach: (push: (event: T) => void) => Disposer, options: SubscriptionOptions<T>): AsyncGenerator<T, void, void> {
  const waiting: T[] = []
  let wake: (() => void) | null = null
  let ended = options.signal?.aborted ?? false
  const rouse = (): void => {
    wake?.()
    wake = null
  }
  const onAbort = (): void => {
    ended = true
    rouse()
  }
  options.signal?.addEventListener('abort', onAbort, { once: true })
  const detach = attach((event) => {
    if (options.merge?.(waiting, event) !== true) waiting.push(event)
    if (waiting.length > maxWaiting) ended = true
    rouse()
  })
  try {
    while (!ended) {
      const event = waiting.shift()
      if (event !== undefined) {
        yield event
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    detach()
    options.signal?.removeEventListener('abort', onAbort)
  }
}
