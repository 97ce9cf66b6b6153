import { link } from 'node:fs/promises'
import { errnoOf, fileError } from '../config'
import { copyLargeFile } from './copy-file'

/** What file systems say that know no second name for a file, or not for this one. */
const noLinks = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EACCES']

/**
 * Gives a file that is only ever read a second name, or copies it where the file system has no such thing. Nothing may be at the target. Throws `FILE_NOT_FOUND`,
 * `FILE_EXISTS`, `FILE_UNREADABLE`, `DISK_FULL`, `CANCELLED`.
 */
export async function linkOrCopy(from: string, to: string, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!noLinks.includes(errnoOf(error))) throw fileError(error, errnoOf(error) === 'ENOENT' ? from : to, 'written')
    await copyLargeFile(from, to, onProgress, signal)
  }
}
