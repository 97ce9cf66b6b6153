import type { ConsoleChannel, MetricsEvent, ThumbnailEvent } from '@shared/contract'
import type { Issue } from '@shared/errors'
import type {
  BackupFolder, BackupPolicy, BackupReference, CloneRequest, CommandLine, CreateBackup, CreateMachineRequest, DefinitionDifference, DiskWork, DiskWorkPlan, EncryptionState, EncryptionSupport, FolderListing,
  GuestCommand, GuestCommandResult, GuestCopy, GuestInfo, HardwareDifference, HardwarePlan, HardwareProperty, HardwareVersion, HostDevices, HostInfo, ImageReport, Job, JobKind,
  LibraryProblem, ListBackups, MachineDefinition, MachineHardware, MachineReference, MachineView, NewDisk, OsCatalog, ProbeReport, RemoveDisk, RestoreBackup, RevertRequest, Settings,
  Snapshot, SnapshotDeletePlan, SnapshotPlan, SnapshotPolicy, SnapshotTree, SmallestSize, StorageOverview, TakeSnapshotRequest,
} from '@shared/model'
import type { MachineFiles } from '../library/paths'
import type { ConsoleTickets } from './console-tickets'

/** Stops what was started: unsubscribes, closes. Calling it twice is harmless. */
export type Disposer = () => void

/** A machine as it lies on disk. */
export interface StoredMachine {
  readonly definition: MachineDefinition
  readonly paths: MachineFiles
}

/** The machines on disk. The only writer of the library. */
export interface MachineLibrary {
  list(): StoredMachine[]
  /** Throws `NOT_FOUND`. */
  get(id: string): StoredMachine
  problems(): LibraryProblem[]
  /**
   * Makes a machine whole or not at all: `prepare` fills a folder that has a temporary name (disks, firmware variables), then the
   * definition is written and the folder gets its real name. On any failure the temporary folder is removed.
   */
  add(definition: MachineDefinition, prepare: (paths: MachineFiles) => Promise<void>): Promise<StoredMachine>
  /** Replaces the definition atomically. */
  update(id: string, change: (definition: MachineDefinition) => MachineDefinition): Promise<StoredMachine>
  deletePlan(id: string): Promise<{ folder: string; bytes: number; deletes: { path: string; bytes: number }[]; keeps: string[]; toTrash: boolean }>
  /** To the trash, or for good when asked. Throws and leaves everything when there is no trash and `permanently` is false. */
  remove(id: string, options: { permanently: boolean }): Promise<{ trashed: boolean }>
  /** Changes of definitions, machines that came or went, problems. */
  onChange(listener: (change: { type: 'changed' | 'removed'; id: string } | { type: 'problems' }) => void): Disposer
}

/** Running, watching and ending machines: the lifecycle over the library and the workers. */
export interface MachineManager {
  list(): MachineView[]
  get(id: string): MachineView
  start(id: string, options?: { disposable: boolean }): Promise<MachineView>
  pause(id: string): Promise<MachineView>
  resume(id: string): Promise<MachineView>
  shutDown(id: string): Promise<MachineView>
  reset(id: string): Promise<MachineView>
  powerOff(id: string): Promise<MachineView>
  save(id: string, report: JobReporter): Promise<MachineView>
  discardSaved(id: string): Promise<MachineView>
  rename(id: string, name: string): Promise<MachineView>
  delete(id: string, options: { permanently: boolean }): Promise<{ trashed: boolean }>
  screenshot(id: string): Promise<Uint8Array>
  commandLine(id: string): Promise<CommandLine>
  /** Hands a console's transport to the machine's worker (see `WorkerHandle.send`). */
  attachConsole(id: string, channel: ConsoleChannel, transfer: ConsoleTransfer): void
  onChange(listener: (change: { type: 'changed'; machine: MachineView } | { type: 'removed'; id: string }) => void): Disposer
  /** History first, then samples. */
  watchMetrics(listener: (event: MetricsEvent) => void): Disposer
  watchThumbnails(listener: (event: ThumbnailEvent) => void): Disposer
}

/** The transport of one console, on its way to the worker. */
export type ConsoleTransfer =
  /** A raw TCP socket that has asked for a WebSocket upgrade; the worker completes the handshake. */
  | { kind: 'webSocketUpgrade'; socket: unknown; headers: Record<string, string>; head: Uint8Array }
  /** An Electron `MessagePortMain`. */
  | { kind: 'messagePort'; port: unknown }

