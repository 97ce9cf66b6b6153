import { z } from 'zod'
import { BackupPolicy, MachineDefinition, MachineId, MachineName } from './machine'
import { MachineState } from './lifecycle'
import { SnapshotName } from './snapshot'

/** Version of `backup.json`; independent of the program's own. A change of form adds one here and a migration in the core. */
export const backupSchemaVersion = 1

/** When it was taken, to the second, and some chance: sorted by name they are sorted by time. Names a folder and a dirty bitmap. */
export const BackupId = z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/u, 'This is no id of a backup.')
export type BackupId = z.infer<typeof BackupId>

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/u)
/** A file right in the folder of its backup; its name can lead nowhere else. */
const FileName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/u)
/** The name of a machine's folder among backups. */
export const BackupSetName = z.string().regex(/^[^/\\:\p{Cc}]{1,120}$/u, 'This is no name of a folder of backups.').refine((name) => !name.startsWith('.'), 'This is no name of a folder of backups.')

/** One disk, or the UEFI variables, in a backup. */
export const BackupDisk = z.object({
  /** The disk's id, or `nvram`. */
  key: z.string().min(1).max(64),
  /** A qcow2. */
  file: FileName,
  virtualBytes: z.int().min(0),
  /** It holds only what was written since the backup that the manifest names as its parent, and reads the rest from that one's file of the same disk. */
  incremental: z.boolean(),
  /** Why it is whole although there was one before, a sentence; null: it is not, or was to be. */
  reason: z.string().nullable(),
  /** Length of the file. */
  bytes: z.int().min(0),
  /** Of the file. */
  sha256: Sha256,
  /** The file, and every one that it reads from, is encrypted with the machine's disk key. */
  encrypted: z.boolean().default(false),
  /** SHA-256 of the SHA-256 values of each MiB that the guest sees, one after the other; null: it is encrypted, and only the checksums of files are known. */
  contentSha256: Sha256.nullable(),
})
export type BackupDisk = z.infer<typeof BackupDisk>

/** Anything else of the machine's folder that it needs. */
export const BackupFile = z.object({ file: FileName, /** In the machine's folder, forward slashes. */ path: z.string().min(1).max(400), bytes: z.int().min(0), sha256: Sha256 })
export type BackupFile = z.infer<typeof BackupFile>

/** The content of `backup.json`, in a folder that gets its name when everything is in it. */
export const BackupManifest = z.object({
  schemaVersion: z.literal(backupSchemaVersion),
  createdBy: z.string().max(200),
  id: BackupId,
  /** null: it stands alone. */
  parentId: BackupId.nullable(),
  /** ISO 8601, UTC: the instant that it holds. */
  takenAt: z.iso.datetime(),
  kind: z.enum(['manual', 'automatic']),
  /** What the machine was doing at that instant. */
  machineState: MachineState,
  /** As it was at that instant; its disks are those of the backup. */
  definition: MachineDefinition,
  /** Whether the guest agent held the guest's file systems still at that instant. */
  quiesced: z.boolean(),
  /** How long the guest stood still, milliseconds; null: it did not run. */
  pauseMs: z.number().nullable(),
  notes: z.array(z.string()),
  disks: z.array(BackupDisk).max(64),
  files: z.array(BackupFile).max(64),
})
export type BackupManifest = z.infer<typeof BackupManifest>

/** The content of `verified.json`: what came of looking at a backup last. */
export const BackupVerification = z.object({ checkedAt: z.iso.datetime(), /** What is wrong, a sentence each; empty: it is sound. */ faults: z.array(z.string()).max(200) })
export type BackupVerification = z.infer<typeof BackupVerification>

/** A backup as it is shown. */
export const Backup = BackupManifest.pick({ id: true, parentId: true, takenAt: true, kind: true, machineState: true, quiesced: true, pauseMs: true, notes: true }).extend({
  machineName: z.string(),
  /** Bytes that its own files take. */
  sizeBytes: z.number(),
  /** Bytes that a machine has with it: the length of its disks. */
  virtualBytes: z.number(),
  disks: z.array(BackupDisk.pick({ key: true, incremental: true, reason: true, bytes: true, virtualBytes: true, encrypted: true, contentSha256: true })),
  verified: BackupVerification.nullable(),
  /** Why it can't be restored, a sentence; null: nothing is known against it. */
  fault: z.string().nullable(),
})
export type Backup = z.infer<typeof Backup>

/** All backups of one machine in a folder. */
export const BackupSet = z.object({
  /** The name of its folder. */
  set: BackupSetName,
  /** The machine that the newest one is of. */
  machine: z.object({ id: z.string(), name: z.string() }),
  /** Whether that machine is in this library. */
  isHere: z.boolean(),
  /** Oldest first. */
  backups: z.array(Backup),
  /** What lies there and can't be read as a backup, a sentence each. */
  problems: z.array(z.string()),
})
export type BackupSet = z.infer<typeof BackupSet>

/** What lies in a folder for backups. */
export const BackupFolder = z.object({
  folder: z.string(),
  /** Why it can't be used now, a sentence: a drive that is not plugged in, say; null: it can. */
  away: z.string().nullable(),
  freeBytes: z.number().nullable(),
  sets: z.array(BackupSet),
})
export type BackupFolder = z.infer<typeof BackupFolder>

const FolderPath = z.string().min(1).max(4096, 'A path has at most 4,096 characters; choose a shorter one.')

/** Names one backup. */
export const BackupReference = z.object({ folder: FolderPath, set: BackupSetName, backupId: BackupId })
export type BackupReference = z.infer<typeof BackupReference>

export const ListBackups = z.object({
  /** null: the folder of the machine's policy. */
  folder: FolderPath.nullable().default(null),
  /** Only this machine's. */
  id: MachineId.nullable().default(null),
})
export type ListBackups = z.infer<typeof ListBackups>

export const CreateBackup = z.object({
  id: MachineId,
  /** null: the one of the machine's policy. */
  folder: FolderPath.nullable().default(null),
  /** Whole, although an incremental one would do. */
  full: z.boolean().default(false),
  compress: z.boolean().default(true),
  /** Ask the guest agent to hold the file systems still, where it answers. */
  quiesce: z.boolean().default(true),
  /** Read everything again when it is written. */
  verify: z.boolean().default(false),
})
export type CreateBackup = z.infer<typeof CreateBackup>

export const RestoreBackup = BackupReference.extend({
  target: z.discriminatedUnion('kind', [
    /** A new machine. `sameIdentity`: with the id and network addresses that it had, where no machine of the library has that id. */
    z.object({ kind: z.literal('new'), name: MachineName, sameIdentity: z.boolean().default(false) }),
    /** The machine that it is of, which has to be off. `keepPresent`: take a snapshot of what it is now first, under that name; null: its disks go to the trash. */
    z.object({ kind: z.literal('same'), keepPresent: SnapshotName.nullable().default(null) }),
  ]),
})
export type RestoreBackup = z.infer<typeof RestoreBackup>

export { BackupPolicy }
