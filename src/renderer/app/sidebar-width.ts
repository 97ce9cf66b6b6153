import { useLocalStorage, useWindowSize } from '@vueuse/core'
import { computed, type ComputedRef, type WritableComputedRef } from 'vue'

/** Width of the sidebar in CSS pixels: remembered, and never so wide that the page beside it has no room. */
export function useSidebarWidth(): { width: WritableComputedRef<number>; least: number; most: ComputedRef<number> } {
  const least = 220
  const remembered = useLocalStorage('ringside.sidebar-width', 284)
  const { width: windowWidth } = useWindowSize()
  const most = computed(() => Math.max(least, Math.min(480, windowWidth.value - 560)))
  const width = computed({
    get: () => Math.min(most.value, Math.max(least, remembered.value)),
    set: (value) => { remembered.value = Math.round(value) },
  })
  return { width, least, most }
}
