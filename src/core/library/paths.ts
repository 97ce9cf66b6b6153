import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { posix, win32, join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { RingsideError } from '@shared/errors'
import type { ImageLocation } from '@shared/model'
import type { MachinePaths } from '../engine/engine'

/*
 * Every path and file name of Ringside's own files is built here and nowhere else. The functions are pure but for
 * `defaultDataFolder` (environment) and `hostAddress` (follows links).
 */

/** The files of one data folder. */
export interface DataPaths {
  readonly data: string
  /** Holds one folder per machine. */
  readonly library: string
  readonly settings: string
  /** Images beside the machines, that Ringside was asked to make and not told where. */
  readonly images: string
  /** Disk keys sealed by the operating system's keychain. */
  readonly keys: string
  /** What can be made again: probe results and the like. */
  readonly cache: string
  /** Says who hosts the library now; see the lock. */
  readonly hostRecord: string
}

/** A machine's own files, beside those that an engine needs. */
export interface MachineFiles extends MachinePaths {
  readonly definition: string
  readonly disksFolder: string
  /** The lock of the disk key of encrypted disks; there where there are such. */
  readonly keyFile: string
  readonly firmwareFolder: string
  readonly logsFolder: string
  /** Ringside's own log of the machine. */
  readonly machineLog: string
  /** `SavedRun`, written last: without it there is no saved state. */
  readonly savedRecord: string
  readonly snapshotsFolder: string
  /** Earlier definitions. */
  readonly historyFolder: string
  /** Layers that are thrown away when the machine is off. */
  readonly disposableFolder: string
  /** The record of saved state that a guest is about to go on from, or has: never loaded again. */
  readonly usedRecord: string
}

/** The files of one snapshot. */
export interface SnapshotFiles {
  readonly folder: string
  /** Written last: without it there is no snapshot. */
  readonly manifest: string
  readonly ram: string
  readonly screen: string
}

/** What lies in a run's folder. Names are short: a socket's whole path has to fit into 104 bytes on macOS. */
export interface RuntimePaths {
  readonly folder: string
  readonly qmp: string
  readonly vnc: string
  /** guest agent */
  readonly agent: string
  serial(index: number): string
  /** Carries guest memory while it is saved or loaded. */
  readonly ram: string
  /** Through which a shared folder is served, and what the program that serves it says. @param place one of the machine’s start by its number, one that came while it ran by `p` and its port */
  virtiofs(place: string): string
  virtiofsLog(place: string): string
  /** A link to a folder that is shared by 9p while the machine runs: there for moments only. */
  readonly share: string
  /** Where swtpm is controlled: QEMU is its one client. */
  readonly tpm: string
  /** swtpm's `--pid`. */
  readonly tpmPid: string
  /** Is there while the guest stands still for its state to be kept, and must go on whatever becomes of that. */
  readonly held: string
  /** The disk key, where the system does not let it be handed over without a name: there for moments only. */
  readonly diskKey: string
  /** A link to the file of a disk that is moved while the machine runs: QEMU knows it by this name, also when the file gets another one. @param name 8 hexadecimal digits */
  movedDisk(name: string): string
  /** QEMU's `-pidfile`. */
  readonly pid: string
  /** The run record, from which a later host takes the machine over. */
  readonly record: string
}

/** Names that start with this are machines in the making. */
export const temporaryPrefix = '.new-'

/** Where Ringside keeps everything: `RINGSIDE_DATA`, else the system's folder for application data. */
export function defaultDataFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const wanted = environment['RINGSIDE_DATA']
  return wanted !== undefined && wanted !== '' ? resolve(wanted) : envPaths('Ringside', { suffix: '' }).data
}

export function dataPaths(dataFolder: string): DataPaths {
  const data = resolve(dataFolder)
  return {
    data,
    library: join(data, 'library'),
    settings: join(data, 'settings.json'),
    images: join(data, 'images'),
    keys: join(data, 'keys'),
    cache: join(data, 'cache'),
    hostRecord: join(data, 'host.json'),
  }
}