export interface JobReporter {
  readonly signal: AbortSignal
  /** @param progress 0..1, or null while unknown */
  report(progress: number | null, step: string): void
  /** Adds a sentence about the outcome, where anybody is told of it. */
  note?(sentence: string): void
}

/** What the work of a job is given. */
export interface RunningJob extends JobReporter {
  /** Says which machine the job is about as soon as that is known, so that a job that fails later still names it. */
  belongsTo(machineId: string): void
  /** Adds a sentence about the outcome, to be shown with it. */
  note(sentence: string): void
}

export interface Jobs {
  list(): Job[]
  /** Starts work and returns at once; failures rest in the job. */
  run(
    what: { kind: JobKind; title: string; machineId: string | null; cancellable: boolean; automatic?: boolean },
    work: (reporter: RunningJob) => Promise<{ machineId?: string } | void>,
  ): Job
  /** Resolves when the job has ended, however. */
  ended(id: string): Promise<Job>
  cancel(id: string): Job
  dismiss(id: string): void
  onChange(listener: (change: { type: 'changed'; job: Job } | { type: 'removed'; id: string }) => void): Disposer
}

export interface MachineCreation {
  /** All faults: schema, host limits, names, files, disks in use. */
  check(request: unknown): Promise<Issue[]>
  /** Makes disks and definition. Resolves to the new machine's id. */
  create(request: CreateMachineRequest, reporter: JobReporter): Promise<string>
  createSample(name: string | undefined, reporter: JobReporter): Promise<string>
}

/** The snapshots of all machines. What takes long is given a reporter and is run as a job. */
export interface Snapshots {
  tree(id: string): Promise<SnapshotTree>
  plan(id: string): Promise<SnapshotPlan>
  take(id: string, request: TakeSnapshotRequest, reporter: JobReporter): Promise<Snapshot>
  revert(id: string, request: RevertRequest, reporter: JobReporter): Promise<void>
  change(id: string, snapshotId: string, change: { name?: string; description?: string }): Promise<Snapshot>
  deletePlan(id: string, snapshotId: string, options: { children: boolean }): Promise<SnapshotDeletePlan>
  delete(id: string, snapshotId: string, options: { children: boolean }, reporter: JobReporter): Promise<{ freedBytes: number }>
  compare(id: string, snapshotId: string): Promise<DefinitionDifference[]>
  /** PNG; null when the snapshot has no picture. */
  screen(id: string, snapshotId: string): Promise<Uint8Array | null>
  /** @param paths as `Orphan.path`; anything else is refused */
  cleanUp(id: string, paths: readonly string[], options: { permanently: boolean }, reporter: JobReporter): Promise<{ freedBytes: number }>
  convertDisks(id: string, reporter: JobReporter): Promise<void>
  setPolicy(id: string, policy: SnapshotPolicy | null): Promise<void>
  /** Tells the machine whose snapshots are other than they were. */
  onChange(listener: (machineId: string) => void): Disposer
}

/** Machines from machines. */
export interface Clones {
  /** Resolves to the new machine's id. */
  clone(request: CloneRequest, reporter: JobReporter): Promise<string>
  makeTemplate(id: string, options: { memory: boolean }, reporter: JobReporter): Promise<void>
  unmakeTemplate(id: string): Promise<void>
  linkedClones(id: string): Promise<MachineReference[]>
  detach(id: string, reporter: JobReporter): Promise<void>
}

/** Backups of machines, in folders that people name. What takes long is given a reporter and is run as a job. */
export interface Backups {
  list(what: ListBackups): Promise<BackupFolder>
  /** Throws what speaks against a backup before it begins: `FILE_NOT_FOUND` while the folder is away, `INVALID_INPUT`. */
  requirePossible(request: Pick<CreateBackup, 'id' | 'folder'>): Promise<void>
  create(request: CreateBackup, reporter: JobReporter): Promise<void>
  /** Throws `IMAGE_DAMAGED` with every fault. */
  verify(backup: BackupReference, reporter: JobReporter): Promise<void>
  delete(backup: BackupReference, reporter: JobReporter): Promise<void>
  /** Resolves to the machine that it became. */
  restore(request: RestoreBackup, reporter: JobReporter): Promise<string>
  /** The machine that a backup is of. Throws `NOT_FOUND` */
  machineOf(backup: BackupReference): Promise<MachineReference>
  setPolicy(id: string, policy: BackupPolicy | null): Promise<void>
}

/** What machines are made of. What takes long is given a reporter and is run as a job. */
/** `forceDiscs`: discs are changed also where the guest keeps its drive locked. `again`: what waits already is tried once more, and the guest asked again for what it kept. */
export interface ChangeOptions { forceDiscs?: boolean | undefined; again?: boolean | undefined }

