import { lstat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import { SnapshotId, type SnapshotManifest } from '@shared/model'
import type { MachineLibrary, StoredMachine } from '../app/services'
import { readOwnFile } from '../config'
import type { SavedRun } from '../engine/engine'
import { deletedSnapshotName, snapshotFiles, type SnapshotFiles } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { readSavedRun } from '../machine/saved-state'
import type { LayerReader } from './layer-file'
import type { LayerGraph } from './layer-graph'
import { type FolderEntry, readEntries, readLayers, realFolder } from './layers'
import { type Manifests, parseManifest } from './manifest'
import { type OutsideReader, outsideReaders } from './readers'

/** A snapshot whose record could be read. */
export interface SnapshotOnDisk {
  readonly manifest: SnapshotManifest
  readonly files: SnapshotFiles
  /** Its memory file; null when there is none. `isShared`: the saved state or a clone has the same file. */
  readonly ram: { readonly bytes: number; readonly isShared: boolean } | null
  readonly hasScreen: boolean
  /** What its folder takes on the drive. */
  readonly folderBytes: number
}

/** A record that can't be read, with what is to be seen of it. */
export interface UnreadableRecord {
  readonly path: string
  readonly error: RingsideError
  /** null: not even its text can be read. */
  readonly text: string | null
}

/** What is left of a snapshot that was deleted. */
export interface DeletedSnapshot {
  readonly folder: string
  /** null: it can't be read any more. */
  readonly manifest: SnapshotManifest | null
}

/** Everything that lies on the drive of one machine's snapshots, at one look. */
export interface Survey {
  readonly stored: StoredMachine
  /** The machine's folder, links resolved. */
  readonly folder: string
  readonly graph: LayerGraph
  /** Everything in `disks/`, `firmware/` and `tpm/`. */
  readonly entries: readonly FolderEntry[]
  readonly snapshots: ReadonlyMap<string, SnapshotOnDisk>
  readonly unreadable: readonly UnreadableRecord[]
  readonly deleted: readonly DeletedSnapshot[]
  /** What lies in `snapshots/` and belongs to no snapshot that has a record. */
  readonly strays: readonly FolderEntry[]
  readonly saved: SavedRun | null
  /** Files of other folders that read from this machine's layers. */
  readonly outside: readonly OutsideReader[]
}

export interface Surveyor {
  readonly library: Pick<MachineLibrary, 'list'>
  readonly libraryFolder: string
  readonly layers: LayerReader
  readonly manifests: Manifests
}

/** Looks at everything. Whatever is damaged is in the result; throws `FILE_UNREADABLE` only when a folder can't be listed. */
export async function survey(surveyor: Surveyor, stored: StoredMachine, outside?: readonly OutsideReader[]): Promise<Survey> {
  const { paths } = stored
  const [layers, found, saved, readers, folder] = await Promise.all([
    readLayers(surveyor.layers, paths.folder, baseFolders(surveyor, stored)),
    readSnapshots(surveyor.manifests, paths.folder, paths.snapshotsFolder),
    readSaved(stored),
    outside ?? outsideReaders(surveyor.layers, surveyor.libraryFolder, paths.folder),
    realFolder(paths.folder),
  ])
  const unreadable = saved !== null && 'error' in saved ? [...found.unreadable, saved] : found.unreadable
  return { stored, folder, ...layers, ...found, unreadable, saved: saved === null || 'error' in saved ? null : saved, outside: readers }
}

/** None where an original is gone from the library: then the chain just ends early, and that shows as a fault of the layers. */
function baseFolders({ library }: Surveyor, { definition }: StoredMachine): string[] {
  try {
    return baseFoldersOf(library, definition)
  } catch (error) {
    if (isRingsideError(error, 'NOT_FOUND')) return []
    throw error
  }
}

async function readSaved({ paths }: StoredMachine): Promise<SavedRun | UnreadableRecord | null> {
  try {
    return await readSavedRun(paths)
  } catch (error) {
    if (!isRingsideError(error)) throw error
    const text = await readOwnFile(paths.savedRecord).catch(() => null)
    const isThere = text !== null || (await lstat(paths.savedRecord).catch(() => null)) !== null
    return isThere ? { path: paths.savedRecord, error, text } : null
  }
}

async function readSnapshots(manifests: Manifests, machineFolder: string, snapshotsFolder: string): Promise<Pick<Survey, 'snapshots' | 'unreadable' | 'deleted' | 'strays'>> {
  const snapshots = new Map<string, SnapshotOnDisk>()
  const unreadable: UnreadableRecord[] = []
  const deleted: DeletedSnapshot[] = []
  const strays: FolderEntry[] = []
  for (const entry of await readEntries(machineFolder, 'snapshots')) {
    const name = basename(entry.own)
    if (entry.kind !== 'folder') {
      strays.push(entry)
      continue
    }
    const files = snapshotFiles(snapshotsFolder, name)
    if (name.startsWith(deletedPrefix)) {
      strays.push(entry)
      deleted.push({ folder: files.folder, manifest: await readDeleted(files, name.slice(deletedPrefix.length)) })
      continue
    }
    const content = await readEntries(machineFolder, entry.own)
    if (!content.some(({ own }) => own === `${entry.own}/snapshot.json`)) {
      strays.push(entry)
      continue
    }
    try {
      const manifest = await manifests.read(files, name)
      const belongs = new Set(['snapshot.json', 'ram.state', 'screen.png'].map((part) => `${entry.own}/${part}`))
      if (manifest.definition.tpm !== null) belongs.add(`${entry.own}/tpm`)
      strays.push(...content.filter(({ own }) => !belongs.has(own)))
      snapshots.set(manifest.id, {
        manifest, files,
        ram: await readRam(files),
        hasScreen: content.some(({ own, kind }) => own === `${entry.own}/screen.png` && kind === 'file'),
        folderBytes: entry.bytes,
      })
    } catch (error) {
      if (!isRingsideError(error)) throw error
      unreadable.push({ path: files.manifest, error, text: await readOwnFile(files.manifest).catch(() => null) })
    }
  }
  return { snapshots, unreadable, deleted, strays }
}

const deletedPrefix = deletedSnapshotName('')

async function readDeleted(files: SnapshotFiles, id: string): Promise<SnapshotManifest | null> {
  if (!SnapshotId.safeParse(id).success) return null
  return readOwnFile(files.manifest).then((text) => parseManifest(text, files.manifest, id)).catch(() => null)
}

async function readRam({ ram }: SnapshotFiles): Promise<SnapshotOnDisk['ram']> {
  const found = await lstat(ram).catch(() => null)
  if (found?.isFile() !== true || found.size === 0) return null
  return { bytes: process.platform === 'win32' ? found.size : found.blocks * 512, isShared: found.nlink > 1 }
}

/** Absolute path of a file of the machine. */
export function inFolder({ folder }: Pick<Survey, 'folder'>, own: string): string {
  return join(folder, ...own.split('/'))
}

/** Throws `NOT_FOUND`, and the reason where its record can't be read. */
export function snapshotIn(survey: Survey, id: string): SnapshotOnDisk {
  const found = survey.snapshots.get(id)
  if (found !== undefined) return found
  const record = snapshotFiles(survey.stored.paths.snapshotsFolder, id).manifest
  const unreadable = survey.unreadable.find(({ path }) => path === record)
  if (unreadable !== undefined) throw unreadable.error
  throw new RingsideError('NOT_FOUND', `“${survey.stored.definition.name}” has no snapshot with the id ${id.slice(0, 64)}.`, {
    hint: 'It may have been deleted; look at the list again.',
  })
}
