import type { RingsideError } from '@shared/errors'
import type { ComputedRef, ShallowRef } from 'vue'

/** One thing that a person can do: one `whyNot` disables its button, explains why, and guards the run. */
export interface Action<Args extends unknown[] = []> {
  readonly label: string
  readonly icon: string
  /** Why it can't be done now, a sentence; null when it can. */
  readonly whyNot: ComputedRef<string | null>
  /** It is being done. */
  readonly busy: Readonly<ShallowRef<boolean>>
  /** The last failure, until the next run. Shown as a notification too, unless `quiet`. */
  readonly error: Readonly<ShallowRef<RingsideError | null>>
  /** Does it. Resolves to whether it was done; a failure is shown, never thrown. */
  run(...args: Args): Promise<boolean>
}
