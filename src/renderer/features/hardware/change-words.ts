import { type HardwareDifference, isLive, type MachineState } from '@shared/model'
import { countOf } from '../../lib/format'

/** What waits to be applied, in a few words. `differences` null: the host has not told yet. */
export function changesInWords(count: number, differences: readonly Pick<HardwareDifference, 'when'>[] | null, live: boolean, later = laterWords('running')): string {
  const changes = countOf(differences?.length ?? count, 'change')
  if (differences === null || !live || differences.length === 0) return changes
  const waiting = differences.filter((difference) => difference.when === 'nextStart').length
  if (waiting === 0) return `${changes}: at once`
  if (waiting === differences.length) return `${changes}: ${later}`
  return `${changes}: ${String(differences.length - waiting)} at once, ${String(waiting)} ${later}`
}

/** Whether a guest has hardware now that what is stored can differ from: it runs, or is saved to disk. */
export function hasGuest(state: MachineState): boolean {
  return isLive(state) || state === 'saved'
}

/** When comes what the guest can't have now. A saved one goes on with the hardware that its memory knows. */
export function laterWords(state: MachineState): string {
  return state === 'saved' ? 'after its next shut down' : 'at the next start'
}

/** That changes wait, and for what. */
export function waitsInWords(count: number, state: MachineState): string {
  return state === 'saved' ? `${countOf(count, 'change applies', 'changes apply')} after the machine’s next shut down` : `${countOf(count, 'change waits', 'changes wait')} for the next start`
}