export interface Hardware {
  properties(id: string): Promise<HardwareProperty[]>
  plan(id: string, hardware: unknown): Promise<HardwarePlan>
  /** Throws `INVALID_INPUT` with every fault, `ILLEGAL_STATE` when `basedOn` is not what is stored any more. */
  change(id: string, hardware: unknown, basedOn: MachineHardware, options?: ChangeOptions): Promise<HardwareDifference[]>
  discardPending(id: string): Promise<void>
  addDisk(id: string, disk: NewDisk, reporter: JobReporter): Promise<void>
  removeDisk(id: string, request: RemoveDisk, reporter: JobReporter): Promise<void>
  /** Newest first. */
  history(id: string): Promise<HardwareVersion[]>
  /** Throws `NOT_FOUND`. */
  version(id: string, versionId: string): Promise<MachineHardware>
}

/** What running guests are asked and told through their agents. All throw `ILLEGAL_STATE` for a machine that does not run, `CAPABILITY_MISSING` when no agent answers, `GUEST_FAILED`. */
export interface Guests {
  info(id: string): Promise<GuestInfo>
  run(id: string, command: GuestCommand, signal: AbortSignal): Promise<GuestCommandResult>
  setPassword(id: string, user: string, password: string): Promise<void>
  copyIn(id: string, copy: GuestCopy, reporter: JobReporter): Promise<void>
  copyOut(id: string, copy: GuestCopy, reporter: JobReporter): Promise<void>
}

export interface Storage {
  /** @param acceptedFiles outside the library, which the image may be based on */
  inspect(path: string, acceptedFiles?: readonly string[]): Promise<ImageReport>
  listFolder(path: string | null): Promise<FolderListing>
}

/** The disk images of the library, and work on them. */
export interface Images {
  overview(): Promise<StorageOverview>
  /** Throws `INVALID_INPUT`, `FILE_NOT_FOUND`, `FILE_UNREADABLE`, and `FILE_EXISTS` for a folder that is listed already. */
  addPlace(path: string): Promise<StorageOverview>
  /** Throws `FILE_NOT_FOUND` for a folder that was not added. */
  forgetPlace(path: string): Promise<StorageOverview>
  plan(work: DiskWork): Promise<DiskWorkPlan>
  smallestSize(path: string, signal: AbortSignal): Promise<SmallestSize>
  /** Throws the first thing that speaks against it. Resolves to the machine that it is about; null: none, or several. */
  requirePossible(work: DiskWork): Promise<{ machineId: string | null }>
  work(work: DiskWork, reporter: JobReporter): Promise<void>
}

/** The disk keys of machines with encrypted disks. See `DiskKeys`. */
export interface Encryption {
  support(): Promise<EncryptionSupport>
  state(id: string): Promise<EncryptionState>
  /** Throws `KEY_REQUIRED` for a machine that has encrypted disks and whose key is not at hand. */
  requireFor(id: string): Promise<string | null>
  /** Throws `KEY_REQUIRED`. */
  require(id: string): Promise<string>
  unlock(id: string, passphrase: string, remember: boolean): Promise<void>
  lock(id: string): void
  setPassphrase(id: string, current: string | null, passphrase: string, remember: boolean): Promise<void>
  remember(id: string): Promise<void>
  forget(id: string): Promise<void>
  reveal(id: string, passphrase: string): Promise<string>
}

export interface Probe {
  /** The last report; probes first when there is none. */
  current(): Promise<ProbeReport>
  refresh(): Promise<ProbeReport>
  onChange(listener: (report: ProbeReport) => void): Disposer
}

export interface SettingsStore {
  get(): Settings
  change(change: Partial<Omit<Settings, 'schemaVersion'>>): Promise<Settings>
  onChange(listener: (settings: Settings) => void): Disposer
}

/** All that the use cases need, handed to the router. */
export interface HostServices {
  info(): Promise<HostInfo>
  probe: Probe
  settings: SettingsStore
  /** What of this computer a guest can be given, as it is now. */
  devices(): Promise<HostDevices>
  catalog: OsCatalog
  library: MachineLibrary
  machines: MachineManager
  creation: MachineCreation
  snapshots: Snapshots
  clones: Clones
  backups: Backups
  hardware: Hardware
  guests: Guests
  jobs: Jobs
  storage: Storage
  images: Images
  encryption: Encryption
  consoleTickets: ConsoleTickets
}
