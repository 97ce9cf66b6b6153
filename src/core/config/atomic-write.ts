import { randomBytes } from 'node:crypto'
import { open, readdir, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError } from './file-error'

const leftover = /^\..+\.[0-9a-f]{12}\.tmp$/u

/**
 * Replaces a file whole or not at all, and so that it lasts: the bytes are on the disk before the name is changed, and the folder is
 * on the disk before this resolves. A link is followed and stays a link.
 *
 * Why not `write-file-atomic`: it does not sync the folder, so a power cut right after can bring the old file back.
 * Throws `DISK_FULL` or `FILE_UNREADABLE`; the old file is then as it was.
 */
export async function writeAtomically(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await renameOver(temporary, target)
    await syncFolder(dirname(target))
  } catch (cause) {
    await rm(temporary, { force: true })
    throw fileError(cause, target, 'written')
  }
}

/** Makes a folder's own entries last. Windows has no such call and does it by itself. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes what `writeAtomically` left in a folder when the power went. Only the one writer of the folder may call this. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (leftover.test(name)) await rm(join(folder, name), { force: true })
}

/** On Windows a virus scanner or an indexer holds a fresh file open for a moment, and the rename is refused meanwhile. */
async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await rename(from, to)
      return
    } catch (error) {
      const busy = process.platform === 'win32' && ['EPERM', 'EACCES', 'EBUSY'].includes(errnoOf(error))
      if (!busy || attempt >= 6) throw error
      await new Promise((resolve) => setTimeout(resolve, 2 ** attempt * 10))
    }
  }
}

/** Whether the thrown value says that there is no room. */
export function isDiskFull(thrown: unknown): boolean {
  return (thrown instanceof RingsideError && thrown.code === 'DISK_FULL') || ['ENOSPC', 'EDQUOT'].includes(errnoOf(thrown))
}