/** The first 8 hexadecimal digits of a machine's id. */
export function shortId(id: string): string {
  return id.replaceAll('-', '').slice(0, 8).toLowerCase()
}

/** Folder name of a new machine, fit for every file system. A later rename of the machine leaves it as it is. */
export function machineFolderName(name: string, id: string): string {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/gu, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/gu, '')
  return `${slug === '' ? 'machine' : slug}-${shortId(id)}`
}

/** Folder of a machine while it is being made. */
export function temporaryFolderName(id: string): string {
  return `${temporaryPrefix}${shortId(id)}`
}

/** The definition in a machine's folder. */
export function definitionPath(machineFolder: string): string {
  return join(machineFolder, 'machine.json')
}

/** Disk `name` of a machine, relative to its folder, as `machine.json` has it. */
export function ownDiskPath(name: string): string {
  return `disks/${name}`
}

/** The memory of a machine saved to disk, relative to its folder. */
export const savedRamPath = 'saved/ram.state'

/** The memory of a snapshot, relative to the machine's folder. */
export function snapshotRamPath(snapshotId: string): string {
  return `snapshots/${snapshotId}/ram.state`
}

/** A further layer of a disk, relative to the machine's folder. @param layer 8 hexadecimal digits, drawn for each set of layers */
export function diskLayerPath(diskId: string, layer: string): string {
  return ownDiskPath(`${diskId}.${layer}.qcow2`)
}

/** The UEFI variables of a new machine, relative to its folder. */
export const firstNvramPath = 'firmware/nvram.qcow2'

/** UEFI variables that a machine begins anew with, relative to its folder. @param store 8 hexadecimal digits, drawn for each */
export function newNvramPath(store: string): string {
  return `firmware/nvram-${store}.qcow2`
}

/** Whether the store of UEFI variables is made from the firmware's template where it is missing. A layer is not: an empty one would hide that its content is lost. */
export function isFirstNvram(path: string): boolean {
  return path === firstNvramPath || /^firmware\/nvram-[0-9a-f]{8}\.qcow2$/u.test(path)
}

/** A further layer of the UEFI variables, relative to the machine's folder. */
export function nvramLayerPath(layer: string): string {
  return `firmware/nvram.${layer}.qcow2`
}

/** The layer that a run writes to whose changes are thrown away, relative to the machine's folder. @param name a disk's id, or `nvramLayer` */
export function disposableLayerPath(name: string): string {
  return `disposable/${name}.qcow2`
}

/** The state of a new TPM, relative to the machine's folder. @param line 8 hexadecimal digits, drawn for each TPM */
export function tpmStatePath(line: string): string {
  return `tpm/${line}`
}

/** The TPM that a state is one of, whatever became of it since it was new. */
export function tpmLine(state: string): string {
  return posix.basename(state).replace(/\..*$/u, '')
}

/** Another state of the same TPM, for a machine to go on from. @param layer 8 hexadecimal digits, drawn for each */
export function tpmLayerPath(state: string, layer: string): string {
  return `${tpmStatePath(tpmLine(state))}.${layer}`
}

/** The state of a TPM that a snapshot holds, relative to the machine's folder. */
export function snapshotTpmPath(snapshotId: string, state: string): string {
  return `snapshots/${snapshotId}/tpm/${tpmLine(state)}`
}

/** The state of the TPM of a run whose changes are thrown away, relative to the machine's folder. */
export const disposableTpmPath = 'disposable/tpm'

/** Name, in `snapshots/`, of a snapshot that is being deleted. */
export function deletedSnapshotName(snapshotId: string): string {
  return `.deleted-${snapshotId}`
}

export function snapshotFiles(snapshotsFolder: string, snapshotId: string): SnapshotFiles {
  const folder = join(snapshotsFolder, snapshotId)
  return { folder, manifest: join(folder, 'snapshot.json'), ram: join(folder, 'ram.state'), screen: join(folder, 'screen.png') }
}

