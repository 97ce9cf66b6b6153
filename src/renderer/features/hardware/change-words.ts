import { type HardwareDifference, isLive, type MachineState } from '@shared/model'
import { goesOnWords, laterWords } from '@shared/words'
import { countOf } from '../../lib/format'

type When = Pick<HardwareDifference, 'when'>

/** What waits to be applied, in a few words. `differences` null: the host has not told yet. */
export function changesInWords(count: number, differences: readonly When[] | null, live: boolean, later = laterWords('running')): string {
  const changes = countOf(differences?.length ?? count, 'change')
  if (differences === null || !live || differences.length === 0) return changes
  const groups = groupsOf(differences, later)
  return `${changes}: ${groups.length === 1 ? (groups[0]?.words ?? '') : groups.map(({ count: many, words }) => `${String(many)} ${words}`).join(', ')}`
}

/** What waits already, in a few words. `differences` null: the host has not told yet. */
export function waitingInWords(count: number, differences: readonly When[] | null, state: MachineState): string {
  if (state !== 'saved') return `${countOf(count, 'change waits', 'changes wait')} for the next start`
  if (differences === null || differences.length === 0) return `Saved: ${countOf(count, 'change waits', 'changes wait')}`
  const words = groupsOf(differences, laterWords(state)).map(({ count: many, words: when }, index) => `${index === 0 ? countOf(many, 'change comes', 'changes come') : String(many)} ${when}`)
  return `Saved: ${words.join(', ')}`
}

/** How many come when, the earliest first. */
function groupsOf(differences: readonly When[], later: string): { count: number; words: string }[] {
  return ([['now', 'at once'], ['goesOn', goesOnWords], ['nextStart', later]] as const)
    .map(([when, words]) => ({ count: differences.filter((difference) => difference.when === when).length, words }))
    .filter(({ count }) => count > 0)
}

/** Whether a guest has hardware now that what is stored can differ from: it runs, or is saved to disk. */
export function hasGuest(state: MachineState): boolean {
  return isLive(state) || state === 'saved'
}

/** When comes what is at a path or below it, of what waits. */
export function laterAt(path: string, waiting: readonly Pick<HardwareDifference, 'when' | 'path'>[], state: MachineState): string {
  const found = waiting.find((difference) => [[difference.path, path], [path, difference.path]].some(([inner = '', outer = '']) => inner === outer || inner.startsWith(`${outer}.`)))
  return found?.when === 'goesOn' ? goesOnWords : laterWords(state)
}
