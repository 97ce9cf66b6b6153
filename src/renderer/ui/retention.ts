import type { SnapshotPolicy } from '@shared/model'

export type Every = SnapshotPolicy['every']
export type Kept = keyof SnapshotPolicy['keep']
/** As a form edits it: a number field that is empty holds a text. */
export type KeptForm = Record<Kept, number | string>

const all: readonly { readonly key: Kept; readonly label: string; readonly most: number }[] = [
  { key: 'hourly', label: 'hours', most: 168 }, { key: 'daily', label: 'days', most: 366 }, { key: 'weekly', label: 'weeks', most: 520 },
]

/** Which of them mean something: what is made once a day has no newest of an hour. */
export function keptFields(every: Every): typeof all {
  return all.slice({ hour: 0, day: 1, week: 2 }[every])
}

/** As it is sent: fields without a meaning are zero, and what is no number stays none, for `keptFault` to say so. */
export function keptOf(every: Every, keep: KeptForm): Record<Kept, number> {
  const asked = new Set(keptFields(every).map((field) => field.key))
  const count = (key: Kept): number => (!asked.has(key) ? 0 : keep[key] === '' ? Number.NaN : Number(keep[key]))
  return { hourly: count('hourly'), daily: count('daily'), weekly: count('weekly') }
}

/** Why so many can't be kept, a sentence; null: they can. */
export function keptFault(every: Every, keep: Record<Kept, number>): string | null {
  const fields = keptFields(every)
  const wrong = fields.find(({ key, most }) => !Number.isInteger(keep[key]) || keep[key] < 0 || keep[key] > most)
  if (wrong !== undefined) return `The number of ${wrong.label} is a whole one from 0 to ${String(wrong.most)}.`
  return fields.every(({ key }) => keep[key] === 0) ? 'Keep at least one.' : null
}
