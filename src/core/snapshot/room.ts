import { statfs } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import { bytesInWords } from '../storage'

/** Throws `DISK_FULL` before anything is written, where the system tells that there is less room. @param what as in “… for a snapshot” */
export async function requireRoom(folder: string, bytes: number, what: string): Promise<void> {
  const free = await freeBytes(folder)
  if (free === null || free >= bytes) return
  throw new RingsideError('DISK_FULL', `The drive has ${bytesInWords(free)} left and ${bytesInWords(bytes)} may be needed for ${what}: ${folder}`, {
    path: folder, hint: 'Free some space there, then try again; nothing was changed.',
  })
}

/** Room on the drive of a folder, bytes; null where the system does not tell. */
export async function freeBytes(folder: string): Promise<number | null> {
  return statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => null)
}
