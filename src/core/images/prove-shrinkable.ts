import { randomBytes } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { JobReporter } from '../app/services'
import { makeFolder } from '../config'
import type { ImageFile, QemuImg } from '../engine/qemu'
import { bytesInWords, type PartitionReach, partitionReach, partitionTableBytes } from '../storage'

/** Stretches are read in pieces of this size, bytes. */
export const pieceBytes = 64 * 2 ** 20

/** What reads the disk as its guest sees it. */
export type DiskReader = Pick<QemuImg, 'eachExtent' | 'readStretch'>

/** A disk that may become shorter, and what is to be known for that. */
interface Shrinking extends ImageFile { readonly virtualBytes: number; readonly newBytes: number }

/**
 * Proves that nothing is lost when a disk becomes shorter: beyond the new end it reads as zeroes, and no partition reaches that far. A disk without a partition table has to be empty, since
 * how far a file system reaches can't be told from outside.
 * Throws `INVALID_INPUT` with the reason.
 */
export async function proveShrinkable(tool: DiskReader, image: Shrinking, temporaryFolder: string, { signal, report }: Pick<JobReporter, 'signal' | 'report'>): Promise<void> {
  report(null, 'Looking how far the partitions reach')
  const start = await readStart(tool, image, temporaryFolder, signal)
  const reach = partitionReach(start)
  let hasData = false
  const beyond: { start: number; length: number }[] = []
  await tool.eachExtent(image, (extent) => {
    if (extent.zero) return
    hasData = true
    const from = Math.max(extent.start, image.newBytes)
    const length = extent.start + extent.length - from
    if (length > 0) beyond.push({ start: from, length })
  }, signal)
  const why = obstacle(reach, image.newBytes, hasData)
  if (why !== null) throw refused(image, why)
  const total = beyond.reduce((sum, { length }) => sum + length, 0)
  let done = 0
  for (const stretch of beyond) {
    for (let at = stretch.start; at < stretch.start + stretch.length; at += pieceBytes) {
      report(done / total, 'Looking whether anything lies beyond the new end')
      const length = Math.min(pieceBytes, stretch.start + stretch.length - at)
      if ((await readPiece(tool, image, { start: at, length }, temporaryFolder, signal)).some((byte) => byte !== 0)) throw refused(image, dataBeyond(reach, at))
      done += length
    }
  }
}

/** Pure: what the partition table says against it, as a sentence. */
export function obstacle(reach: PartitionReach, newBytes: number, hasData: boolean): string | null {
  switch (reach.kind) {
    case 'none':
      return hasData ? 'It has no partition table, so how far its file system reaches can’t be told from outside.' : null
    case 'unclear':
      return 'Its partition table can’t be understood.'
    case 'mbr':
    case 'gpt':
      return reach.endBytes > newBytes ? `Its partitions reach as far as ${bytesInWords(reach.endBytes)}. Make the last one smaller within the guest first.` : null
  }
}

/** Why a disk with a GPT is as small as it can be. */
export const spareTable = 'The spare copy of its partition table (GPT) lies at the very end and has to be moved first, as “sgdisk --move-second-header” does once the disk is a copy of the new size.'

function dataBeyond({ kind }: PartitionReach, at: number): string {
  const what = `Behind the new end there is data, at ${bytesInWords(at)} or soon after.`
  return kind === 'gpt' ? `${what} ${spareTable}` : what
}

function refused({ path, newBytes }: Shrinking, why: string): RingsideError {
  return new RingsideError('INVALID_INPUT', `The disk can’t be made as small as ${bytesInWords(newBytes)} without losing something, and is as it was. ${why}`, {
    path, hint: 'Choose a larger size.', issues: [{ path: 'sizeBytes', message: why, received: String(newBytes), severity: 'error' }],
  })
}

/** The beginning of what the guest sees, where partition tables are. */
export async function readStart(tool: DiskReader, image: ImageFile & { readonly virtualBytes: number }, folder: string, signal: AbortSignal): Promise<Buffer> {
  return readPiece(tool, image, { start: 0, length: Math.min(partitionTableBytes, image.virtualBytes) }, folder, signal)
}

/** A stretch of what the guest sees, at most `pieceBytes`. */
export async function readPiece(tool: DiskReader, image: ImageFile, stretch: { start: number; length: number }, folder: string, signal: AbortSignal): Promise<Buffer> {
  await makeFolder(folder)
  const file = join(folder, `stretch-${randomBytes(6).toString('hex')}`)
  try {
    await tool.readStretch(image, stretch, file, signal)
    return await readFile(file)
  } finally {
    await rm(file, { force: true })
  }
}
