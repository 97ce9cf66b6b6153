import { statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import type { HostLimits } from '@shared/model'

/** What this computer has. Free space is that of the file system of the library, for this user. */
export async function hostLimits(libraryFolder: string): Promise<Omit<HostLimits, 'takenNames'>> {
  const { bavail, bsize } = await statfs(libraryFolder)
  return { logicalProcessors: availableParallelism(), memoryMiB: Math.floor(totalmem() / 2 ** 20), freeDiskBytes: bavail * bsize }
}
