import type { SnapshotKind, SnapshotPolicy } from '@shared/model'
import { newestOfEach } from '../schedule'
import { isAutomaticName } from './automatic-name'

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

function isOurs({ kind, name, description }: Retainable): boolean {
  return kind === 'automatic' && description === '' && isAutomaticName(name)
}
