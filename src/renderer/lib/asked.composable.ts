import type { RingsideError } from '@shared/errors'
import { shallowReadonly, shallowRef, watch, type ShallowRef, type WatchSource } from 'vue'
import { toRingsideError } from '../transport/errors'

export interface Asked<T> {
  /** The last answer; null before the first, and after a failure. */
  readonly value: Readonly<ShallowRef<T | null>>
  /** Why the last question failed; null after one that went well. */
  readonly error: Readonly<ShallowRef<RingsideError | null>>
  again(): void
  /** The answer, once the question that is under way has one; a question that failed is asked again first. @throws what that question failed with */
  answer(): Promise<T>
}

/**
 * Asks the host now, and again whenever one of the sources is another. Answers to earlier questions are dropped.
 * `keep`: the old answer stays until the new one is there, for questions that stay the same while the world changes.
 */
export function useAsked<T>(sources: readonly WatchSource[], ask: () => Promise<T>, options: { keep?: boolean } = {}): Asked<T> {
  const value = shallowRef<T | null>(null)
  const error = shallowRef<RingsideError | null>(null)
  let turn = 0
  let underWay = Promise.resolve()
  const go = (): void => { underWay = answered() }
  async function answered(): Promise<void> {
    const mine = ++turn
    try {
      const answer = await ask()
      if (mine !== turn) return
      value.value = answer
      error.value = null
    } catch (thrown) {
      if (mine !== turn) return
      value.value = null
      error.value = toRingsideError(thrown)
    }
  }
  watch([...sources], () => {
    if (options.keep !== true) value.value = null
    go()
  }, { immediate: true })
  return { value: shallowReadonly(value), error: shallowReadonly(error), again: go, answer }

  async function answer(): Promise<T> {
    if (error.value !== null) go()
    let seen: Promise<void>
    do {
      seen = underWay
      await seen
    } while (seen !== underWay)
    if (error.value !== null) throw error.value
    return value.value as T
  }
}
