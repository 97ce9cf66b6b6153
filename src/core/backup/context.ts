import type { JobReporter } from '../app/services'
import type { HeldMachine } from '../machine/held-machine'
import type { SnapshotContext } from '../snapshot/context'
import type { BackupStep } from './steps'

/** What everything about backups needs. */
export interface BackupContext {
  readonly snapshots: SnapshotContext
  /** The key of a machine's encrypted disks; null: it has none. Throws `KEY_REQUIRED`. */
  readonly diskKey: (id: string) => Promise<string | null>
  /** Path of qemu-system, for the disks of machines that are off. Throws `QEMU_NOT_FOUND`. */
  readonly qemuProgram: () => Promise<string>
  /** Ringside's own folder, in which no backups go. */
  readonly dataFolder: string
  /** Holds what is only needed for a moment; on the drive of the library. */
  readonly temporaryFolder: string
  /** Awaited between the steps of everything that changes files. */
  readonly atStep: (step: BackupStep) => Promise<void>
}

/** A backup or a restore of a machine, at work. */
export interface BackupWork {
  readonly context: BackupContext
  readonly held: HeldMachine
  readonly reporter: JobReporter
  /** Aborted when the job is cancelled or the machine's plug is pulled. */
  readonly signal: AbortSignal
}
