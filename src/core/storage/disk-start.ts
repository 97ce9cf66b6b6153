import { constants, inflateRawSync } from 'node:zlib'
import type { DiskFormat } from '@shared/model'
import type { ByteSource } from './byte-source'
import { type Qcow2Header, compressedFlag, offsetMask, readQcow2Header } from './qcow2'

/** Up to the end of a GPT of 128 entries, whatever the sector size. */
const startLength = 64 * 1024
const gptTypes = {
  efiSystem: Buffer.from('28732ac11ff8d211ba4b00a0c93ec93b', 'hex'),
  biosBoot: Buffer.from('Hah!IdontNeedEFI', 'latin1'),
}
const mbrEfiSystem = 0xef

/**
 * Which firmware the system on a disk starts with, from its partition table: GPT with an EFI system partition or a BIOS boot partition
 * (UEFI 5.3; GRUB's manual, "BIOS installation"), or an MBR with boot code. null when the disk does not say.
 */
export async function diskBootability(source: ByteSource, format: DiskFormat): Promise<{ bios: boolean; uefi: boolean } | null> {
  const start = await guestStart(source, format)
  return start === null ? null : decideBootability(start)
}

/** Pure: from the first bytes that the guest would see. */
export function decideBootability(start: Buffer): { bios: boolean; uefi: boolean } | null {
  if (start.length < 1024 || start.readUInt16LE(510) !== 0xaa55) return null
  for (const sector of [512, 4096]) {
    if (start.toString('latin1', sector, sector + 8) !== 'EFI PART') continue
    const types = gptPartitionTypes(start, sector)
    const found = {
      bios: types.some((type) => type.equals(gptTypes.biosBoot)),
      uefi: types.some((type) => type.equals(gptTypes.efiSystem)),
    }
    return found.bios || found.uefi ? found : null
  }
  const types = [446, 462, 478, 494].map((at) => start[at + 4] ?? 0)
  const hasCode = start.subarray(0, 64).some((byte) => byte !== 0)
  const found = {
    bios: hasCode && types.some((type) => type !== 0 && type !== mbrEfiSystem && type !== 0xee),
    uefi: types.includes(mbrEfiSystem),
  }
  return found.bios || found.uefi ? found : null
}

function gptPartitionTypes(start: Buffer, sector: number): Buffer[] {
  const entries = Number(start.readBigUInt64LE(sector + 72)) * sector
  const count = Math.min(start.readUInt32LE(sector + 80), 128)
  const size = start.readUInt32LE(sector + 84)
  if (size < 128 || size > 4096) return []
  const types: Buffer[] = []
  for (let at = entries; types.length < count && at + 16 <= start.length; at += size) types.push(start.subarray(at, at + 16))
  return types
}

async function guestStart(source: ByteSource, format: DiskFormat): Promise<Buffer | null> {
  if (format === 'raw') return source.read(0, startLength)
  if (format !== 'qcow2') return null
  const read = await readQcow2Header(source)
  if (!('header' in read) || read.header.backingFile !== null || read.header.hasDataFile || read.header.encryption !== 'none') return null
  return firstCluster(source, read.header)
}

/** The guest's first cluster through the tables of a qcow2, at least as far as `startLength`; null where it is laid out otherwise. */
async function firstCluster(source: ByteSource, header: Qcow2Header): Promise<Buffer | null> {
  const clusterSize = 2 ** header.clusterBits
  if (clusterSize < startLength || header.l1Entries === 0) return null
  const l1 = await source.read(header.l1Offset, 8)
  const l2Offset = l1.length < 8 ? 0 : Number(l1.readBigUInt64BE(0) & offsetMask)
  const l2 = l2Offset === 0 ? Buffer.alloc(0) : await source.read(l2Offset, 16)
  if (l2.length < 16) return null
  const entry = l2.readBigUInt64BE(0)
  if ((entry & compressedFlag) !== 0n) return header.compression === 'zlib' ? inflateCluster(source, entry, header.clusterBits) : null
  const offset = Number(entry & offsetMask)
  if (offset === 0) return null
  const start = await source.read(offset, startLength)
  if (!header.extendedL2) return start
  // A bit for each of the cluster's 32 parts that has data; the others read as zeros.
  const allocated = l2.readBigUInt64BE(8)
  for (let part = 0; part * (clusterSize / 32) < start.length; part += 1) {
    if ((allocated & (1n << BigInt(part))) === 0n) start.fill(0, part * (clusterSize / 32), (part + 1) * (clusterSize / 32))
  }
  return start
}

/** docs/interop/qcow2.txt, "Compressed Clusters Descriptor". */
async function inflateCluster(source: ByteSource, entry: bigint, clusterBits: number): Promise<Buffer | null> {
  const split = BigInt(62 - (clusterBits - 8))
  const offset = entry & ((1n << split) - 1n)
  const sectors = ((entry & ((1n << 62n) - 1n)) >> split) + 1n
  const packed = await source.read(Number(offset), Number(sectors * 512n - (offset % 512n)))
  try {
    return inflateRawSync(packed, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 2 ** clusterBits })
  } catch {
    return null
  }
}
