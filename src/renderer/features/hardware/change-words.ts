import type { HardwareDifference } from '@shared/model'
import { countOf } from '../../lib/format'

/** What waits to be applied, in a few words. `differences` null: the host has not told yet. */
export function changesInWords(count: number, differences: readonly Pick<HardwareDifference, 'when'>[] | null, live: boolean): string {
  const changes = countOf(differences?.length ?? count, 'change')
  if (differences === null || !live || differences.length === 0) return changes
  const later = differences.filter((difference) => difference.when === 'nextStart').length
  if (later === 0) return `${changes}: at once`
  if (later === differences.length) return `${changes}: at the next start`
  return `${changes}: ${String(differences.length - later)} at once, ${String(later)} at the next start`
}
