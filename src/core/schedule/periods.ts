import type { SnapshotPolicy } from '@shared/model'
import { localPeriods, type Periods } from './local-periods'

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

/**
 * Whether it is time: once in every hour, day or week by the clock on the wall, at the first opportunity.
 * @param earlier instants at which it was done, or was found not to be needed
 * @param timeZone IANA name; absent: the computer's
 */
export function isDue(every: SnapshotPolicy['every'], earlier: readonly Date[], now: Date, timeZone?: string): boolean {
  const periodsOf = localPeriods(timeZone)
  const current = periodsOf(now)[every]
  return !earlier.some((instant) => periodsOf(instant)[every] === current)
}
