import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError } from './file-error'

/*
 * Files of Ringside's own in a machine's folder, which may have come from elsewhere with links and pipes in it: a link could have any file
 * of the user's read or written, and whoever opens a pipe waits for its other end.
 */

/** No such file of ours comes near this; whatever is larger is none of ours. Bytes. */
const maximumBytes = 16 * 1024 * 1024

/** The text of the file itself. Throws `FILE_NOT_FOUND` or `FILE_UNREADABLE`. */
export async function readOwnFile(path: string): Promise<string> {
  await requireOrdinaryFile(path)
  const file = await openOwnFile(path, constants.O_RDONLY)
  try {
    if ((await file.stat()).size > maximumBytes)
      throw new RingsideError('FILE_UNREADABLE', `The file is far larger than it should be: ${path}`, { path, hint: 'Move it away.' })
    return await file.readFile('utf8')
  } catch (cause) {
    throw fileError(cause, path, 'read')
  } finally {
    await file.close()
  }
}

/** Opens the file itself, never what a link leads to, and never waits. @param flags of open(2) */
export async function openOwnFile(path: string, flags: number): Promise<FileHandle> {
  // Windows has neither flag, and needs rights to make links.
  const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as { O_NOFOLLOW?: number; O_NONBLOCK?: number }
  try {
    return await open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o600)
  } catch (cause) {
    throw errnoOf(cause) === 'ELOOP' ? noOrdinaryFile(path, 'a link') : fileError(cause, path, (flags & constants.O_WRONLY) === 0 ? 'read' : 'written')
  }
}

/** Throws `FILE_UNREADABLE` for a link, folder, pipe or device, and `FILE_NOT_FOUND`. */
export async function requireOrdinaryFile(path: string): Promise<void> {
  const found = await lstat(path).catch((cause: unknown) => {
    throw fileError(cause, path, 'read')
  })
  if (!found.isFile()) throw noOrdinaryFile(path, found.isSymbolicLink() ? 'a link' : found.isDirectory() ? 'a folder' : 'a pipe, socket or device')
}

function noOrdinaryFile(path: string, what: string): RingsideError {
  return new RingsideError('FILE_UNREADABLE', `A file of Ringside's own belongs here, and this is ${what}: ${path}`, { path, hint: 'Move it away and try again.' })
}
