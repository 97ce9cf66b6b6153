import { join } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { HostInfo, LibraryProblem, QemuReport } from '@shared/model'
import { BackupSchedule, BackupService, type BackupStep } from '../backup'
import { assembleSampleDisk } from '../bootcode'
import { loadCatalog } from '../catalog'
import { type CloneStep, guardClones, MachineClones } from '../clone'
import { SettingsFile } from '../config'
import { DiskKeys, type Keychain, noKeychain, RememberedKeys } from '../encryption'
import { MachineMaker } from '../creation'
import { listHostDevices } from '../host-devices'
import { createImageTool, createProbe, describeCommandLine, ensureNvram, luksObstacle, type QemuImg } from '../engine/qemu'
import { GuestService } from '../guest'
import { ImageService, type ImageStep, Unfinished } from '../images'
import { type HardwareStep, HardwareService, rulesOfQemu } from '../hardware'
import { acquireLibraryLock, dataPaths, defaultDataFolder, FolderLibrary, openRuntimeRoot, systemTrash, type LibraryLock } from '../library'
import { MachineSupervisor, type Remaining, type WorkerLauncher } from '../machine'
import { AutomaticSnapshots, automaticWork, LayerReader, SnapshotService, type SnapshotStep } from '../snapshot'
import { HostStorage } from '../storage'
import { createConsoleTickets } from './console-tickets'
import { hostInfo } from './host-info'
import { JobRecord } from './job-record'
import { createJobs } from './jobs'
import type { DefectLog } from './rpc-errors'
import type { Disposer, HostServices, MachineLibrary, Probe } from './services'
import { version } from './version'

export interface HostOptions {
  shell: HostInfo['shell']
  launcher: WorkerLauncher
  /** Takes defects: errors that nobody threw on purpose. */
  log: DefectLog
  /** Absent: `RINGSIDE_DATA`, else the system's folder for application data. */
  dataFolder?: string
  /** The operating system's keychain, where the shell has one. */
  keychain?: Keychain
  /** Moves a folder to the trash; absent: the system's, as far as Node can reach it. null: there is none. */
  trash?: ((path: string) => Promise<void>) | null
  /** Awaited between the steps of everything that changes snapshots and clones: for tests of being cut off there. */
  atStep?: (step: SnapshotStep | CloneStep | ImageStep | HardwareStep | BackupStep) => Promise<void>
}

/** What becomes of running machines when their host ends. */
export type EndOfRunning = 'keepRunning' | 'save' | 'shutDown'

/** The host of one library: every service, and the lock that makes it the only one. */
export interface Host {
  readonly services: HostServices
  /** Also hands over the connections of the local socket; see `serveLocally`. */
  readonly lock: LibraryLock
  readonly dataFolder: string
  readonly runtimeRoot: string
  /**
   * Ends the host. Jobs that can be cancelled are; the others are waited for. A machine that cannot be saved or does not shut down
   * goes on running, and is named with the reason in what this resolves to. Calling it twice is harmless.
   */
  close(options: { running: EndOfRunning }): Promise<Remaining[]>
}

