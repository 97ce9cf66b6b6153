import type { Duplex } from 'node:stream'
import type { ProcessFailure } from '@shared/errors'
import type { AcceleratorName, Disk, GuestCommand, GuestCommandResult, GuestInfo, MachineDefinition, MemoryMethod, MetricsSample, QemuReport } from '@shared/model'
import type { Departure, LiveChange } from './live-change'

/** Absolute paths that one machine's run needs. Built by the path module of the library and runtime folders, nowhere else. */
export interface MachinePaths {
  /** The machine's folder in the library. */
  folder: string
  /** The run's own short folder for sockets, pid file and the run record. Mode 0700. */
  runtime: string
  qemuLog: string
  tpmLog: string
  /** Log of serial port `index`. */
  serialLog(index: number): string
  savedFolder: string
  savedRam: string
}

/** A memory file to load, and how it was written. */
export interface MemoryFile {
  path: string
  format: 'stream' | 'mapped-ram'
  compression: 'none' | 'zstd'
}

/** All that a worker needs to start a machine: plain data, so that it crosses the process boundary. */
export interface LaunchPlan {
  definition: MachineDefinition
  qemu: QemuReport
  accelerator: AcceleratorName
  machineFolder: string
  runtimeFolder: string
  /** Folders of the machines that this one is a linked clone of, nearest first: its images may read from files in these, and from no others outside its own. */
  baseFolders: string[]
  /** Files outside all of these that the images may read from too: a disk that lies elsewhere, of a run that throws away what it writes. */
  baseFiles: string[]
  /** Start from saved state: its file, and the argv-relevant facts of the run that made it. null: a cold start. */
  restore: SavedRun | null
  /** Opens the encrypted disks, for a start; in memory only. A machine that is taken over has it already. */
  diskKey?: string | null | undefined
}

/** What is kept beside saved RAM so that it can be loaded again. */
export interface SavedRun {
  schemaVersion: 1
  savedAt: string
  qemuVersion: string
  accelerator: AcceleratorName
  definition: MachineDefinition
  /** The machine's own network addresses, by card, where its guest has those of the machine whose memory it goes on from. Absent: there are none. */
  ownAddresses?: Readonly<Record<string, string>> | undefined
  /** How the file was written: `stream` (any QEMU) or `mapped-ram`. */
  ramFormat: 'stream' | 'mapped-ram'
  ramCompression: 'none' | 'zstd'
  /** The memory file, relative to the machine's folder, forward slashes: `saved/ram.state`, or that of the snapshot that the machine was reverted to, which is only read. */
  ramFile: string
}

/** What the guest or QEMU did by itself. */
export type EngineEvent =
  | { type: 'paused'; why: 'asked' | 'io-error' | 'watchdog' | 'other' }
  | { type: 'resumed' }
  | { type: 'reset' }
  /** The guest is switching itself off, or the power button was answered. */
  | { type: 'shuttingDown'; by: 'guest' | 'host' }
  /** The process is gone. `clean`: the guest shut down or QEMU was asked to quit. */
  | { type: 'ended'; clean: boolean; reason: string; failure: ProcessFailure | null }
  /** The guest has let go of a device that it was asked for earlier, or of its own will. */
  | { type: 'unplugged'; change: Departure }
  | { type: 'note'; message: string }

export interface EngineLifecycle {
  /** Goes on with a paused guest. */
  resume(): Promise<void>
  pause(): Promise<void>
  /** Presses the ACPI power button. */
  pressPowerButton(): Promise<void>
  reset(): Promise<void>
  /** Ends the process at once, as pulling the plug. Resolves when it is gone. */
  powerOff(): Promise<void>
  /**
   * Writes memory and device state to `ramFile` (which must not exist), the guest paused, and ends the process.
   * On any failure the guest runs or is paused as before, and the file is removed.
   * @param keep called when the file is whole and on the disk, before the process ends: the moment to give it its name and to write the
   *   record beside it, so that there is no time at which neither process nor saved state exists. When it throws, the guest goes on.
   */
  save(
    ramFile: string, onProgress: (fraction: number | null) => void, signal: AbortSignal, keep?: (saved: { ramFormat: SavedRun['ramFormat'] }) => Promise<void>,
  ): Promise<{ ramFormat: SavedRun['ramFormat'] }>
}

/** Empty PCI Express ports of a machine for what comes while it runs; `slot` of a device names one, from 0. */
export const spareRootPorts = 4

/** Keys of `overlays` and `topLayers`: a disk's id, or this for the UEFI variables. */
export const nvramLayer = 'nvram'

