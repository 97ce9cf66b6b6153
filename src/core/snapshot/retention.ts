import type { SnapshotKind, SnapshotPolicy } from '@shared/model'
import { isAutomaticName } from './automatic-name'
import { localPeriods, type Periods } from './local-periods'

/** What retention looks at of a snapshot. */
export interface Retainable {
  readonly kind: SnapshotKind
  readonly name: string
  readonly description: string
  /** ISO 8601, UTC. */
  readonly takenAt: string
  /** Linked clones that stand on it. */
  readonly clones: readonly unknown[]
}

/**
 * The automatic snapshots that a policy has no use for any more, oldest first. Of each of the last so many hours, days and weeks the newest
 * stays; hours, days and weeks of which there is no snapshot are not counted, so a machine that rests for a year loses nothing.
 *
 * Never among them: one that is not automatic; one that a person has renamed or described, which is theirs from then on; one on which
 * linked clones stand; and one from the future, which only says that the clock was wrong. Renamed and future ones do not count as the one
 * that stays of their hour either.
 * @param timeZone IANA name; absent: the computer's
 */
export function prunable<S extends Retainable>(snapshots: readonly S[], keep: SnapshotPolicy['keep'], now: Date, timeZone?: string): S[] {
  const ours = snapshots.filter((snapshot) => isOurs(snapshot) && Date.parse(snapshot.takenAt) <= now.getTime())
  const kept = newestOfEach(ours, keep, timeZone)
  return ours.filter((snapshot) => !kept.has(snapshot) && snapshot.clones.length === 0).sort((a, b) => Date.parse(a.takenAt) - Date.parse(b.takenAt))
}

/** The newest of each of the last so many hours, days and weeks of which there is one. */
export function newestOfEach<T extends { readonly takenAt: string }>(items: readonly T[], keep: SnapshotPolicy['keep'], timeZone?: string): Set<T> {
  const periodsOf = localPeriods(timeZone)
  const newestFirst = items.map((item) => ({ item, at: Date.parse(item.takenAt) })).sort((a, b) => b.at - a.at).map(({ item, at }) => ({ item, periods: periodsOf(new Date(at)) }))
  const kept = new Set<T>()
  const keepNewestOfEach = (period: keyof Periods, count: number): void => {
    const seen = new Set<string>()
    for (const { item, periods } of newestFirst) {
      if (seen.has(periods[period])) continue
      if (seen.size === count) return
      seen.add(periods[period])
      kept.add(item)
    }
  }
  keepNewestOfEach('hour', keep.hourly)
  keepNewestOfEach('day', keep.daily)
  keepNewestOfEach('week', keep.weekly)
  return kept
}

function isOurs({ kind, name, description }: Retainable): boolean {
  return kind === 'automatic' && description === '' && isAutomaticName(name)
}

/**
 * Whether it is time for a snapshot: once in every hour, day or week by the clock on the wall, at the first opportunity.
 * @param earlier instants at which one was taken, or was found not to be needed
 * @param timeZone IANA name; absent: the computer's
 */
export function isDue(every: SnapshotPolicy['every'], earlier: readonly Date[], now: Date, timeZone?: string): boolean {
  const periodsOf = localPeriods(timeZone)
  const current = periodsOf(now)[every]
  return !earlier.some((instant) => periodsOf(instant)[every] === current)
}
