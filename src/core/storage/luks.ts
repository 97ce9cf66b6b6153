import type { ByteSource } from './byte-source'

/** What the header of a LUKS container says, as far as it matters before a passphrase is tried [LUKS1 On-Disk Format Specification 1.2.3, figure 1]. */
export interface LuksHeader {
  /** Where the encrypted content begins, bytes from the header. */
  payloadOffset: number
  /** Key slots that a passphrase may open. */
  activeSlots: number
}

/** `version`: it is a LUKS header of another version than 1, whose form is another one. */
export type LuksReading = { header: LuksHeader } | { version: number } | { fault: string }

const headerBytes = 592
const magic = Buffer.from('LUKS\xba\xbe', 'latin1')
const slots = { offset: 208, bytes: 48, count: 8, enabled: 0x00ac71f3 }
const sectorBytes = 512

/** @param at where the header is, bytes */
export async function readLuksHeader(source: ByteSource, at = 0): Promise<LuksReading> {
  const head = at < source.size ? await source.read(at, headerBytes) : Buffer.alloc(0)
  if (head.length < magic.length + 2 || head.compare(magic, 0, magic.length, 0, magic.length) !== 0) return { fault: 'its LUKS header is missing' }
  const version = head.readUInt16BE(6)
  if (version !== 1) return { version }
  if (head.length < headerBytes) return { fault: 'it ends within its LUKS header' }
  const payloadOffset = head.readUInt32BE(104) * sectorBytes
  const activeSlots = Array.from({ length: slots.count }, (_, slot) => head.readUInt32BE(slots.offset + slot * slots.bytes)).filter((state) => state === slots.enabled).length
  return { header: { payloadOffset, activeSlots } }
}
