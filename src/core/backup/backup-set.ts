import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import { type BackupDisk, BackupId, BackupManifest, backupSchemaVersion, BackupSetName, BackupVerification, machineSchemaVersion } from '@shared/model'
import { type FileFormat, errnoOf, fileError, parseVersioned, readOwnFile, StoredDefinition, writeAtomically } from '../config'
import { backupDiskName, backupFiles, type BackupFiles, keyFileName, shortId } from '../library'
import { FileSource } from '../storage'
import { readQcow2Header } from '../storage/qcow2'

/** `backup.json`. A new version adds a migration here and a case to the spec's table. */
export const manifestFormat: FileFormat<BackupManifest> = {
  title: 'The record of the backup', version: backupSchemaVersion, schema: BackupManifest.extend({ definition: StoredDefinition }), migrations: {},
}

/** A backup as it lies in its folder. */
export interface StoredBackup {
  readonly id: string
  readonly files: BackupFiles
  readonly manifest: BackupManifest
  readonly verified: BackupVerification | null
}

/** All backups of one machine in a folder, at one look. */
export interface StoredSet {
  /** Name of its folder. */
  readonly set: string
  readonly folder: string
  /** Oldest first. */
  readonly backups: readonly StoredBackup[]
  /** Deleted ones whose disks others may still read from. Oldest first. */
  readonly remains: readonly StoredBackup[]
  /** Folders of Ringside's own that were left in the making or on their way out. */
  readonly leftovers: readonly string[]
  readonly problems: readonly string[]
}

/** Reads a machine's folder among backups; nothing in it is trusted. Throws `FILE_NOT_FOUND`, `FILE_UNREADABLE`. */
export async function readSet(folder: string, set: string): Promise<StoredSet> {
  const setFolder = setFolderOf(folder, set)
  const found = await lstat(setFolder).catch((error: unknown) => { throw fileError(error, setFolder, 'read') })
  if (!found.isDirectory()) throw new RingsideError('FILE_UNREADABLE', `This is no folder of backups: ${setFolder}`, { path: setFolder, hint: 'Choose another one.' })
  const names = (await readdir(setFolder).catch((error: unknown) => { throw fileError(error, setFolder, 'read') })).sort()
  const backups: StoredBackup[] = []
  const remains: StoredBackup[] = []
  const leftovers: string[] = []
  const problems: string[] = []
  for (const name of names) {
    const path = join(setFolder, name)
    if (/^\.(?:partial|removed)-/u.test(name)) {
      leftovers.push(path)
      continue
    }
    if (!BackupId.safeParse(name).success || !(await lstat(path)).isDirectory()) continue
    const files = backupFiles(setFolder, name)
    try {
      const manifest = await readManifest(files.manifest, name)
      if (manifest !== null) backups.push({ id: name, files, manifest, verified: await readVerification(files.verified) })
      else {
        const deleted = await readManifest(files.deleted, name)
        if (deleted === null) problems.push(`A backup has lost its record: ${path}`)
        else remains.push({ id: name, files, manifest: deleted, verified: null })
      }
    } catch (error) {
      if (!isRingsideError(error)) throw error
      problems.push(error.message)
    }
  }
  return { set, folder: setFolder, backups, remains, leftovers, problems }
}

/** Throws `INVALID_INPUT` for a name that leads elsewhere. */
export function setFolderOf(folder: string, set: string): string {
  if (!BackupSetName.safeParse(set).success) throw new RingsideError('INVALID_INPUT', `This is no name of a folder of backups: ${set.slice(0, 120)}`, { hint: 'Look at the list of backups again.' })
  return join(folder, set)
}

async function readManifest(path: string, id: string): Promise<BackupManifest | null> {
  const text = await readOwnFile(path).catch((error: unknown) => {
    if (isRingsideError(error, 'FILE_NOT_FOUND')) return null
    throw error
  })
  return text === null ? null : parseBackup(text, path, id)
}

/**
 * Understands the text of a `backup.json`.
 * Throws `DEFINITION_NEWER`, also when only the definition in it is, and `DEFINITION_DAMAGED`.
 * @param id that its folder has for a name
 */
export function parseBackup(text: string, path: string, id: string): BackupManifest {
  refuseNewerDefinition(text, path)
  const manifest = parseVersioned(manifestFormat, text, path)
  const keys = manifest.disks.map(({ key }) => key)
  const wrong = manifest.id !== id ? 'is that of another backup'
    : new Set(keys).size !== keys.length ? 'names a disk twice'
      : manifest.disks.some(({ key, file }) => file !== backupDiskName(key)) ? 'names files that are none of its disks'
        : manifest.parentId !== null && manifest.parentId >= id ? 'goes on from a backup that is not older'
          : manifest.parentId === null && manifest.disks.some(({ incremental }) => incremental) ? 'does not say what it goes on from'
            : manifest.files.some(({ path: own }) => !isOwnFile(own)) ? 'names files that lie elsewhere' : null
  if (wrong === null) return manifest
  throw new RingsideError('DEFINITION_DAMAGED', `The record of the backup ${wrong}: ${path}`, { path, hint: 'It can’t be restored. It is left as it is.' })
}

/** What else belongs to a machine and lies in its folder. */
function isOwnFile(path: string): boolean {
  if (path === keyFileName) return true
  const parts = path.split('/')
  return parts.length > 1 && parts.every((part) => /^[^\\:\p{Cc}]{1,120}$/u.test(part) && part !== '.' && part !== '..') && !['snapshots', 'saved', 'history', 'disposable', 'logs'].includes(parts[0] ?? '')
}

