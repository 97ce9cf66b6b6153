import { z } from 'zod'
import { Issue } from '../errors'
import { MacAddress } from './devices'
import { NewEncryption } from './encryption'
import { MachineState } from './lifecycle'
import { AcceleratorName, MachineDefinition, MachineId, SnapshotId } from './machine'

/** Version of `snapshot.json`; independent of the program's own. A change of form adds one here and a migration in the core. */
export const snapshotSchemaVersion = 1

export const snapshotNameMaxLength = 100

/** A snapshot's name: shown to people, unique within its machine (case ignored). It names no file. */
export const SnapshotName = z
  .string()
  .trim()
  .min(1, 'Give the snapshot a name.')
  .max(snapshotNameMaxLength, {
    error: ({ input }) =>
      `A name has at most ${String(snapshotNameMaxLength)} characters; this one has ${String((input as string).length)}.`,
  })
  .refine((name) => !/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(name), 'A name has no control characters; leave them out.')

export const SnapshotDescription = z.string().max(10_000, 'A description has at most 10,000 characters.')

/**
 * How a snapshot's memory was or would be kept.
 * `live`: the guest goes on while its memory is written (QEMU's `background-snapshot`). `paused`: the guest stands still meanwhile.
 * `none`: disks only, as after a power cut.
 */
export const MemoryMethod = z.enum(['live', 'paused', 'none'])
export type MemoryMethod = z.infer<typeof MemoryMethod>

/** The memory file of a snapshot and what is needed to load it again. */
export const SnapshotMemory = z.object({
  /** `stream`: any QEMU. `mapped-ram`: QEMU 9 and later, loaded several times as fast. */
  format: z.enum(['stream', 'mapped-ram']),
  compression: z.enum(['none', 'zstd']).default('none'),
  qemuVersion: z.string(),
  accelerator: AcceleratorName,
  /** The definition that the guest ran with; its images are the snapshot's own. */
  definition: MachineDefinition,
  /** The machine’s own network addresses, by card, where its guest had those of the machine whose memory it went on from. Absent: there were none. */
  ownAddresses: z.record(z.string(), MacAddress).optional(),
})
export type SnapshotMemory = z.infer<typeof SnapshotMemory>

/** Why a snapshot exists. `base`: taken so that a clone has something to stand on. */
export const SnapshotKind = z.enum(['manual', 'automatic', 'base'])
export type SnapshotKind = z.infer<typeof SnapshotKind>

/** The content of `snapshots/<id>/snapshot.json`, written last: a snapshot without it does not exist. */
export const SnapshotManifest = z.object({
  schemaVersion: z.literal(snapshotSchemaVersion),
  createdBy: z.string(),
  id: SnapshotId,
  parentId: SnapshotId.nullable(),
  name: SnapshotName,
  description: SnapshotDescription.default(''),
  /** ISO 8601, UTC: the instant that it holds. */
  takenAt: z.iso.datetime(),
  kind: SnapshotKind,
  /** The clone that a `base` was taken for, while that is in the making. Where there is no such machine, something was cut off, and nobody needs the snapshot. */
  forClone: MachineId.nullable().default(null),
  /** What the machine was doing at that instant. */
  machineState: MachineState,
  /** The stored definition at that instant. Its writable images and its UEFI variables name the frozen layers that the snapshot consists of. */
  definition: MachineDefinition,
  memory: SnapshotMemory.nullable(),
  method: MemoryMethod,
  /** How long the guest stood still for it, milliseconds; null: it did not run, or QEMU did not tell. */
  pauseMs: z.number().nullable(),
  /** Whether the guest agent held the guest's file systems still at that instant. */
  quiesced: z.boolean(),
  /** What is less than was asked for, and why, a sentence each. */
  notes: z.array(z.string()),
})
export type SnapshotManifest = z.infer<typeof SnapshotManifest>

export const MachineReference = z.object({ id: MachineId, name: z.string() })
export type MachineReference = z.infer<typeof MachineReference>

/** A snapshot as it is shown. */
export const Snapshot = SnapshotManifest.pick({
  id: true, parentId: true, name: true, description: true, takenAt: true, kind: true, machineState: true, method: true, pauseMs: true, quiesced: true, notes: true,
}).extend({
  memory: SnapshotMemory.pick({ format: true, compression: true, qemuVersion: true, accelerator: true }).extend({ sizeBytes: z.number() }).nullable(),
  /** Bytes on the drive that only this snapshot takes: its layers, its memory, its picture. */
  sizeBytes: z.number(),
  hasScreen: z.boolean(),
  /** Linked clones whose disks read from it: it can't be deleted while they live. */
  clones: z.array(MachineReference),
})
export type Snapshot = z.infer<typeof Snapshot>

