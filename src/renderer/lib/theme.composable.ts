import { useColorMode } from '@vueuse/core'
import { computed, type ComputedRef, type WritableComputedRef } from 'vue'

export type ThemeChoice = 'auto' | 'light' | 'dark'

/** The colour theme: follows the system unless a choice was made; the choice is remembered by this window's profile. */
export function useTheme(): { choice: WritableComputedRef<ThemeChoice>; isDark: ComputedRef<boolean>; toggle: () => void } {
  const { store, system } = useColorMode({ emitAuto: true })
  const choice = computed<ThemeChoice>({ get: () => store.value, set: (value) => { store.value = value } })
  const isDark = computed(() => (store.value === 'auto' ? system.value : store.value) === 'dark')
  const toggle = (): void => { store.value = isDark.value ? 'light' : 'dark' }
  return { choice, isDark, toggle }
}