function refuseNewerDefinition(text: string, path: string): void {
  let version: unknown
  try {
    version = (JSON.parse(text) as { definition?: { schemaVersion?: unknown } }).definition?.schemaVersion
  } catch {
    return
  }
  if (typeof version !== 'number' || version <= machineSchemaVersion) return
  throw new RingsideError('DEFINITION_NEWER', `The backup was made by a newer Ringside: its definition has format ${String(version)}, and this one reads up to ${String(machineSchemaVersion)}: ${path}`, { path, hint: 'Update Ringside. The backup is left as it is.' })
}

async function readVerification(path: string): Promise<BackupVerification | null> {
  const text = await readOwnFile(path).catch(() => null)
  if (text === null) return null
  try {
    return BackupVerification.parse(JSON.parse(text))
  } catch {
    return null
  }
}

export async function writeManifest(files: BackupFiles, manifest: BackupManifest): Promise<void> {
  await writeAtomically(files.manifest, `${JSON.stringify(manifestFormat.schema.parse(manifest), null, 2)}\n`)
}

/** A backup of the set. Throws `NOT_FOUND`. */
export function backupIn(set: StoredSet, id: string): StoredBackup {
  const found = set.backups.find((backup) => backup.id === id)
  if (found !== undefined) return found
  throw new RingsideError('NOT_FOUND', `There is no such backup: ${id.slice(0, 64)}`, { path: set.folder, hint: set.problems[0] ?? 'It may have been deleted; look at the list again.' })
}

/** The set of a machine in a folder, by the end of its name and what its records say; null: there is none yet. */
export async function findSet(folder: string, machineId: string): Promise<StoredSet | null> {
  const ending = `-${shortId(machineId)}`
  for (const name of (await readdir(folder)).sort()) {
    if (!name.endsWith(ending) || !BackupSetName.safeParse(name).success || !(await lstat(join(folder, name))).isDirectory()) continue
    const set = await readSet(folder, name)
    const newest = set.backups.at(-1) ?? set.remains.at(-1)
    if (newest === undefined || newest.manifest.definition.id === machineId) return set
  }
  return null
}

/** Every set in a folder. What is no set is passed over. */
export async function readSets(folder: string): Promise<StoredSet[]> {
  const sets: StoredSet[] = []
  for (const name of (await readdir(folder).catch((error: unknown) => { throw fileError(error, folder, 'read') })).sort()) {
    if (!BackupSetName.safeParse(name).success) continue
    if ((await lstat(join(folder, name)).catch(() => null))?.isDirectory() !== true) continue
    const set = await readSet(folder, name).catch(() => null)
    if (set !== null && (set.backups.length > 0 || set.problems.length > 0)) sets.push(set)
  }
  return sets
}

/** A disk of a backup, as far as its files go. */
export type BackupChain = Pick<BackupDisk, 'key' | 'encrypted'>

/**
 * The files that a disk of a backup is read from, its own first. Headers are looked at before QEMU is: each file lies in the folder of a backup of the same set, and says so in the one
 * way that we write it.
 * Throws `FILE_NOT_FOUND`, `IMAGE_DAMAGED`.
 */
export async function chainOf(set: Pick<StoredSet, 'folder'>, id: string, disk: BackupChain): Promise<string[]> {
  const { key } = disk
  const chain: string[] = []
  for (let at: string | null = id; at !== null;) {
    const path = backupFiles(set.folder, at).disk(key)
    const folder = await lstat(backupFiles(set.folder, at).folder).catch(() => null)
    const found = await lstat(path).catch((error: unknown) => { if (errnoOf(error) !== 'ENOENT') throw fileError(error, path, 'read'); return null })
    if (folder?.isDirectory() !== true || found === null) throw new RingsideError('FILE_NOT_FOUND', `A file of the backup is missing: ${path}`, { path, hint: 'Put it back, or restore another backup.' })
    if (!found.isFile()) throw damaged(path, 'is no ordinary file')
    chain.push(path)
    at = await belowOf(path, at, disk)
  }
  return chain
}

/** The id of the backup that a file reads from, which has to be an older one. */
async function belowOf(path: string, id: string, { key, encrypted }: BackupChain): Promise<string | null> {
  await using source = await FileSource.open(path)
  if ((await source.read(0, 4)).toString('latin1') !== 'QFI\xfb') throw damaged(path, 'is no qcow2')
  const read = await readQcow2Header(source)
  if (!('header' in read)) throw damaged(path, 'has a header that makes no sense')
  const { header } = read
  if (header.corrupt || header.hasDataFile || header.dataFile !== null || header.encryption !== (encrypted ? 'LUKS' : 'none') || header.unknownFeatures !== 0) throw damaged(path, 'is no file as backups have them')
  if (header.backingFile === null) return null
  const match = /^\.\.\/([^/]+)\/([^/]+)$/u.exec(header.backingFile)
  const below = BackupId.safeParse(match?.[1])
  if (!below.success || match?.[2] !== backupDiskName(key) || header.backingFormat !== 'qcow2' || below.data >= id) throw damaged(path, `reads from something that is no older backup (${header.backingFile.slice(0, 200)})`)
  return below.data
}

function damaged(path: string, why: string): RingsideError {
  return new RingsideError('IMAGE_DAMAGED', `A file of the backup ${why}: ${path}`, { path, hint: 'Restore another backup.' })
}

/** Why a backup can't be restored, by its headers and by what verifying it has found; null: nothing is known against it. */
export async function faultOf(set: StoredSet, backup: StoredBackup): Promise<string | null> {
  const [fault] = backup.verified?.faults ?? []
  if (fault !== undefined) return fault
  for (const disk of backup.manifest.disks) {
    const broken = await chainOf(set, backup.id, disk).then(() => null, (error: unknown) => (error as Error).message)
    if (broken !== null) return broken
  }
  return null
}