/** An earlier definition. @param id the instant at which it was replaced, as `20261128T231107123Z` */
export function versionPath(historyFolder: string, id: string): string {
  return join(historyFolder, `${id}.json`)
}

/** Absolute path of an image of a machine. */
export function imagePath(machineFolder: string, image: ImageLocation): string {
  return image.kind === 'own' ? join(machineFolder, ...image.path.split('/')) : image.path
}

/** The run's folder of a machine. */
export function runtimeFolderFor(runtimeRoot: string, id: string): string {
  return join(runtimeRoot, shortId(id))
}

/** The lock of a machine's encrypted disks, in its folder. */
export const keyFileName = 'encryption.json'

/** Every path of one machine, from its folder in the library and the root of the runtime folders. */
export function machinePaths(machineFolder: string, runtimeRoot: string, id: string): MachineFiles {
  const inFolder = (...names: string[]): string => join(machineFolder, ...names)
  return {
    folder: machineFolder,
    runtime: runtimeFolderFor(runtimeRoot, id),
    definition: definitionPath(machineFolder),
    disksFolder: inFolder('disks'),
    keyFile: inFolder(keyFileName),
    firmwareFolder: inFolder('firmware'),
    savedFolder: inFolder('saved'),
    savedRam: inFolder('saved', 'ram.state'),
    savedRecord: inFolder('saved', 'saved.json'),
    usedRecord: inFolder('saved', 'used.json'),
    snapshotsFolder: inFolder('snapshots'),
    historyFolder: inFolder('history'),
    disposableFolder: inFolder('disposable'),
    logsFolder: inFolder('logs'),
    machineLog: inFolder('logs', 'machine.log'),
    qemuLog: inFolder('logs', 'qemu.log'),
    tpmLog: inFolder('logs', 'tpm.log'),
    serialLog: (index) => inFolder('logs', `serial${String(index)}.log`),
  }
}

export function runtimePaths(runtimeFolder: string): RuntimePaths {
  const inFolder = (name: string): string => join(runtimeFolder, name)
  return {
    folder: runtimeFolder,
    qmp: inFolder('qmp'),
    vnc: inFolder('vnc'),
    agent: inFolder('agent'),
    serial: (index) => inFolder(`serial${String(index)}`),
    ram: inFolder('ram'),
    virtiofs: (place) => inFolder(`fs${place}`),
    virtiofsLog: (place) => inFolder(`fs${place}.log`),
    share: inFolder('share'),
    tpm: inFolder('tpm'),
    tpmPid: inFolder('tpm.pid'),
    held: inFolder('held'),
    diskKey: inFolder('key'),
    movedDisk: (name) => inFolder(`disk-${name}`),
    pid: inFolder('pid'),
    record: inFolder('run.json'),
  }
}

/** The longest that is ever put behind a runtime root: `/` + 8 digits + `/` + `serial0`, with a little room for more. */
const longestBelowRoot = 24

/**
 * Bytes that a path of a local socket can have, without the final zero: `sun_path` has 108 bytes on Linux (unix(7)) and 104 on
 * macOS and the BSDs (sys/un.h).
 */
export function socketPathLimit(platform: NodeJS.Platform): number {
  return platform === 'linux' ? 107 : 103
}

/**
 * Refuses a runtime root below which sockets could not be made.
 * Throws `INVALID_INPUT` that names the path and both lengths.
 */
export function assertSocketsFit(runtimeRoot: string, platform: NodeJS.Platform = process.platform): void {
  if (platform === 'win32') return
  const limit = socketPathLimit(platform) - longestBelowRoot
  const length = Buffer.byteLength(runtimeRoot)
  if (length <= limit) return
  throw new RingsideError(
    'INVALID_INPUT',
    `The folder for running machines has a path of ${String(length)} bytes, and local sockets in it allow ${String(limit)}: ${runtimeRoot}`,
    { path: runtimeRoot, hint: 'Set RINGSIDE_RUNTIME to a folder with a shorter path, for example /tmp/ringside.' },
  )
}

