import { z } from 'zod'
import { Issue } from '../errors'
import { DeviceId, DiskBus, DiskFormat } from './devices'
import { MachineDefinition } from './machine'
import { DefinitionDifference } from './snapshot'

/** The part of a definition that says what the machine is made of: what the hardware editor changes, and what goes back with a version. */
export const MachineHardware = MachineDefinition.omit({
  schemaVersion: true, createdBy: true, id: true, name: true, notes: true, createdAt: true, engine: true, snapshotParentId: true, template: true, origin: true, snapshotPolicy: true, backupPolicy: true,
  emptyPlaces: true, tabletPort: true,
})
export type MachineHardware = z.infer<typeof MachineHardware>

/** One difference that a change makes, and when it comes to pass. */
export const HardwareDifference = DefinitionDifference.extend({
  /** `now`: while the machine runs, or it does not run. `goesOn`: the guest is saved to disk, and gets it when it goes on. `nextStart`: QEMU can't do it live. */
  when: z.enum(['now', 'goesOn', 'nextStart']),
  /** Why it has to wait for the next start, a sentence; null when it does not. */
  reason: z.string().nullable(),
})
export type HardwareDifference = z.infer<typeof HardwareDifference>

/** What a change of the hardware would do, or did. */
export const HardwarePlan = z.object({
  differences: z.array(HardwareDifference),
  /** What waits already for a guest that runs or is saved to disk, when each of it comes, and why it waits; of other machines empty. */
  waiting: z.array(HardwareDifference),
  /** All faults and warnings at once; with an error nothing is changed. */
  issues: z.array(Issue),
})
export type HardwarePlan = z.infer<typeof HardwarePlan>

const waitingForGuest = 'Waiting for the guest to let go of '

/** The note of a run while its guest is asked for devices. */
export function waitingNote(names: readonly string[]): string {
  return `${waitingForGuest}${names.join(', ')}, for a quarter of a minute at most.`
}

/** What a run’s guest is being asked for at this moment, a sentence; undefined: for nothing. */
export function waitingNoteOf(notes: readonly string[]): string | undefined {
  return notes.find((note) => note.startsWith(waitingForGuest))
}

/** One thing that a property may be on this computer, in this machine. */
export const HardwareChoice = z.object({
  value: z.string(),
  /** Plain words. */
  label: z.string(),
  /** Why it can't be chosen, a sentence; null: it can. */
  obstacle: z.string().nullable(),
})
export type HardwareChoice = z.infer<typeof HardwareChoice>

/** A property of the hardware, its limits on this computer, and how it can be changed. */
export const HardwareProperty = z.object({
  /** Where it is in `MachineHardware`, dotted; `*` stands for each device of a list, as in `disks.*.bus`. */
  path: z.string(),
  /** Plain words. */
  label: z.string(),
  /** QEMU's own term, e.g. `-smp cores`. */
  term: z.string(),
  /** One line that says what it is good for. */
  help: z.string(),
  kind: z.enum(['choice', 'number', 'switch', 'text', 'list']),
  /** For `choice`. */
  choices: z.array(HardwareChoice).default([]),
  /** For `number`. */
  minimum: z.number().nullable().default(null),
  maximum: z.number().nullable().default(null),
  unit: z.string().nullable().default(null),
  /** Whether it can be changed while the machine runs; otherwise a reason. */
  live: z.object({ possible: z.boolean(), reason: z.string().nullable() }),
  /** Why it can't be changed at all here, a sentence; null: it can. */
  obstacle: z.string().nullable(),
})
export type HardwareProperty = z.infer<typeof HardwareProperty>

/** An earlier form of a machine's hardware. */
export const HardwareVersion = z.object({
  id: z.string(),
  /** ISO 8601, UTC: when it was replaced by the next one. */
  until: z.string(),
  /** How it differs from the hardware now. */
  differences: z.array(DefinitionDifference),
})
export type HardwareVersion = z.infer<typeof HardwareVersion>

/** A disk to be added. */
export const NewDisk = z.object({
  source: z.discriminatedUnion('kind', [
    /** A new empty qcow2 of the machine's own, thin. */
    z.object({ kind: z.literal('new'), sizeBytes: z.int().min(2 ** 20).max(2 ** 53) }),
    /** Used where it is. */
    z.object({ kind: z.literal('use'), path: z.string().min(1).max(4096), format: DiskFormat }),
    /** Copied into the machine's folder as qcow2. */
    z.object({ kind: z.literal('copy'), path: z.string().min(1).max(4096), format: DiskFormat }),
  ]),
  bus: DiskBus,
  readOnly: z.boolean().default(false),
  /** Encrypts a new or copied disk with the machine's disk key, which has to be there (`encryption.setPassphrase`). */
  encrypted: z.boolean().optional(),
})
export type NewDisk = z.infer<typeof NewDisk>

/** What becomes of the file of a disk that is taken out. A file that snapshots or clones read from stays in any case. */
export const RemoveDisk = z.object({ diskId: DeviceId, file: z.enum(['keep', 'trash']) })
export type RemoveDisk = z.infer<typeof RemoveDisk>