/**
 * Opens a library and puts all services together: the one composition root of the core, for the server, the command line and the
 * desktop shell alike. Machines that still run from an earlier host are taken over.
 * @throws `LIBRARY_LOCKED` when another process hosts the library; `FILE_UNREADABLE`, `UNAUTHORIZED`
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const dataFolder = options.dataFolder ?? defaultDataFolder()
  const runtimeRoot = await openRuntimeRoot(dataFolder)
  const lock = await acquireLibraryLock(dataFolder, runtimeRoot)
  try {
    return await compose(options, dataFolder, runtimeRoot, lock)
  } catch (thrown) {
    await lock.release()
    throw thrown
  }
}

async function compose(options: HostOptions, dataFolder: string, runtimeRoot: string, lock: LibraryLock): Promise<Host> {
  const folders = dataPaths(dataFolder)
  const settings = await SettingsFile.open(folders.settings)
  const probe = createProbe({ cacheFolder: join(folders.cache, 'probe'), settings })
  const catalog = loadCatalog()
  const trash = options.trash === undefined ? systemTrash : options.trash
  const folderLibrary = await FolderLibrary.open({
    folder: folders.library,
    runtimeRoot,
    trash,
    otherProblems: () => (settings.problem === null ? [] : [settings.problem]),
  })
  const diskKeys = new DiskKeys({
    library: folderLibrary,
    remembered: new RememberedKeys(folders.keys, options.keychain ?? noKeychain),
    createdBy: `ringside ${version}`,
    obstacle: async () => {
      const { qemu } = await probe.current()
      return qemu === null ? 'No QEMU was found on this computer.' : luksObstacle(qemu)
    },
  })
  const imageTool = ({ imgPath, systemPath }: QemuReport): QemuImg => createImageTool(imgPath, { of: (path) => diskKeys.ofImage(path), folder: runtimeRoot, systemPath })
  const storage = new HostStorage({
    libraryFolder: folders.library,
    catalog,
    imageTool: async () => {
      const { qemu } = await probe.current()
      return qemu && createImageTool(qemu.imgPath)
    },
  })
  const info = (): Promise<HostInfo> => hostInfo({ version, shell: options.shell, dataFolder, libraryFolder: folders.library })
  const creation = new MachineMaker({
    library: folderLibrary,
    libraryFolder: folders.library,
    storage,
    catalog,
    probe,
    imageTool,
    diskKeys,
    prepareNvram: ensureNvram,
    limits: async () => {
      const { logicalProcessors, memoryMiB, libraryFreeBytes } = await info()
      return { logicalProcessors, memoryMiB, freeDiskBytes: libraryFreeBytes }
    },
    sampleDisk: assembleSampleDisk,
    createdBy: `ringside ${version}`,
  })
  const layers = new LayerReader()
  const guardedLibrary = guardClones(folderLibrary, { libraryFolder: folders.library, layers })
  const machines = await MachineSupervisor.open({
    library: guardedLibrary,
    probe,
    launcher: options.launcher,
    libraryFolder: folders.library,
    runtimeRoot,
    commandLine: describeCommandLine,
    diskKey: (id) => diskKeys.require(id),
    imageTool,
    // A command that ends in a moment has no next machine to be quick for.
    keepSpareWorker: options.shell !== 'cli',
  })
  const stopFollowing = diskKeys.follow(machines)
  const jobs = createJobs(await JobRecord.open(join(folders.cache, 'jobs-under-way.json')))
  const snapshots = new SnapshotService({
    library: guardedLibrary,
    machines,
    libraryFolder: folders.library,
    layers,
    imageTool: async () => imageTool(await requireQemu(probe)),
    trash,
    createdBy: `ringside ${version}`,
    ...(options.atStep === undefined ? {} : { atStep: options.atStep }),
  })
  const clones = new MachineClones({
    snapshots: snapshots.context,
    catalog,
    diskKeys,
    snapshotsChanged: (id) => { snapshots.changed(id) },
    atStep: options.atStep ?? (() => Promise.resolve()),
  })
  const unfinished = new Unfinished(join(folders.cache, 'unfinished-images.json'))
  const images = new ImageService({
    library: guardedLibrary,
    machines,
    libraryFolder: folders.library,
    imagesFolder: folders.images,
    settings,
    cacheFolder: folders.cache,
    layers,
    manifests: snapshots.context.manifests,
    storage,
    snapshots: snapshots.context,
    imageTool: snapshots.context.imageTool,
    keyOf: (path) => diskKeys.ofImage(path),
    trash,
    unfinished,
    ...(options.atStep === undefined ? {} : { atStep: options.atStep }),
  })
  const hardware = new HardwareService({
    snapshots: snapshots.context,
    unfinished,
    rules: rulesOfQemu(probe),
    knownSystems: new Set(catalog.entries.map(({ id }) => id)),
    diskKey: (id) => diskKeys.require(id),
    snapshotsChanged: (id) => { snapshots.changed(id) },
    atStep: options.atStep ?? (() => Promise.resolve()),
  })
  const backups = new BackupService({
    snapshots: snapshots.context,
    diskKey: (id) => diskKeys.requireFor(id),
    qemuProgram: async () => (await requireQemu(probe)).systemPath,
    dataFolder,
    temporaryFolder: join(folders.cache, 'backups'),
    atStep: options.atStep ?? (() => Promise.resolve()),
  })
  const automatic = new AutomaticSnapshots({ library: guardedLibrary, machines, jobs, work: automaticWork(snapshots, diskKeys) })
  const scheduled = new BackupSchedule({ library: guardedLibrary, machines, jobs, work: backups.scheduledWork() })
  const guests = new GuestService({ machines, catalog, keptFolders: [folders.library, folders.cache] })
  const library = withProblemsOf(guardedLibrary, [machines, automatic, scheduled])
  const services: HostServices = { info, devices: () => listHostDevices(), probe, settings, catalog, library, machines, creation, snapshots, clones, backups, hardware, guests, jobs, storage, images, encryption: diskKeys, consoleTickets: createConsoleTickets() }
  await images.start()
  await backups.start()
  snapshots.start()
  hardware.start()
  clones.start()
  // A command that ends in a moment is no host that anything happens in by itself.
  if (options.shell !== 'cli') {
    automatic.start()
    scheduled.start()
  }

  let closing: Promise<Remaining[]> | null = null
  const close = async (running: EndOfRunning): Promise<Remaining[]> => {
    const unscheduled = Promise.all([automatic.close(), scheduled.close()])
    await jobs.close()
    await unscheduled
    await hardware.close()
    await snapshots.close()
    await clones.close()
    stopFollowing()
    const remaining = await machines.close(running)
    if (remaining.length > 0) await machines.close('keepRunning')
    probe[Symbol.dispose]()
    await lock.release()
    return remaining
  }
  return { services, lock, dataFolder, runtimeRoot, close: ({ running }) => (closing ??= close(running)) }
}

async function requireQemu(probe: Probe): Promise<QemuReport> {
  const { qemu, qemuProblem } = await probe.current()
  if (qemu !== null) return qemu
  throw new RingsideError(qemuProblem?.code ?? 'QEMU_NOT_FOUND', qemuProblem?.message ?? 'No QEMU was found on this computer.', {
    hint: qemuProblem?.remedy ?? 'Install QEMU, or name its path in the settings.',
  })
}

interface ProblemSource {
  problems(): LibraryProblem[]
  onProblems(listener: () => void): Disposer
}

/** The library, with the problems that only show while a host runs: machines that run and are in no folder any more, snapshots that are not taken, backups that wait. */
function withProblemsOf(library: MachineLibrary, sources: readonly ProblemSource[]): MachineLibrary {
  return {
    list: () => library.list(),
    get: (id) => library.get(id),
    problems: () => [...library.problems(), ...sources.flatMap((source) => source.problems())],
    add: (definition, prepare) => library.add(definition, prepare),
    update: (id, change) => library.update(id, change),
    deletePlan: (id) => library.deletePlan(id),
    remove: (id, how) => library.remove(id, how),
    onChange(listener) {
      const disposers = [library.onChange(listener), ...sources.map((source) => source.onProblems(() => { listener({ type: 'problems' }) }))]
      return () => { for (const dispose of disposers) dispose() }
    },
  }
}
