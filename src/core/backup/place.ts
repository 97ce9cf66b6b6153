import { randomUUID } from 'node:crypto'
import { realpath, stat, statfs } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { RingsideError, isRingsideError } from '@shared/errors'
import { errnoOf, fileError, readOwnFile, writeAtomically } from '../config'
import { backupMarkPath } from '../library'
import { isInside } from '../storage/references'

const Mark = z.object({ ringside: z.literal('backups'), id: z.uuid() })

/** A folder for backups that is there. */
export interface BackupPlace {
  /** Links resolved. */
  readonly folder: string
  /** What its mark says; null: it has none. */
  readonly id: string | null
}

/**
 * Looks whether a folder for backups is there.
 * @param expectedId what its mark said before: the mount point of a drive that is away is there as well, and is another folder
 * Throws `FILE_NOT_FOUND` when it is away, `INVALID_INPUT` for what can be none.
 */
export async function requirePlace(path: string, expectedId: string | null, dataFolder: string): Promise<BackupPlace> {
  if (!isAbsolute(path)) throw new RingsideError('INVALID_INPUT', `A folder for backups has to be named from the root: ${path.slice(0, 200)}`, { hint: 'Write the whole path.' })
  const folder = await realpath(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') throw away(path)
    throw fileError(error, path, 'read')
  })
  if (!(await stat(folder)).isDirectory()) throw new RingsideError('INVALID_INPUT', `This is no folder: ${path}`, { path, hint: 'Choose a folder.' })
  const data = await realpath(dataFolder).catch(() => resolve(dataFolder))
  if (folder === data || isInside(folder, data)) {
    throw new RingsideError('INVALID_INPUT', `Backups can't go into Ringside's own folder, which holds what they are of: ${path}`, { path, hint: 'Choose a folder elsewhere, best on another drive.' })
  }
  const id = await readMark(folder)
  if (expectedId !== null && id !== expectedId) throw away(path)
  return { folder, id }
}

function away(path: string): RingsideError {
  return new RingsideError('FILE_NOT_FOUND', `The folder for backups is not there: ${path}`, { path, hint: 'Plug in its drive or connect the network share, or choose another folder.' })
}

async function readMark(folder: string): Promise<string | null> {
  const text = await readOwnFile(backupMarkPath(folder)).catch((error: unknown) => {
    if (isRingsideError(error, 'FILE_NOT_FOUND')) return null
    throw error
  })
  if (text === null) return null
  try {
    return Mark.parse(JSON.parse(text)).id
  } catch {
    return null
  }
}

/** The folder's id, which it gets if it still has none: another machine's first backup may have been quicker. Throws `DISK_FULL`, `FILE_UNREADABLE` */
export async function markPlace({ folder }: BackupPlace): Promise<string> {
  const id = await readMark(folder)
  if (id !== null) return id
  const drawn = randomUUID()
  await writeAtomically(backupMarkPath(folder), `${JSON.stringify({ ringside: 'backups', id: drawn })}\n`)
  return drawn
}

/** Bytes that are free where a folder lies; null: that can't be told. */
export function freeBytesAt(folder: string): Promise<number | null> {
  return statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => null)
}

/** Whether both lie on one file system. */
export async function onSameDrive(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(one), stat(other)])
  return a.dev === b.dev
}
