import type { MachineState } from '../model'

/** When comes what a saved guest gets as soon as it runs again. */
export const goesOnWords = 'when it goes on'

/** When comes what the guest can’t have now, nor when it goes on. A saved one goes on with the hardware that its memory knows. */
export function laterWords(state: MachineState): string {
  return state === 'saved' ? 'after its next shut down' : 'at the next start'
}