/** A file or folder in a machine's folder that belongs to no snapshot, to no disk, to nothing that is known. Never removed unasked. */
export const Orphan = z.object({
  /** Relative to the machine's folder, forward slashes. */
  path: z.string(),
  bytes: z.number(),
  /** A sentence: what it seems to be. */
  about: z.string(),
})
export type Orphan = z.infer<typeof Orphan>

/** A snapshot that can't be used; its files are left as they are. */
export const SnapshotProblem = z.object({ path: z.string(), code: z.enum(['DEFINITION_DAMAGED', 'DEFINITION_NEWER', 'FILE_UNREADABLE', 'FILE_NOT_FOUND']), message: z.string(), hint: z.string() })
export type SnapshotProblem = z.infer<typeof SnapshotProblem>

/** Everything about one machine's snapshots. */
export const SnapshotTree = z.object({
  machineId: MachineId,
  /** Parents before their children; siblings by date. */
  snapshots: z.array(Snapshot),
  /** Where the machine is now: the snapshot that it goes on from, and what it has written since. */
  current: z.object({ parentId: SnapshotId.nullable(), sizeBytes: z.number() }),
  /** Layers of deleted snapshots that branches still share; they go when only one of those is left. Bytes. */
  sharedBytes: z.number(),
  orphans: z.array(Orphan),
  problems: z.array(SnapshotProblem),
  freeBytes: z.number().nullable(),
})
export type SnapshotTree = z.infer<typeof SnapshotTree>

/** What taking a snapshot would do now. */
export const SnapshotPlan = z.object({
  memory: z.object({
    method: MemoryMethod,
    /** Why it is not the best method, a sentence; null when there is nothing to say. */
    reason: z.string().nullable(),
  }),
  freeze: z.object({ available: z.boolean(), reason: z.string().nullable() }),
  /** Disks that can be in no snapshot as they are. `convertible`: bringing them into the machine as qcow2 mends that. */
  obstacles: z.array(z.object({ diskId: z.string(), reason: z.string(), convertible: z.boolean(), bytes: z.number().nullable() })),
  /** At most this is written while it is taken, bytes; null when unknown. */
  estimatedBytes: z.number().nullable(),
  /** Everything else that stops it or should be known. */
  issues: z.array(Issue),
})
export type SnapshotPlan = z.infer<typeof SnapshotPlan>

export const TakeSnapshotRequest = z.object({
  name: SnapshotName,
  description: SnapshotDescription.default(''),
  /** Keep memory too, where the machine runs and it can be had. */
  memory: z.boolean().default(true),
  /** Ask the guest agent to hold the file systems still. Without an agent the request is refused. */
  quiesce: z.boolean().default(false),
})
export type TakeSnapshotRequest = z.infer<typeof TakeSnapshotRequest>

export const RevertRequest = z.object({
  snapshotId: SnapshotId,
  /** Go on at that instant with its memory, where it has one. Otherwise the machine is stopped, its disks as after a power cut. */
  memory: z.boolean().default(true),
  /** Take a snapshot of the present first, under this name. null: what was done since the last snapshot is lost. */
  keepPresent: SnapshotName.nullable().default(null),
  /** Let the machine run afterwards. */
  start: z.boolean().default(true),
})
export type RevertRequest = z.infer<typeof RevertRequest>

/** What a delete would do: to be shown before. */
export const SnapshotDeletePlan = z.object({
  snapshots: z.array(z.object({ id: SnapshotId, name: z.string() })),
  /** Given back at once, bytes. */
  freesBytes: z.number(),
  /** Kept for now because branches share it, or until the machine is off. */
  laterBytes: z.number(),
  /** What is to be known about it, a sentence each. */
  notes: z.array(z.string()),
  /** What stops it. */
  issues: z.array(Issue),
})
export type SnapshotDeletePlan = z.infer<typeof SnapshotDeletePlan>

/** One difference between two definitions, in words. null: not there. */
export const DefinitionDifference = z.object({ path: z.string(), label: z.string(), then: z.string().nullable(), now: z.string().nullable() })
export type DefinitionDifference = z.infer<typeof DefinitionDifference>

/** A new machine from another one, or from one of its snapshots. */
export const CloneRequest = z.object({
  id: MachineId,
  /** null: from what the machine is now. */
  snapshotId: SnapshotId.nullable().default(null),
  name: MachineDefinition.shape.name,
  /** `full`: a copy of its own. `linked`: there at once, and small, but reads from the original's disks. */
  kind: z.enum(['full', 'linked']),
  /** Go on from the original's memory: the snapshot's, or that of a template or machine that is saved to disk. */
  warm: z.boolean().default(false),
  /** Of a full clone: its disks encrypted with a key and a passphrase of its own, or none of them. Absent: as the original's, with the same key. */
  encryption: z.union([NewEncryption, z.literal('none')]).optional(),
})
export type CloneRequest = z.infer<typeof CloneRequest>
