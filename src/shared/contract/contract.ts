import { eventIterator, oc } from '@orpc/contract'
import { z } from 'zod'
import { ErrorCode, ErrorData, Issue } from '../errors'
import {
  AcceptedFiles, BackupFolder, BackupPolicy, BackupReference, CloneRequest, CommandLine, CreateBackup, CreateMachineRequest, DefinitionDifference, DiskWork, DiskWorkPlan, EncryptionState, EncryptionSupport, fitsOneMessage,
  FolderListing, GivenPassphrase, GuestCommand, GuestCommandResult, GuestCopy, GuestInfo, GuestPassword, GuestUserName, HardwareDifference, HardwarePlan, HardwareProperty, HardwareVersion,
  HostDevices, HostInfo, ImageReport, Job, LibraryProblem, ListBackups, MachineHardware, MachineId, MachineName, MachineReference, MachineView, MetricsSample, NewDisk, OsCatalog,
  Passphrase, ProbeReport, RemoveDisk, RestoreBackup, RevertRequest, Settings, Snapshot, SnapshotDeletePlan, SnapshotDescription, SnapshotId, SnapshotName, SnapshotPlan,
  SnapshotPolicy, SnapshotTree, SmallestSize, StorageOverview, TakeSnapshotRequest,
} from '../model'

/** Changes with every incompatible change of the contract; a client of another number is turned away in words. */
export const contractVersion = 2

const errors = Object.fromEntries(ErrorCode.options.map((code) => [code, { data: ErrorData }])) as Record<ErrorCode, { data: typeof ErrorData }>
const base = oc.errors(errors)
const byId = z.object({ id: MachineId })
const bySnapshot = byId.extend({ snapshotId: SnapshotId })

/** What the host tells its subscribers. The first event of a subscription is `opened` and holds everything. */
export const HostEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), contractVersion: z.number(), machines: z.array(MachineView), problems: z.array(LibraryProblem), jobs: z.array(Job) }),
  z.object({ type: z.literal('machineChanged'), machine: MachineView }),
  z.object({ type: z.literal('machineRemoved'), id: MachineId }),
  z.object({ type: z.literal('problemsChanged'), problems: z.array(LibraryProblem) }),
  z.object({ type: z.literal('jobChanged'), job: Job }),
  z.object({ type: z.literal('jobRemoved'), id: z.uuid() }),
  /** Something about a machine's snapshots is other than it was; `snapshot.tree` tells what. */
  z.object({ type: z.literal('snapshotsChanged'), id: MachineId }),
  z.object({ type: z.literal('probeChanged'), report: ProbeReport }),
  z.object({ type: z.literal('settingsChanged'), settings: Settings }),
])
export type HostEvent = z.infer<typeof HostEvent>

export const MetricsEvent = z.object({ id: MachineId, samples: z.array(MetricsSample) })
export type MetricsEvent = z.infer<typeof MetricsEvent>

export const ThumbnailEvent = z.object({
  id: MachineId,
  /** PNG, base64. null: the guest's display is off or the machine stopped. */
  pngBase64: z.string().nullable(),
})
export type ThumbnailEvent = z.infer<typeof ThumbnailEvent>

/** What a console connects to. */
export const ConsoleChannel = z.discriminatedUnion('type', [
  z.object({ type: z.literal('graphics') }),
  z.object({ type: z.literal('serial'), port: z.int().min(0).max(3) }),
])
export type ConsoleChannel = z.infer<typeof ConsoleChannel>

/** A right to open one console once, within 30 seconds. The bytes go beside the contract: docs/decisions/043-console-streams.md. */
export const ConsoleTicket = z.object({ ticket: z.string() })

const longPath = 'A path has at most 4,096 characters; choose a shorter one.'

