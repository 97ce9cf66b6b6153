import { SnapshotPolicy } from '@shared/model'

type Kept = keyof SnapshotPolicy['keep']

/** What the form edits: a number field that is empty holds a text. */
export interface PolicyForm { every: SnapshotPolicy['every']; keep: Record<Kept, number | string>; memory: boolean }

const all: readonly { readonly key: Kept; readonly label: string; readonly most: number }[] = [
  { key: 'hourly', label: 'hours', most: 168 }, { key: 'daily', label: 'days', most: 366 }, { key: 'weekly', label: 'weeks', most: 520 },
]

/** Which of them mean something: what is taken once a day has no newest of an hour. */
export function keptFields(every: SnapshotPolicy['every']): typeof all {
  return all.slice({ hour: 0, day: 1, week: 2 }[every])
}

/** What the machine has, or a plan that suits most. */
export function startingPolicy(policy: SnapshotPolicy | null): PolicyForm {
  return policy ? { ...policy, keep: { ...policy.keep } } : { every: 'day', keep: { hourly: 24, daily: 7, weekly: 4 }, memory: false }
}

/** The plan as it is sent; fields without a meaning are zero, and what is no number stays none, for `policyFault` to say so. */
export function policyOf(form: PolicyForm): SnapshotPolicy {
  const asked = new Set(keptFields(form.every).map((field) => field.key))
  const count = (key: Kept): number => (!asked.has(key) ? 0 : form.keep[key] === '' ? Number.NaN : Number(form.keep[key]))
  return { every: form.every, keep: { hourly: count('hourly'), daily: count('daily'), weekly: count('weekly') }, memory: form.memory }
}

/** Why the plan can't be kept, a sentence; null when it can. */
export function policyFault(policy: SnapshotPolicy): string | null {
  for (const { key, label, most } of keptFields(policy.every)) {
    const count = policy.keep[key]
    if (!Number.isInteger(count) || count < 0 || count > most) return `The number of ${label} is a whole one from 0 to ${String(most)}.`
  }
  return SnapshotPolicy.safeParse(policy).error?.issues[0]?.message ?? null
}