export interface SnapshotOrder {
  /** By disk id (or `nvramLayer`): absolute path of the empty qcow2 overlay that the guest writes to from that instant on. Made already, its backing file being what QEMU has on top now. */
  overlays: Readonly<Record<string, string>>
  /** Where memory goes; must not exist. null: disks only. */
  ramFile: string | null
  /** Folders of the TPM's state: the one that the guest uses, and one that must not exist, for that of this instant. Absent: the machine has no TPM. */
  tpm?: { from: string; to: string } | undefined
  /** Hold the guest's file systems still through its agent, for at most so long. null: don't. */
  freezeMs: number | null
}

export interface SnapshotTaken {
  method: MemoryMethod
  /** How long the guest stood still, milliseconds; null when it was paused anyway or QEMU does not tell. */
  pauseMs: number | null
  memory: Pick<MemoryFile, 'format' | 'compression'> | null
  quiesced: boolean
  /** Why it is less than was asked for, a sentence each. */
  notes: string[]
}

export interface PullRequest {
  /** A disk's id, or `nvramLayer`. */
  disk: string
  /** Absolute path of a layer in the chain of that disk, the top or any below it. */
  layer: string
  /** Absolute path of the layer that is read from afterwards; null: none. */
  base: string | null
  /** What the layer names `base` by in its header; null when there is none. */
  backingName: string | null
}

/** Where a disk is copied to. */
export interface DiskCopy {
  /** A disk's id. */
  disk: string
  /** Absolute path of an empty image that is as long as the disk; it may be a link, which then has to lead to the file for as long as the machine runs. */
  path: string
  format: Disk['format']
}

