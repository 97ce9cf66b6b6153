import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError } from './file-error'

/**
 * Makes a folder and those above it, private to the user; one that is there stays as it is.
 *
 * Why not Node's `recursive`: where a file system refuses new entries by saying that the parent is missing, as /proc does, it tries for ever.
 * Throws `FILE_EXISTS` when something else lies in its place, `FILE_UNREADABLE` or `DISK_FULL`.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdirs(path)
  } catch (cause) {
    const error = fileError(cause, path, 'written')
    if (error.code !== 'FILE_NOT_FOUND') throw error
    throw new RingsideError('FILE_UNREADABLE', `No folder can be made here: ${path}`, { path, hint: 'Choose another place.' }, { cause })
  }
}

async function mkdirs(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const code = errnoOf(error)
    if (await isFolder(path)) return
    if (code === 'EEXIST' || code === 'ENOTDIR') throw inTheWay(await fileAt(path), error)
    const above = dirname(path)
    if (code !== 'ENOENT' || above === path || (await isFolder(above))) throw error
    await mkdirs(above)
    // A second refusal is the answer, unless another process has just made it.
    await mkdir(path, { mode: 0o700 }).catch(async (again: unknown) => {
      if (!(await isFolder(path))) throw again
    })
  }
}

function inTheWay(path: string, cause: unknown): RingsideError {
  return new RingsideError(
    'FILE_EXISTS',
    `A folder is needed here, and this is a file: ${path}`,
    { path, hint: 'Choose another folder, or move the file away.' },
    { cause },
  )
}

/** The first of the path and those above it that is there. */
async function fileAt(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const there = await stat(at).then(
      () => true,
      (error: unknown) => errnoOf(error) === 'ELOOP',
    )
    if (there || dirname(at) === at) return at
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
