import { createHash, randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../config'
import type { ImageFile, QemuImg } from '../engine/qemu'

/** A disk has one checksum for each stretch of this size, bytes. */
export const blockBytes = 2 ** 20
const hashBytes = 32
/** What is read at once, in blocks: so much lies on the drive meanwhile. */
const longestRange = 256
/** Gaps between stretches that are read all the same, in blocks: beginning anew costs more. */
const smallGap = 8

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** The checksum of a whole disk. */
export function contentHash(blocks: Uint8Array): string {
  return createHash('sha256').update(blocks).digest('hex')
}

export interface DiskHashing {
  readonly tool: Pick<QemuImg, 'eachExtent' | 'readStretch'>
  readonly image: ImageFile
  readonly virtualBytes: number
  /** Checksums of what the image reads below its own layer; null: every block is read. */
  readonly base: Uint8Array | null
  /** Holds a file of some hundred MiB meanwhile. */
  readonly temporaryFolder: string
  readonly onProgress: (fraction: number) => void
  readonly signal: AbortSignal
}

/** The SHA-256 of each MiB that the guest sees, one after the other. */
export async function hashDisk({ tool, image, virtualBytes, base, temporaryFolder, onProgress, signal }: DiskHashing): Promise<Buffer> {
  const count = Math.ceil(virtualBytes / blockBytes)
  const lengthOf = (block: number): number => Math.min(blockBytes, virtualBytes - block * blockBytes)
  const blocks = Buffer.alloc(count * hashBytes)
  const empty = sha256(Buffer.alloc(blockBytes))
  for (let block = 0; block < count; block += 1) blocks.set(lengthOf(block) === blockBytes ? empty : sha256(Buffer.alloc(lengthOf(block))), block * hashBytes)
  const wanted = new Uint8Array(count)
  if (base !== null) {
    blocks.set(base.subarray(0, blocks.length))
    // Of another length than it was, in a disk that has grown since.
    const last = base.length / hashBytes - 1
    if (last >= 0 && last < count) wanted[last] = 1
  }
  await tool.eachExtent(image, ({ start, length, zero, depth }) => {
    if (base === null ? zero : depth > 0) return
    wanted.fill(1, Math.floor(start / blockBytes), Math.ceil((start + length) / blockBytes))
  }, signal)
  const ranges = rangesOf(wanted)
  const total = ranges.reduce((sum, { length }) => sum + length, 0)
  let done = 0
  await makeFolder(temporaryFolder)
  const file = join(temporaryFolder, `stretch-${randomBytes(6).toString('hex')}`)
  try {
    for (const { first, length } of ranges) {
      signal.throwIfAborted()
      const start = first * blockBytes
      await tool.readStretch(image, { start, length: Math.min(length * blockBytes, virtualBytes - start) }, file, signal)
      await using handle = await open(file, 'r')
      for (let block = first; block < first + length; block += 1) {
        const buffer = Buffer.alloc(lengthOf(block))
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, (block - first) * blockBytes)
        if (bytesRead !== buffer.length) throw new Error(`A stretch of the disk could not be read whole: ${image.path}`)
        blocks.set(sha256(buffer), block * hashBytes)
      }
      done += length
      onProgress(done / total)
    }
  } finally {
    await rm(file, { force: true })
  }
  return blocks
}

/** Stretches of blocks that are wanted, with small gaps closed. */
export function rangesOf(wanted: Uint8Array): { first: number; length: number }[] {
  const ranges: { first: number; length: number }[] = []
  for (let block = 0; block < wanted.length; block += 1) {
    if (wanted[block] !== 1) continue
    const range = ranges.at(-1)
    if (range !== undefined && block - (range.first + range.length) <= smallGap && block - range.first < longestRange) range.length = block - range.first + 1
    else ranges.push({ first: block, length: 1 })
  }
  return ranges
}
