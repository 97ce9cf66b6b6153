import { SnapshotPolicy } from '@shared/model'
import { type KeptForm, keptFault, keptOf } from '../../../ui/retention'

/** What the form edits. */
export interface PolicyForm { every: SnapshotPolicy['every']; keep: KeptForm; memory: boolean }

/** What the machine has, or a plan that suits most. */
export function startingPolicy(policy: SnapshotPolicy | null): PolicyForm {
  return policy ? { ...policy, keep: { ...policy.keep } } : { every: 'day', keep: { hourly: 24, daily: 7, weekly: 4 }, memory: false }
}

/** The plan as it is sent. */
export function policyOf({ every, keep, memory }: PolicyForm): SnapshotPolicy {
  return { every, keep: keptOf(every, keep), memory }
}

/** Why the plan can't be kept, a sentence; null when it can. */
export function policyFault(policy: SnapshotPolicy): string | null {
  return keptFault(policy.every, policy.keep) ?? SnapshotPolicy.safeParse(policy).error?.issues[0]?.message ?? null
}
