/** How far the partitions of a disk reach, as its beginning says. */
export type PartitionReach =
  /** No partition table: the whole disk may be a file system. */
  | { readonly kind: 'none' }
  /** `endBytes`: where the last partition ends. A GPT has a spare copy of itself in the last sectors of the disk. */
  | { readonly kind: 'mbr' | 'gpt'; readonly endBytes: number }
  /** There is one, and it can't be understood. */
  | { readonly kind: 'unclear' }

/** How much of a disk's beginning is looked at: a GPT of 128 entries, whatever the sector size. Bytes. */
export const partitionTableBytes = 1024 * 1024

const mbrEntries = [446, 462, 478, 494]
/** Size of an entry and number of entries beyond which a GPT is none (UEFI 5.3.2: 128 × 2^n bytes). */
const longestEntry = 4096
const mostEntries = 4096

/** Pure: from the first bytes that the guest would see. An MBR as IBM made it, whose extended partitions hold the logical ones within them; a GPT as UEFI 5.3 has it. */
export function partitionReach(start: Buffer): PartitionReach {
  if (start.length < 512 || start.readUInt16LE(510) !== 0xaa55) return hasGpt(start, 512) || hasGpt(start, 4096) ? { kind: 'unclear' } : { kind: 'none' }
  for (const sector of [512, 4096]) if (hasGpt(start, sector)) return gptReach(start, sector)
  const entries = mbrEntries.map((at) => ({ type: start[at + 4] ?? 0, first: start.readUInt32LE(at + 8), sectors: start.readUInt32LE(at + 12) })).filter(({ type }) => type !== 0)
  // A protective entry without the GPT that it protects.
  if (entries.some(({ type }) => type === 0xee)) return { kind: 'unclear' }
  // The boot sector of a file system that fills the disk ends with the same two bytes.
  if (entries.length === 0) return { kind: 'none' }
  return { kind: 'mbr', endBytes: Math.max(...entries.map(({ first, sectors }) => first + sectors)) * 512 }
}

function hasGpt(start: Buffer, sector: number): boolean {
  return start.toString('latin1', sector, sector + 8) === 'EFI PART'
}

function gptReach(start: Buffer, sector: number): PartitionReach {
  const header = start.subarray(sector)
  if (header.length < 92) return { kind: 'unclear' }
  const entriesAt = Number(header.readBigUInt64LE(72)) * sector
  const count = header.readUInt32LE(80)
  const size = header.readUInt32LE(84)
  if (size < 128 || size > longestEntry || count > mostEntries || entriesAt + count * size > start.length) return { kind: 'unclear' }
  let end = 0
  for (let index = 0; index < count; index += 1) {
    const entry = start.subarray(entriesAt + index * size, entriesAt + (index + 1) * size)
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue
    end = Math.max(end, (Number(entry.readBigUInt64LE(40)) + 1) * sector)
  }
  return { kind: 'gpt', endBytes: end }
}
