import type { OsCatalog } from '@shared/model'
import type { DiskKeys } from '../encryption'
import type { SnapshotContext } from '../snapshot/context'
import type { CloneStep } from './steps'

/** What everything about clones and templates needs. */
export interface CloneContext {
  /** Clones stand on snapshots, and are made with what those are made with. */
  readonly snapshots: SnapshotContext
  readonly catalog: OsCatalog
  /** A clone's disks have the original's key, under a lock of its own, or another one. */
  readonly diskKeys: Pick<DiskKeys, 'find' | 'hold' | 'lockNew' | 'remember' | 'support'>
  /** Says that something about a machine's snapshots is other than it was. */
  readonly snapshotsChanged: (machineId: string) => void
  /** Awaited between the steps of everything that changes files. */
  readonly atStep: (step: CloneStep) => Promise<void>
}
