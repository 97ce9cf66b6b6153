import { z } from 'zod'
import { Issue } from '../errors'
import { DiskFormat } from './devices'
import { AcceptedFiles, ImagePassphrase } from './image'
import { MachineState } from './lifecycle'
import { Orphan } from './snapshot'

/** What can be done with a disk image. */
export const DiskWorkKind = z.enum(['create', 'grow', 'shrink', 'convert', 'compact', 'check', 'repair', 'copy', 'move', 'encrypt', 'decrypt', 'checksum', 'delete'])
export type DiskWorkKind = z.infer<typeof DiskWorkKind>

const ImageFilePath = z.string().min(1, 'Say which file.').max(4096, 'A path has at most 4,096 characters; choose a shorter one.')
/** Length of a disk as the guest sees it. Bytes; disks consist of sectors of 512. */
const DiskBytes = z.int().min(512).max(2 ** 50).multipleOf(512, 'A disk has a multiple of 512 bytes.')
/** Of the image that is read; only asked for where neither a machine nor the file itself says it. */
const SourceFormat = DiskFormat.optional()

/** What becomes of the file that a disk was, once the new one took its place. */
export const OldFile = z.enum(['trash', 'keep', 'delete']).default('trash')
export type OldFile = z.infer<typeof OldFile>

/** Of an image from elsewhere that is encrypted with a passphrase of its own. `keep`: the new file, a qcow2, is encrypted with the same one; otherwise it is plain. */
const ForeignEncryption = z.object({ passphrase: ImagePassphrase, keep: z.boolean().default(true) })

/** One piece of work on a disk image. Paths are absolute. */
export const DiskWork = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('create'), path: ImageFilePath, format: z.enum(['qcow2', 'raw']), sizeBytes: DiskBytes, preallocated: z.boolean().default(false) }),
  /** `preallocated`: what is new takes its room at once; of a disk of no machine that runs, which stands alone and is not encrypted. */
  z.object({ kind: z.literal('grow'), path: ImageFilePath, sizeBytes: DiskBytes, preallocated: z.boolean().optional() }),
  z.object({ kind: z.literal('shrink'), path: ImageFilePath, sizeBytes: DiskBytes }),
  /** To a new file, in another format or the same; it stands alone, whatever the image is based on. `acceptedFiles`: files elsewhere that it is based on, each accepted by the person. */
  z.object({ kind: z.literal('convert'), path: ImageFilePath, sourceFormat: SourceFormat, acceptedFiles: AcceptedFiles.optional(), encryption: ForeignEncryption.optional(), to: ImageFilePath, format: DiskFormat }),
  /** To a new file in the same format; it stands alone. */
  z.object({ kind: z.literal('copy'), path: ImageFilePath, sourceFormat: SourceFormat, to: ImageFilePath }),
  /**
   * Another place for a disk of a machine, which goes on with it there, also while it runs. `to`: the new file, or a folder, in which it gets a name of its own; null: the machine's own folder. The new file
   * stands alone.
   */
  z.object({ kind: z.literal('move'), path: ImageFilePath, to: ImageFilePath.nullable(), format: z.enum(['qcow2', 'raw']).optional() }),
  /** A machine's disk written anew with its disk key, as a qcow2 in its folder; the machine is off. */
  z.object({ kind: z.literal('encrypt'), path: ImageFilePath, original: OldFile }),
  z.object({ kind: z.literal('decrypt'), path: ImageFilePath, original: OldFile }),
  z.object({ kind: z.literal('compact'), path: ImageFilePath }),
  z.object({ kind: z.literal('check'), path: ImageFilePath, sourceFormat: SourceFormat }),
  /** `leaks`: gives lost space back and touches no data. `all`: mends what can be mended; a copy of the file is kept. */
  z.object({ kind: z.literal('repair'), path: ImageFilePath, what: z.enum(['leaks', 'all']) }),
  /** SHA-256 of what the guest sees, whatever the format. */
  z.object({ kind: z.literal('checksum'), path: ImageFilePath, sourceFormat: SourceFormat }),
  z.object({ kind: z.literal('delete'), path: ImageFilePath, permanently: z.boolean().default(false) }),
])
export type DiskWork = z.infer<typeof DiskWork>

/** Work without its passphrase, which is nobody’s business while it is only looked at. */
export function withoutImagePassphrase(work: DiskWork): DiskWork {
  return work.kind === 'convert' && work.encryption !== undefined ? { ...work, encryption: { ...work.encryption, passphrase: '*' } } : work
}

