import { readonly, ref } from 'vue'

/** Counts what this window did about disk keys. The host tells nobody that one came or went, so what shows them asks again. */
const count = ref(0)
export const keyChanges = readonly(count)

export function noteKeyChange(): void {
  count.value += 1
}