/** Disks that move to other files while the machine runs or is paused. */
export interface EngineMoves {
  /** The file behind each disk, whatever its format. Absolute, links resolved. */
  diskFiles(): Promise<Record<string, string>>
  /**
   * Copies a disk while the guest goes on writing to it. Resolves when both files hold the same and are on their drives, and the guest stands still for the moment: whoever called this
   * records now which of both is the disk, and then ends it with `switchDisk`. When it throws, the guest goes on with the file that it had.
   * Throws `NOT_FOUND`, `DISK_FULL`, `DISK_IN_USE`, `QEMU_FAILED`, `CANCELLED`.
   */
  copyDisk(copy: DiskCopy, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void>
  /**
   * The guest goes on with the one or the other. When it throws, the guest stands still, and it can only go on with the source. Does nothing when there is no copy that waits.
   * @param image of the target: what the disk's image is from then on
   */
  switchDisk(keep: 'source' | 'target', image: Pick<Disk, 'id' | 'image' | 'format'>): Promise<void>
  /** The same where nobody says which any more: as the machine's stored definition does. */
  settleMove(): Promise<void>
}

/** Snapshots of a machine that runs or is paused. */
export interface EngineSnapshots {
  /** How memory would be kept now, and why not better; asks QEMU (blockers, userfaultfd) and changes nothing. */
  snapshotMemory(): Promise<{ method: MemoryMethod; reason: string | null }>
  /** Whether the guest agent answers now. */
  freezeObstacle(): Promise<string | null>
  /** The file that QEMU writes to now, by disk id and `nvramLayer`; only qcow2 layers that are writable. Absolute paths. */
  topLayers(): Promise<Record<string, string>>
  /**
   * One instant of all disks, firmware variables and memory. When it throws, the guest goes on as before; whether it writes to the old or to the
   * new layers then is to be asked of `topLayers`: both are right, since an overlay that was not used is empty.
   */
  takeSnapshot(order: SnapshotOrder, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<SnapshotTaken>
  /**
   * Copies into a layer of the running chain all that it reads from the layer below it, and takes that one out of the chain (`block-stream`). What the
   * layer holds is the same at every moment, also when this is cut off.
   */
  pullLayer(request: PullRequest, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void>
  /** Makes a disk longer and tells the guest, where its bus can. @param bytes its new length. Throws `NOT_FOUND`, `DISK_FULL`, `QEMU_FAILED` */
  resizeDisk(disk: string, bytes: number): Promise<void>
}

/** Names of marks: dirty bitmaps that began with a backup. */
const markPrefix = 'ringside-'

/** The mark that begins with a backup. */
export function markOf(backupId: string): string {
  return `${markPrefix}${backupId}`
}

export function isMark(name: string): boolean {
  return name.startsWith(markPrefix)
}

/** A disk as a backup finds it. */
export interface TrackedDisk {
  virtualBytes: number
  /** QEMU's name of it. */
  format: string
  writable: boolean
  /** The marks that can be trusted, with the bytes that are dirty in each: what is not dirty is as it was in the backup that the mark began with. */
  marks: Record<string, number>
}

/** How one disk is copied. */
export interface BackupDiskOrder {
  /** A disk's id, or `nvramLayer`. */
  key: string
  /** Absolute path of an empty qcow2 of the disk's length, with clusters of 64 KiB; what it will read from is not opened. On a drive that answers: the guest's writes wait for it. */
  target: string
  /** Only what is dirty in that mark; null: everything. */
  since: string | null
  /** Begins a mark at that instant; null: the disk can have none. */
  track: string | null
  compress: boolean
  /** The empty qcow2 is encrypted with the machine's disk key, which the engine has. */
  encrypted: boolean
}

export interface BackupOrder {
  disks: readonly BackupDiskOrder[]
  /** Hold the guest's file systems still through its agent, for at most so long, where it answers. null: don't. */
  freezeMs: number | null
}

export interface BackupTaken {
  /** ISO 8601, UTC. */
  takenAt: string
  /** How long the guest stood still, milliseconds; null when it was paused anyway. */
  pauseMs: number | null
  quiesced: boolean
  /** Why it is less than was asked for, a sentence each. */
  notes: string[]
}

/** Backups of a machine that runs or is paused. */
export interface EngineBackups {
  /** By disk id and `nvramLayer`. Marks that can't be trusted any more are removed. */
  trackedDisks(): Promise<Record<string, TrackedDisk>>
  /** Copies all disks as they are at one instant; the guest goes on meanwhile. When it throws, the guest goes on as before, no mark of it is left, and what was written is of no use. */
  takeBackup(order: BackupOrder, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<BackupTaken>
  /** Removes every other mark of the disks. */
  keepMarks(marks: readonly string[]): Promise<void>
}

/**
 * What is asked of the guest through its agent. All throw `CAPABILITY_MISSING` when the machine has no channel, no agent answers or it has no such command, `ILLEGAL_STATE` while the
 * guest is paused, `TIMED_OUT`, `PROTOCOL` when the agent talks nonsense, `GUEST_FAILED` when the guest could not.
 */
export interface EngineGuest {
  info(): Promise<GuestInfo>
  /** Resolves when the program has ended or was killed. */
  run(command: GuestCommand, signal: AbortSignal): Promise<GuestCommandResult>
  setPassword(user: string, password: string): Promise<void>
  /** @param order paths of files, both absolute. @returns what is to be known about it, a sentence each */
  copyIn(order: { hostPath: string; guestPath: string; overwrite: boolean }, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<string[]>
  /** @param order `partialPath` must not exist, and is removed when the copy breaks */
  copyOut(order: { guestPath: string; partialPath: string }, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void>
}

/** Changes of a machine that runs. */
export interface EngineHardware {
  /** What the machine has now: that of its start, and every change since. */
  readonly definition: MachineDefinition
  /**
   * Makes one change, whole or not at all. Throws `GUEST_FAILED` when the guest keeps a device or a tray, which it may still let go of later (`unplugged` tells); `QEMU_FAILED`, and
   * what speaks against an image.
   */
  changeHardware(change: LiveChange): Promise<void>
}

export interface EngineDisplay {
  /** An RFB byte stream. Several may be open. */
  openGraphics(): Promise<Duplex>
  openSerial(port: number): Promise<Duplex>
  /** PNG bytes of the screen; null while the guest's display is off. */
  screenshot(): Promise<Uint8Array | null>
}

export interface EngineMetrics {
  /** A reading; rates are since the one before. */
  sample(): Promise<MetricsSample>
}

/** One running machine of an engine. Lives in the machine's worker. */
export interface RunningMachine extends EngineLifecycle, EngineSnapshots, EngineBackups, EngineMoves, EngineHardware, EngineDisplay, EngineMetrics, AsyncDisposable {
  readonly guest: EngineGuest
  readonly qemuPid: number
  readonly paused: boolean
  /** What is less than asked for in this run, a sentence each. */
  readonly notes: readonly string[]
  onEvent(listener: (event: EngineEvent) => void): () => void
  /** Lets go of the process without ending it: closes monitor and listeners. */
  release(): Promise<void>
}

/** An engine: starts machines and takes running ones over. Constructed only in the worker's composition root. */
export interface Engine {
  /**
   * Spawns the process detached; resolves when the guest runs. Throws `QEMU_FAILED` with the process's last words.
   * @param beforeGuestRuns awaited when all is loaded and the guest has not executed anything yet; when it throws, the start fails
   */
  start(plan: LaunchPlan, beforeGuestRuns?: () => Promise<void>): Promise<RunningMachine>
  /**
   * Takes over a machine whose worker or host died. Throws `NOT_FOUND` when no such process runs: its message says how the run ended, its
   * `data.state` is `stopped` after a clean end and `crashed` otherwise, and `data.process` has the last words.
   */
  adopt(plan: LaunchPlan): Promise<RunningMachine>
}