/** What a piece of work would do: to be shown before. */
export const DiskWorkPlan = z.object({
  /** For people, e.g. `Compacting disk0.qcow2`. */
  title: z.string(),
  /** What will happen, a sentence each. */
  steps: z.array(z.string()),
  /** Room that it may need on the drive, bytes; 0: none to speak of. */
  neededBytes: z.number(),
  /** Room on that drive; null: the system does not tell. */
  freeBytes: z.number().nullable(),
  /** Everything that speaks against it; with an error it is refused. */
  issues: z.array(Issue),
})
export type DiskWorkPlan = z.infer<typeof DiskWorkPlan>

/** How small a disk can become without losing anything. */
export const SmallestSize = z.object({
  /** Bytes; null: it can’t become smaller, or that is not known. */
  sizeBytes: z.number().int().positive().nullable(),
  /** What stands in the way of less, or why it is not known; a sentence. */
  why: z.string(),
})
export type SmallestSize = z.infer<typeof SmallestSize>

/** One who needs an image: to write to, or to read through. */
export const ImageUser = z.object({
  machineId: z.uuid(),
  machineName: z.string(),
  state: MachineState,
  /** `present`: what the machine is now. `saved`: its saved state. `snapshot`: one of its snapshots. */
  how: z.enum(['present', 'saved', 'snapshot']),
  snapshotName: z.string().nullable(),
  /** The disk that it is or is a part of; null: it is not told. */
  diskId: z.string().nullable(),
  /** It names the file itself; otherwise it reads through it. */
  direct: z.boolean(),
})
export type ImageUser = z.infer<typeof ImageUser>

export const ImageCheckResult = z.object({
  /** ISO 8601, UTC. */
  at: z.string(),
  result: z.enum(['sound', 'leaks', 'damaged']),
  /** The file has changed since. */
  changedSince: z.boolean(),
})
export type ImageCheckResult = z.infer<typeof ImageCheckResult>

/** A disk image that a machine of the library has, or that lies beside such. */
export const StorageImage = z.object({
  /** Absolute. */
  path: z.string(),
  name: z.string(),
  /** The machine in whose folder it lies; null: it lies elsewhere. */
  owner: z.object({ id: z.uuid(), name: z.string() }).nullable(),
  /** null: it can't be told. */
  format: DiskFormat.nullable(),
  /** LUKS within qcow2: it is read with its machine's disk key only. */
  encrypted: z.boolean(),
  /** Length of the disk, bytes; null: unknown. */
  virtualBytes: z.number().nullable(),
  /** What it takes on the drive, bytes. */
  actualBytes: z.number(),
  /** The image that it is based on; null: none. */
  below: z.string().nullable(),
  /** Images that are based directly on it. */
  readers: z.array(z.string()),
  users: z.array(ImageUser),
  /** What is known against it, as in “is marked as corrupt”; null: nothing. */
  fault: z.string().nullable(),
  check: ImageCheckResult.nullable(),
  /** Why each work can't be done now, a sentence; null: it can. */
  obstacles: z.record(DiskWorkKind, z.string().nullable()),
})
export type StorageImage = z.infer<typeof StorageImage>

/** A folder in which images lie. */
export const StoragePlace = z.object({
  /** `library`: the machines. `images`: images beside the machines. `added`: a folder that somebody added. `elsewhere`: a folder with disks that machines use. */
  kind: z.enum(['library', 'images', 'added', 'elsewhere']),
  path: z.string(),
  /** It is on a drive that can be taken out; null: the system does not tell. */
  removable: z.boolean().nullable().default(null),
  /** Of the drive, bytes; null: the system does not tell. */
  capacityBytes: z.number().nullable(),
  freeBytes: z.number().nullable(),
  /** What the images in it take. */
  imageBytes: z.number(),
  /** Why it can't be looked at, a sentence; null: it can. */
  fault: z.string().nullable(),
})
export type StoragePlace = z.infer<typeof StoragePlace>

export const StorageOverview = z.object({
  places: z.array(StoragePlace),
  images: z.array(StorageImage),
  /** Files in machines’ folders that belong to nothing. */
  orphans: z.array(z.object({ machineId: z.uuid(), machineName: z.string(), files: z.array(Orphan) })),
})
export type StorageOverview = z.infer<typeof StorageOverview>

const checksumPrefix = 'SHA-256 of what the guest sees: '

/** How a job tells a checksum. */
export function checksumNote(sha256: string): string {
  return `${checksumPrefix}${sha256}`
}

/** The checksum among the notes of a job, hexadecimal; null: there is none. */
export function checksumIn(notes: readonly string[]): string | null {
  return notes.find((note) => note.startsWith(checksumPrefix))?.slice(checksumPrefix.length) ?? null
}