/**
 * Folders that could be the runtime root, best first. `/run/user/<uid>` comes even where `XDG_RUNTIME_DIR` is not set (a login by
 * ssh or sudo), so that every session of a user meets the same running machines.
 */
export function runtimeRootCandidates(
  environment: NodeJS.ProcessEnv,
  system: { platform: NodeJS.Platform; uid: number; temporaryFolder: string; dataFolder: string },
): { path: string; parentMustExist: boolean }[] {
  const asked = environment['RINGSIDE_RUNTIME']
  if (asked !== undefined && asked !== '') return [{ path: resolve(asked), parentMustExist: false }]
  if (system.platform === 'win32') return [{ path: win32.join(system.dataFolder, 'runtime'), parentMustExist: false }]
  const candidates: { path: string; parentMustExist: boolean }[] = []
  const session = environment['XDG_RUNTIME_DIR']
  if (session !== undefined && posix.isAbsolute(session)) candidates.push({ path: posix.join(session, 'ringside'), parentMustExist: true })
  if (system.platform === 'linux') candidates.push({ path: `/run/user/${String(system.uid)}/ringside`, parentMustExist: true })
  candidates.push({ path: posix.join(system.temporaryFolder, `ringside-${String(system.uid)}`), parentMustExist: true })
  return candidates
}

/**
 * Where the host of a library listens: a local socket, or a named pipe on Windows. One address per library, however its path is
 * written, and whichever the number of libraries a user has.
 */
export function hostAddress(runtimeRoot: string, dataFolder: string, platform: NodeJS.Platform = process.platform): string {
  const digest = createHash('sha256').update(realPath(dataFolder)).digest('hex').slice(0, 8)
  return platform === 'win32' ? `\\\\.\\pipe\\ringside-host-${digest}` : join(runtimeRoot, `host-${digest}`)
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** The files of one backup, in a folder of their own. */
export interface BackupFiles {
  readonly folder: string
  /** In a folder that has the backup's name, there is the backup. */
  readonly manifest: string
  /** The manifest of one that was deleted, and whose disks the next one still reads from. */
  readonly deleted: string
  /** What came of looking at it last. */
  readonly verified: string
  /** @param key a disk's id, or `nvramLayer` */
  disk(key: string): string
  /** SHA-256 of each MiB of a disk, one after the other. */
  blocks(key: string): string
}

/** @param setFolder that of the machine, in a folder for backups. @param name the backup's id, or that of a folder in the making */
export function backupFiles(setFolder: string, name: string): BackupFiles {
  const folder = join(setFolder, name)
  return {
    folder,
    manifest: join(folder, 'backup.json'),
    deleted: join(folder, 'deleted.json'),
    verified: join(folder, 'verified.json'),
    disk: (key) => join(folder, backupDiskName(key)),
    blocks: (key) => join(folder, `${key}.blocks`),
  }
}

/** A disk's file in the folder of its backup; the same in every backup of a chain. */
export function backupDiskName(key: string): string {
  return `${key}.qcow2`
}

/** What an incremental backup's disk names the one below it by. Every backup is as deep in its folder, also while it is made. */
export function backupBacking(parentId: string, key: string): string {
  return `../${parentId}/${backupDiskName(key)}`
}

/** A backup in the making. */
export function partialBackupName(backupId: string): string {
  return `.partial-${backupId}`
}

/** A backup on its way out, in which nothing is read any more. */
export function removedBackupName(backupId: string): string {
  return `.removed-${backupId}`
}

/** Tells a folder for backups from another one at the same path: a mount point without its drive, say. */
export function backupMarkPath(folder: string): string {
  return join(folder, '.ringside-backups.json')
}
