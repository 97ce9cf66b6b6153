import { link, lstat, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { DiskFormat } from '@shared/model'
import { errnoOf, fileError, syncFolder } from '../config'
import { newDiskOptions } from '../creation'
import { syncFile } from '../snapshot/overlays'
import type { AtWork } from './at-work'
import type { ImageContext } from './context'
import { requireFreeTarget } from './subject'

/** A new file under a temporary name until it is whole and on the drive. */
export async function makeNew({ context, signal }: AtWork, wanted: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const path = await requireFreeTarget(context, wanted)
  const temporary = await context.unfinished.begin(path)
  try {
    await context.atStep('image:begun')
    await write(temporary)
    await syncFile(temporary)
    await context.atStep('image:written')
    signal.throwIfAborted()
    await nameNew(temporary, path)
    await context.atStep('image:named')
  } finally {
    await context.unfinished.end(temporary)
  }
}

/** Never over a file that has come meanwhile. */
export async function nameNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw exists(path)
    // A file system without hard links.
    if (await lstat(path).then(() => true, () => false)) throw exists(path)
    await rename(temporary, path).catch((cause: unknown) => {
      throw fileError(cause, path, 'written')
    })
  }
  await syncFolder(dirname(path))
}

function exists(path: string): RingsideError {
  return new RingsideError('FILE_EXISTS', `There is a file of that name already: ${path}`, { path, hint: 'Choose another name, or move the file away.' })
}

/** Notes which process writes a new file. */
export function noting({ unfinished }: Pick<ImageContext, 'unfinished'>, temporary: string): (pid: number) => void {
  return (pid) => void unfinished.noteHelper(temporary, pid).catch(() => undefined)
}

/** How a new image of a format is laid out. */
export function targetOptions(format: DiskFormat): string[] {
  if (format === 'qcow2') return [...newDiskOptions]
  // Otherwise the length is rounded to what a drive of cylinders has.
  return format === 'vpc' ? ['force_size=on'] : []
}
