import type { ByteSource } from './byte-source'

/** What a qcow2 header says (docs/interop/qcow2.txt in QEMU). */
export interface Qcow2Header {
  version: number
  clusterBits: number
  virtualBytes: number
  encryption: 'none' | 'AES' | 'LUKS' | 'unknown'
  /** Where the LUKS header lies in the file, bytes; null: nowhere. */
  luksOffset: number | null
  l1Entries: number
  l1Offset: number
  refcountTableOffset: number
  refcountTableClusters: number
  /** Snapshots that the file keeps within itself. */
  internalSnapshots: number
  /** The file's refcounts are known to be out of date; QEMU mends that by itself. */
  dirty: boolean
  corrupt: boolean
  hasDataFile: boolean
  extendedL2: boolean
  compression: 'zlib' | 'zstd' | 'unknown'
  /** Incompatible features that this reader does not know, as bits. */
  unknownFeatures: number
  backingFile: string | null
  backingFormat: string | null
  dataFile: string | null
}

export type Qcow2Fault = 'too short for its header' | 'its header makes no sense'

const headerLengthV2 = 72
const headerLengthV3 = 104
const extensions = { end: 0, backingFormat: 0xe2792aca, dataFile: 0x44415441, encryptionHeader: 0x0537be77 }

/** Reads the header alone; `fault` when that is impossible. The magic has been seen before. */
export async function readQcow2Header(source: ByteSource): Promise<{ header: Qcow2Header } | { version: number } | { fault: Qcow2Fault }> {
  const head = await source.read(0, 4096)
  if (head.length < headerLengthV2) return { fault: 'too short for its header' }
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3) return { version }
  if (version === 3 && head.length < headerLengthV3) return { fault: 'too short for its header' }
  const clusterBits = head.readUInt32BE(20)
  const backingOffset = Number(head.readBigUInt64BE(8))
  const backingLength = head.readUInt32BE(16)
  const features = version === 3 ? head.readBigUInt64BE(72) : 0n
  const headerLength = version === 3 ? head.readUInt32BE(100) : headerLengthV2
  if (clusterBits < 9 || clusterBits > 21 || headerLength < headerLengthV2 || headerLength > 4096)
    return { fault: 'its header makes no sense' }
  // The name has at most 1023 bytes, and lies in the first cluster.
  if (backingOffset !== 0 && (backingLength > 1023 || backingOffset > 2 ** clusterBits)) return { fault: 'its header makes no sense' }
  const clusterSize = 2 ** clusterBits
  const firstCluster = await source.read(0, clusterSize)
  const found = readExtensions(firstCluster, headerLength, backingOffset === 0 ? firstCluster.length : backingOffset)
  return {
    header: {
      version,
      clusterBits,
      virtualBytes: Number(head.readBigUInt64BE(24)),
      encryption: (['none', 'AES', 'LUKS'] as const)[head.readUInt32BE(32)] ?? 'unknown',
      l1Entries: head.readUInt32BE(36),
      l1Offset: Number(head.readBigUInt64BE(40)),
      refcountTableOffset: Number(head.readBigUInt64BE(48)),
      refcountTableClusters: head.readUInt32BE(56),
      internalSnapshots: head.readUInt32BE(60),
      dirty: (features & 1n) !== 0n,
      corrupt: (features & 2n) !== 0n,
      hasDataFile: (features & 4n) !== 0n,
      extendedL2: (features & 16n) !== 0n,
      compression: headerLength > headerLengthV3 ? ((['zlib', 'zstd'] as const)[head[headerLengthV3] ?? 0] ?? 'unknown') : 'zlib',
      unknownFeatures: Number(features >> 5n),
      backingFile: backingOffset === 0 ? null : firstCluster.toString('utf8', backingOffset, backingOffset + backingLength),
      backingFormat: found.backingFormat,
      dataFile: found.dataFile,
      luksOffset: found.luksOffset,
    },
  }
}

interface Extensions { backingFormat: string | null; dataFile: string | null; luksOffset: number | null }

