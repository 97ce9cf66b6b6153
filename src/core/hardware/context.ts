import type { Issue } from '@shared/errors'
import type { HardwareProperty, MachineDefinition } from '@shared/model'
import type { Unfinished } from '../images'
import type { HeldMachine } from '../machine/held-machine'
import type { SnapshotContext } from '../snapshot/context'
import type { HardwareStep } from './steps'

/** What this computer and its QEMU say about hardware. */
export interface HardwareRules {
  properties(definition: MachineDefinition): Promise<HardwareProperty[]>
  issues(definition: MachineDefinition): Promise<Issue[]>
}

export interface HardwareContext {
  /** Disks hang on snapshots, and are made and removed with what those are. */
  readonly snapshots: SnapshotContext
  readonly rules: HardwareRules
  /** Ids of the operating systems in the catalogue. */
  readonly knownSystems: ReadonlySet<string>
  /** Notes disks that are being made, so that the next host removes what one that was killed has left. */
  readonly unfinished: Unfinished
  /** The key of a machine's encrypted disks. Throws `KEY_REQUIRED`. */
  readonly diskKey: (machineId: string) => Promise<string>
  /** Says that something about a machine's snapshots is other than it was. */
  readonly snapshotsChanged: (machineId: string) => void
  /** Awaited between the steps of everything that changes something. */
  readonly atStep: (step: HardwareStep) => Promise<void>
}

/** A change at work: of which machine. */
export interface HardwareWork {
  readonly context: HardwareContext
  readonly held: HeldMachine
}