export const contract = {
  host: {
    info: base.output(HostInfo),
    /** Everything, then every change, until the subscriber leaves. */
    watch: base.output(eventIterator(HostEvent)),
    /** The last probe; `refresh` asks the binary and proves the accelerators again. */
    probe: base.input(z.object({ refresh: z.boolean().default(false) })).output(ProbeReport),
    /** What of this computer a guest can be given, as it is now: USB devices, devices on PCI buses. */
    devices: base.output(HostDevices),
    catalog: base.output(OsCatalog),
    settings: base.output(Settings),
    changeSettings: base.input(Settings.omit({ schemaVersion: true, storageFolders: true }).partial()).output(Settings),
  },
  machine: {
    list: base.output(z.array(MachineView)),
    get: base.input(byId).output(MachineView),
    /** Every fault of a request, files looked at; empty when it would be accepted. */
    check: base.input(z.unknown()).output(z.array(Issue)),
    /** Starts a job; the machine is there when the job has succeeded (`job.machineId`). */
    create: base.input(CreateMachineRequest.extend({ startWhenCreated: z.boolean().default(false) })).output(Job),
    createSample: base.input(z.object({ name: MachineName.optional(), startWhenCreated: z.boolean().default(false) })).output(Job),
    /** `disposable`: what the guest writes is thrown away when the machine is off. */
    start: base.input(byId.extend({ disposable: z.boolean().default(false) })).output(MachineView),
    pause: base.input(byId).output(MachineView),
    resume: base.input(byId).output(MachineView),
    /** Presses the power button. Resolves once pressed, not once off. */
    shutDown: base.input(byId).output(MachineView),
    reset: base.input(byId).output(MachineView),
    powerOff: base.input(byId).output(MachineView),
    /** Saves memory to disk and ends QEMU: a job. */
    save: base.input(byId).output(Job),
    discardSaved: base.input(byId).output(MachineView),
    rename: base.input(byId.extend({ name: MachineName })).output(MachineView),
    /** What a delete would take with it: to be shown before. */
    deletePlan: base
      .input(byId)
      .output(z.object({ folder: z.string(), bytes: z.number(), deletes: z.array(z.object({ path: z.string(), bytes: z.number() })), keeps: z.array(z.string()), toTrash: z.boolean() })),
    /** Moves the machine's folder to the trash; `permanently` is asked for where there is no trash. External disks stay. */
    delete: base.input(byId.extend({ permanently: z.boolean().default(false) })).output(z.object({ trashed: z.boolean() })),
    /** A new machine from this one or from one of its snapshots: a job, `job.machineId` names the new one. */
    clone: base.input(CloneRequest.extend({ startWhenCreated: z.boolean().default(false) })).output(Job),
    /** Freezes a machine for cloning: a job. `memory`: a running one is saved to disk first, so that its clones start warm; otherwise it must be off. */
    makeTemplate: base.input(byId.extend({ memory: z.boolean().default(false) })).output(Job),
    unmakeTemplate: base.input(byId).output(MachineView),
    /** Machines whose disks read from this one's. */
    linkedClones: base.input(byId).output(z.array(MachineReference)),
    /** Copies into a linked clone what it reads from its original, so that it stands alone: a job. */
    detach: base.input(byId).output(Job),
    /** PNG of the screen now. */
    screenshot: base.input(byId).output(z.instanceof(Blob)),
    /** The argv that QEMU would get, or got. For people and for support. */
    commandLine: base.input(byId).output(CommandLine),
    /** The last lines of a log, for people. */
    log: base.input(byId.extend({ log: z.enum(['machine', 'qemu', 'serial0']), maxBytes: z.int().min(1).max(1_048_576).default(65_536) })).output(z.object({ path: z.string(), text: z.string() })),
  },
  snapshot: {
    tree: base.input(byId).output(SnapshotTree),
    /** What taking one would do now: to be shown before. */
    plan: base.input(byId).output(SnapshotPlan),
    take: base.input(byId.extend(TakeSnapshotRequest.shape)).output(Job),
    revert: base.input(byId.extend(RevertRequest.shape)).output(Job),
    change: base.input(bySnapshot.extend({ name: SnapshotName.optional(), description: SnapshotDescription.optional() })).output(Snapshot),
    deletePlan: base.input(bySnapshot.extend({ children: z.boolean().default(false) })).output(SnapshotDeletePlan),
    delete: base.input(bySnapshot.extend({ children: z.boolean().default(false) })).output(Job),
    /** How the definition of then differs from now's. */
    compare: base.input(bySnapshot).output(z.array(DefinitionDifference)),
    /** PNG of the screen at that instant; null: it had none. */
    screen: base.input(bySnapshot).output(z.instanceof(Blob).nullable()),
    /** Moves orphans to the trash, or removes them where there is none and `permanently` is said: a job. */
    cleanUp: base.input(byId.extend({ paths: z.array(z.string().max(4096)).min(1).max(1000), permanently: z.boolean().default(false) })).output(Job),
    /** Brings disks into the machine as qcow2 so that snapshots can hold them: a job. The original files stay. */
    convertDisks: base.input(byId).output(Job),
    /** null: none by themselves any more; those that are there stay. */
    setPolicy: base.input(byId.extend({ policy: SnapshotPolicy.nullable() })).output(MachineView),
  },
  hardware: {
    /** Every property that this machine's hardware has, with its limits on this computer and with this QEMU. */
    properties: base.input(byId).output(z.array(HardwareProperty)),
    /** What a change would do: all faults at once, and for each difference whether it happens at once or at the next start. Changes nothing. `hardware` is unknown so that faults are told in words. */
    plan: base.input(byId.extend({ hardware: z.unknown() })).output(HardwarePlan),
    /** Changes the hardware: live where QEMU can, the rest at the next start. `basedOn`: what the editor began with; when that is not what is stored any more nothing is changed (ILLEGAL_STATE). `forceDiscs`: also discs whose drive the guest keeps locked; what it reads from them fails then. `again`: what waits already is tried once more. */
    change: base.input(byId.extend({ hardware: z.unknown(), basedOn: MachineHardware, forceDiscs: z.boolean().optional(), again: z.boolean().optional() })).output(z.object({ machine: MachineView, differences: z.array(HardwareDifference) })),
    /** Takes back everything that waits for the next start. */
    discardPending: base.input(byId).output(MachineView),
    /** A disk of its own, from nothing or from an image: a job. Plugged in at once where the machine runs and its bus can. */
    addDisk: base.input(byId.extend(NewDisk.shape)).output(Job),
    /** Takes a disk out: a job. */
    removeDisk: base.input(byId.extend(RemoveDisk.shape)).output(Job),
    /** Earlier forms of the hardware, newest first. Going back is `change` with `version`'s. */
    history: base.input(byId).output(z.array(HardwareVersion)),
    version: base.input(byId.extend({ versionId: z.string().max(64) })).output(MachineHardware),
  },
  /**
   * The passphrases of machines with encrypted disks. Whatever needs a machine's disk key throws `KEY_REQUIRED` while that is not at hand: unlock the machine, and do it again. The key is
   * held while the machine runs or is worked on, and for some minutes beside.
   */
  encryption: {
    /** What there is to encrypt disks with, also before there is a machine. */
    support: base.output(EncryptionSupport),
    state: base.input(byId).output(EncryptionState),
    /** Throws `KEY_WRONG`. `remember`: keep the disk key in the operating system's keychain. */
    unlock: base.input(byId.extend({ passphrase: GivenPassphrase, remember: z.boolean().default(false) })).output(EncryptionState),
    /** Forgets the key until it is asked for again; a machine that runs goes on. */
    lock: base.input(byId).output(EncryptionState),
    /** The first passphrase of a machine (`current` null), or another one. Throws `KEY_REQUIRED`, `KEY_WRONG`. */
    setPassphrase: base.input(byId.extend({ current: GivenPassphrase.nullable().default(null), passphrase: Passphrase, remember: z.boolean().default(false) })).output(EncryptionState),
    remember: base.input(byId).output(EncryptionState),
    forget: base.input(byId).output(EncryptionState),
    /** The disk key, which opens the images with any program that knows LUKS in qcow2. */
    diskKey: base.input(byId.extend({ passphrase: GivenPassphrase })).output(z.object({ key: z.string() })),
  },
  backup: {
    /** What lies in a folder for backups; also while its drive is away, which it says. */
    list: base.input(ListBackups).output(BackupFolder),
    /** A machine as it is at one instant: a job. Only what was written since the last backup there, where that can be proved. */
    create: base.input(CreateBackup).output(Job),
    /** Reads everything of a backup again: a job. It fails with every fault. */
    verify: base.input(BackupReference).output(Job),
    /** A new machine, or the same one as it was: a job, `job.machineId` names it. */
    restore: base.input(RestoreBackup.extend({ startWhenRestored: z.boolean().default(false) })).output(Job),
    /** Others that go on from it are whole afterwards: a job. */
    delete: base.input(BackupReference).output(Job),
    /** null: no folder and no automatic backups any more; those that are there stay. */
    setPolicy: base.input(byId.extend({ policy: BackupPolicy.omit({ folderId: true }).nullable() })).output(MachineView),
  },
  metrics: {
    /** Up to ten minutes of history of each running machine, then a sample a second. Readings are only taken for all while somebody watches. */
    watch: base.output(eventIterator(MetricsEvent)),
  },
  thumbnail: {
    watch: base.output(eventIterator(ThumbnailEvent)),
  },
  /** What a running guest is asked and told through its agent. */
  guest: {
    info: base.input(byId).output(GuestInfo),
    /** Answers when the program has ended, or was killed because time was up. A client that leaves kills it too. */
    run: base.input(byId.extend(GuestCommand.shape).refine(fitsOneMessage, 'Arguments and variables have at most 128 KiB together; put the rest into a file.')).output(GuestCommandResult),
    setPassword: base.input(byId.extend({ user: GuestUserName, password: GuestPassword })).output(z.object({})),
    /** From this computer to the guest: a job. */
    copyIn: base.input(byId.extend(GuestCopy.shape)).output(Job),
    /** From the guest to this computer: a job. */
    copyOut: base.input(byId.extend(GuestCopy.shape)).output(Job),
  },
  console: {
    open: base.input(byId.extend({ channel: ConsoleChannel })).output(ConsoleTicket),
  },
  job: {
    list: base.output(z.array(Job)),
    cancel: base.input(z.object({ id: z.uuid() })).output(Job),
    /** Forgets a job that has ended. */
    dismiss: base.input(z.object({ id: z.uuid() })).output(z.object({})),
  },
  storage: {
    inspect: base.input(z.object({ path: z.string().max(4096, longPath), acceptedFiles: AcceptedFiles.optional() })).output(ImageReport),
    /** A folder of the host, for the file dialog of the browser UI. null: the home folder. */
    listFolder: base.input(z.object({ path: z.string().max(4096, longPath).nullable() })).output(FolderListing),
    /** Places and images of the library: who uses what, what is based on what, what can be done with each. */
    overview: base.output(StorageOverview),
    /** Lists the images of a folder too, from now on. */
    addPlace: base.input(z.object({ path: z.string().min(1).max(4096, longPath) })).output(StorageOverview),
    /** Takes a folder that was added out of the list. Its files stay as they are. */
    forgetPlace: base.input(z.object({ path: z.string().min(1).max(4096, longPath) })).output(StorageOverview),
    /** What a piece of work on an image would do, need and meet; changes nothing. `notes` of its job tell the outcome. */
    planWork: base.input(DiskWork).output(DiskWorkPlan),
    /** How small a disk can become, as far as that is to be told before it is tried. It may take some seconds; what speaks against looking is in `why`. */
    smallestSize: base.input(z.object({ path: z.string().min(1).max(4096, longPath) })).output(SmallestSize),
    /** Works on an image: a job. What speaks against it is told before it begins. */
    work: base.input(DiskWork).output(Job),
  },
}
export type Contract = typeof contract