function readExtensions(cluster: Buffer, from: number, to: number): Extensions {
  const found: Extensions = { backingFormat: null, dataFile: null, luksOffset: null }
  for (let at = from; at + 8 <= Math.min(to, cluster.length);) {
    const type = cluster.readUInt32BE(at)
    const length = cluster.readUInt32BE(at + 4)
    if (type === extensions.end || at + 8 + length > cluster.length) break
    const text = (): string => cluster.toString('utf8', at + 8, at + 8 + length)
    if (type === extensions.backingFormat) found.backingFormat = text()
    if (type === extensions.dataFile) found.dataFile = text()
    if (type === extensions.encryptionHeader && length >= 8) found.luksOffset = Number(cluster.readBigUInt64BE(at + 8))
    at += 8 + Math.ceil(length / 8) * 8
  }
  return found
}

/** Tables are read up to this many bytes in all: those of a 500 GiB disk. A larger one is checked in part. */
const tableBudget = 64 * 1024 * 1024
/** Bits 9..55 of a table entry are the offset of what it points to. */
export const offsetMask = 0x00fffffffffffe00n
export const compressedFlag = 1n << 62n

/**
 * The offset that the file has to reach according to its own tables, beyond its end; null when nothing is missing. Finds every download
 * or copy that was cut short, as long as one cluster begins behind the cut.
 */
export async function findMissingBytes(source: ByteSource, header: Qcow2Header): Promise<number | null> {
  const clusterSize = 2 ** header.clusterBits
  const l1Bytes = header.l1Entries * 8
  const tablesEnd = Math.max(header.l1Offset + l1Bytes, header.refcountTableOffset + header.refcountTableClusters * clusterSize)
  if (tablesEnd > source.size) return tablesEnd
  if (header.hasDataFile) return null
  let budget = tableBudget
  const entrySize = header.extendedL2 ? 16 : 8
  for (let read = 0; read < l1Bytes;) {
    const l1 = await source.read(header.l1Offset + read, Math.min(l1Bytes - read, 1024 * 1024))
    if (l1.length === 0) break
    read += l1.length
    for (let at = 0; at + 8 <= l1.length; at += 8) {
      const l2Offset = Number(l1.readBigUInt64BE(at) & offsetMask)
      if (l2Offset === 0) continue
      if (l2Offset + clusterSize > source.size) return l2Offset + clusterSize
      if (budget < clusterSize) return null
      budget -= clusterSize
      const missing = clusterBeyond(await source.read(l2Offset, clusterSize), entrySize, source.size)
      if (missing !== null) return missing + clusterSize
    }
  }
  return null
}

/**
 * Whether anything was ever written to the file itself, zeroes and trimmed space too. An overlay that says no reads as what lies below it. Holds
 * for a file that QEMU has open as well: it notes the first write to a stretch of the disk in this table before the guest is told that it is done.
 */
export async function hasOwnData(source: ByteSource, { l1Offset, l1Entries }: Pick<Qcow2Header, 'l1Offset' | 'l1Entries'>): Promise<boolean> {
  const l1Bytes = l1Entries * 8
  for (let read = 0; read < l1Bytes;) {
    const l1 = await source.read(l1Offset + read, Math.min(l1Bytes - read, 1024 * 1024))
    if (l1.length === 0) return false
    read += l1.length
    for (let at = 0; at + 8 <= l1.length; at += 8) if ((l1.readBigUInt64BE(at) & offsetMask) !== 0n) return true
  }
  return false
}

/** The start of the last data cluster that a level 2 table places behind the end. A last cluster that is cut short is normal: QEMU writes only what it has. */
function clusterBeyond(l2: Buffer, entrySize: number, size: number): number | null {
  let last: number | null = null
  for (let at = 0; at + 8 <= l2.length; at += entrySize) {
    const entry = l2.readBigUInt64BE(at)
    // A compressed cluster's entry is laid out otherwise; what matters here is covered by its neighbours.
    if ((entry & compressedFlag) !== 0n) continue
    const offset = Number(entry & offsetMask)
    if (offset >= size && offset > (last ?? 0)) last = offset
  }
  return last
}
