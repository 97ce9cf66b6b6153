import type { SmallestSize } from '@shared/model'
import type { ImageFile } from '../engine/qemu'
import { bytesInWords, type PartitionReach, partitionReach } from '../storage'
import { type DiskReader, obstacle, pieceBytes, readPiece, readStart, spareTable } from './prove-shrinkable'

const zeroes = Buffer.alloc(2 ** 20)
/** How much is read for it at the most, bytes: somebody waits for the answer, and shrinking looks at all of it. */
const mostBytes = 16 * pieceBytes

/**
 * How small a disk can become without losing anything, by the rules that shrinking goes by: no smaller than its partitions reach, nor than what is written behind them. Nothing is changed, and it holds only
 * as long as nobody writes to the disk.
 * @param temporaryFolder for pieces of what the guest sees
 */
export async function findSmallestSize(tool: DiskReader, image: ImageFile & { readonly virtualBytes: number }, temporaryFolder: string, signal: AbortSignal): Promise<SmallestSize> {
  const reach = partitionReach(await readStart(tool, image, temporaryFolder, signal))
  const partitionsEnd = 'endBytes' in reach ? reach.endBytes : 0
  const written: { start: number; end: number }[] = []
  let hasData = false
  await tool.eachExtent(image, ({ start, length, zero }) => {
    if (zero) return
    hasData = true
    const from = Math.max(start, partitionsEnd)
    if (from < start + length) written.push({ start: from, end: start + length })
  }, signal)
  // Only what is so whatever the new size is: how far partitions reach is told in words of its own.
  const why = obstacle(reach, Number.MAX_SAFE_INTEGER, hasData)
  if (why !== null) return { sizeBytes: null, why }
  if (!hasData) return { sizeBytes: 512, why: 'It is empty.' }
  const dataEnd = await endOfData(tool, image, written, temporaryFolder, signal)
  if (dataEnd === null) return { sizeBytes: null, why: `How small it can become takes long to look at: behind ${bytesInWords(partitionsEnd)}, where its partitions end, more is written than is read for that. Shrinking looks at all of it.` }
  const sizeBytes = Math.ceil(Math.max(partitionsEnd, dataEnd) / 512) * 512
  if (sizeBytes >= image.virtualBytes) return { sizeBytes: null, why: atTheEnd(reach, partitionsEnd >= image.virtualBytes) }
  return { sizeBytes, why: dataEnd > partitionsEnd ? 'There is data as far as that, behind its partitions.' : 'Its partitions reach as far as that.' }
}

function atTheEnd({ kind }: PartitionReach, isPartition: boolean): string {
  if (isPartition) return 'Its partitions reach as far as the disk does. Make the last one smaller within the guest first.'
  return kind === 'gpt' ? spareTable : 'There is data at its very end, behind its partitions.'
}

/** Where the last byte that is not zero ends, looked for from behind; 0: there is none; null: it was not found within what may be read. */
async function endOfData(tool: DiskReader, image: ImageFile, written: readonly { start: number; end: number }[], folder: string, signal: AbortSignal): Promise<number | null> {
  let left = mostBytes
  for (const { start, end } of written.toReversed()) {
    for (let to = end; to > start;) {
      if (left <= 0) return null
      const from = Math.max(start, to - pieceBytes)
      const last = lastNonZero(await readPiece(tool, image, { start: from, length: to - from }, folder, signal))
      if (last >= 0) return from + last + 1
      left -= to - from
      to = from
    }
  }
  return 0
}

/** -1: all are zero. Whole buffers are compared first: going from byte to byte takes a second for what is read at once. */
function lastNonZero(bytes: Buffer): number {
  for (let end = bytes.length; end > 0; end -= zeroes.length) {
    const start = Math.max(0, end - zeroes.length)
    const part = bytes.subarray(start, end)
    if (!part.equals(zeroes.subarray(0, part.length))) return start + part.findLastIndex((byte) => byte !== 0)
  }
  return -1
}
