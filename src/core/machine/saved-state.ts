import { lstat, mkdir, rm, stat } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { SavedState } from '@shared/model'
import { syncFolder, writeAtomically } from '../config/atomic-write'
import { parseVersioned, type FileFormat } from '../config/versioned-file'
import { errnoOf, fileError } from '../config/file-error'
import { readOwnFile } from '../config/own-file'
import type { SavedRun } from '../engine/engine'
import { imagePath, type MachineFiles } from '../library/paths'
import { SavedRunSchema } from './worker-protocol'

const savedFormat: FileFormat<SavedRun> = { title: 'The record of the saved state', version: 1, schema: SavedRunSchema, migrations: {} }

/** The record of a machine's saved state. Throws `DEFINITION_DAMAGED`, `DEFINITION_NEWER` or `FILE_UNREADABLE`; all files are left as they are. */
export async function readSavedRun(files: MachineFiles): Promise<SavedRun> {
  await isThere(files.savedFolder)
  const saved = parseVersioned(savedFormat, await readOwnFile(files.savedRecord), files.savedRecord)
  const path = memoryPath(files, saved)
  const ram = await stat(path).catch(() => null)
  if (ram?.isFile() !== true || ram.size === 0) {
    throw new RingsideError('FILE_NOT_FOUND', `The saved memory of the machine is missing: ${path}`, {
      path,
      hint: 'Put the file back from a backup, or discard the saved state; the machine then starts as after a power cut.',
    })
  }
  return saved
}

/** The saved state as it is shown; null when there is none. A record that can't be read is still one: the machine must not start past it. */
export async function readSavedState(files: MachineFiles): Promise<SavedState | null> {
  const record = await lstat(files.savedRecord).catch(() => null)
  if (record === null) return null
  const saved = await readSavedRun(files).catch(() => null)
  const ram = await stat(saved === null ? files.savedRam : memoryPath(files, saved)).catch(() => null)
  return { at: saved?.savedAt ?? record.mtime.toISOString(), sizeBytes: ram?.size ?? 0, qemuVersion: saved?.qemuVersion ?? 'unknown' }
}

/**
 * Replaces the record of saved state, or makes a machine saved whose memory lies elsewhere already. Whole or not at all, and on the drive.
 * Throws `DISK_FULL` or `FILE_UNREADABLE`.
 */
export async function writeSavedRun(files: MachineFiles, saved: SavedRun): Promise<void> {
  if (!(await isThere(files.savedFolder))) await prepareSavedFolder(files)
  await syncFolder(files.folder)
  await writeAtomically(files.savedRecord, `${JSON.stringify(saved, null, 2)}\n`)
}

/** Where the memory lies: of a machine that was reverted, in the snapshot. */
export function memoryPath({ folder }: MachineFiles, { ramFile }: SavedRun): string {
  return imagePath(folder, { kind: 'own', path: ramFile })
}

/** An empty folder for a save. What a broken earlier one left goes. */
export async function prepareSavedFolder(files: MachineFiles): Promise<void> {
  await removeSaved(files)
  try {
    await mkdir(files.savedFolder, { mode: 0o700 })
  } catch (cause) {
    throw fileError(cause, files.savedFolder, 'written')
  }
}

/**
 * The record first: memory without a record is no saved state, a record without memory would be a broken one.
 * Throws `FILE_EXISTS` when something else lies in the place of its folder, `FILE_UNREADABLE` when it can't be removed.
 */
export async function removeSaved(files: MachineFiles): Promise<void> {
  const { savedFolder } = files
  try {
    if (!(await isThere(savedFolder))) return
    await rm(files.savedRecord, { force: true })
    await rm(savedFolder, { recursive: true, force: true })
  } catch (cause) {
    throw fileError(cause, savedFolder, 'removed')
  }
}

/** Whether there is a folder of saved state. A link to one is none: what lies elsewhere is not removed. Throws `FILE_EXISTS`. */
async function isThere(savedFolder: string): Promise<boolean> {
  const found = await lstat(savedFolder).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, savedFolder, 'read')
    return null
  })
  if (found === null || found.isDirectory()) return found !== null
  throw new RingsideError('FILE_EXISTS', `Saved state belongs here, and this is no folder: ${savedFolder}`, {
    path: savedFolder,
    hint: 'Move it away and try again.',
  })
}
