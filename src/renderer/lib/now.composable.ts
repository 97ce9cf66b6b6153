import { useIntervalFn } from '@vueuse/core'
import { readonly, ref, type Ref } from 'vue'

/** Milliseconds since the epoch, renewed each `intervalMs` while the component lives. */
export function useNow(intervalMs = 1000): Readonly<Ref<number>> {
  const now = ref(Date.now())
  useIntervalFn(() => { now.value = Date.now() }, intervalMs)
  return readonly(now)
}
