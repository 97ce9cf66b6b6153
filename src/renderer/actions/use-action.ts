import type { RingsideError } from '@shared/errors'
import { computed, shallowRef, toValue, type MaybeRefOrGetter } from 'vue'
import { toRingsideError } from '../transport/errors'
import type { Action } from '../ui/action'
import { notifyError } from './notify'

export type { Action }

export interface ActionOptions<Args extends unknown[]> {
  label: string
  icon?: string
  whyNot?: MaybeRefOrGetter<string | null>
  /** Does the work. `false` says that it was not done, e.g. because the person thought better of it. */
  run: (...args: Args) => Promise<unknown>
  /** What failed, for the notification: `“web-01” did not start`. */
  failure?: () => string
  /** The view shows `error` itself. */
  quiet?: boolean
}

const underWay = 'This is being done already.'

export function useAction<Args extends unknown[] = []>(options: ActionOptions<Args>): Action<Args> {
  const busy = shallowRef(false)
  const error = shallowRef<RingsideError | null>(null)
  const whyNot = computed(() => (busy.value ? underWay : (toValue(options.whyNot) ?? null)))

  async function run(...args: Args): Promise<boolean> {
    if (whyNot.value !== null) return false
    busy.value = true
    error.value = null
    try {
      return (await options.run(...args)) !== false
    } catch (thrown) {
      const failure = toRingsideError(thrown)
      if (failure.code === 'CANCELLED') return false
      error.value = failure
      if (!options.quiet) notifyError(failure, options.failure?.())
      return false
    } finally {
      busy.value = false
    }
  }
  return { label: options.label, icon: options.icon ?? 'i-lucide-circle', whyNot, busy, error, run }
}
