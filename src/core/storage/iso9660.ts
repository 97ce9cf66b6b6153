import type { ByteSource } from './byte-source'

/** What an optical disc's descriptors say: ECMA-119 (ISO 9660), El Torito 1.0, ECMA-167 (UDF). */
export interface DiscFacts {
  volumeId: string | null
  bootable: { bios: boolean; uefi: boolean }
  /** Bytes that the disc has according to its own descriptor; null when it does not say. */
  declaredBytes: number | null
}

const sectorSize = 2048
const firstDescriptor = 16
/** Real discs have fewer than ten; the standard sets no limit. */
const descriptorLimit = 64
const descriptorType = { boot: 0, primary: 1, end: 255 }
const platform = { bios: 0x00, uefi: 0xef }
const bootableFlag = 0x88

export async function readDisc(source: ByteSource): Promise<DiscFacts> {
  const facts: DiscFacts = { volumeId: null, bootable: { bios: false, uefi: false }, declaredBytes: null }
  let isUdf = false
  for (let index = 0; index < descriptorLimit; index += 1) {
    const sector = await source.read((firstDescriptor + index) * sectorSize, sectorSize)
    if (sector.length < sectorSize) break
    const identifier = sector.toString('latin1', 1, 6)
    if (identifier === 'NSR02' || identifier === 'NSR03') isUdf = true
    // UDF's own descriptors follow those of ISO 9660 on a disc that has both.
    if (identifier !== 'CD001') {
      if (['BEA01', 'NSR02', 'NSR03', 'BOOT2', 'TEA01'].includes(identifier)) continue
      break
    }
    const type = sector[0]
    if (type === descriptorType.primary && facts.declaredBytes === null) {
      facts.volumeId = text(sector.subarray(40, 72))
      facts.declaredBytes = sector.readUInt32LE(80) * sectorSize
    } else if (type === descriptorType.boot && sector.toString('latin1', 7, 30) === 'EL TORITO SPECIFICATION') {
      facts.bootable = readBootCatalog(await source.read(sector.readUInt32LE(71) * sectorSize, sectorSize))
    }
  }
  if (isUdf && (facts.volumeId === null || facts.volumeId === '')) facts.volumeId = await readUdfVolumeId(source)
  return facts
}

/** El Torito 2.0 ff.: a validation entry, the default entry, then sections with a header each; 32 bytes every one. */
export function readBootCatalog(catalog: Buffer): DiscFacts['bootable'] {
  const bootable = { bios: false, uefi: false }
  if (catalog.length < 64 || catalog[0] !== 1 || catalog.readUInt16LE(30) !== 0xaa55) return bootable
  const note = (platformId: number | undefined, indicator: number | undefined): void => {
    if (indicator !== bootableFlag) return
    if (platformId === platform.uefi) bootable.uefi = true
    if (platformId === platform.bios) bootable.bios = true
  }
  note(catalog[1], catalog[32])
  for (let at = 64; at + 32 <= catalog.length;) {
    const header = catalog[at]
    if (header !== 0x90 && header !== 0x91) break
    const platformId = catalog[at + 1]
    const entries = catalog.readUInt16LE(at + 2)
    at += 32
    for (let entry = 0; entry < entries && at + 32 <= catalog.length; at += 32) {
      // An extension record belongs to the entry before it.
      if (catalog[at] === 0x44) continue
      note(platformId, catalog[at])
      entry += 1
    }
    if (header === 0x91) break
  }
  return bootable
}

/** ECMA-167 3/10: the anchor in sector 256 points to descriptors, of which the one with tag 1 names the volume. */
async function readUdfVolumeId(source: ByteSource): Promise<string | null> {
  const anchor = await source.read(256 * sectorSize, sectorSize)
  if (anchor.length < 32 || anchor.readUInt16LE(0) !== 2) return null
  const sectors = Math.min(Math.ceil(anchor.readUInt32LE(16) / sectorSize), descriptorLimit)
  const start = anchor.readUInt32LE(20)
  for (let index = 0; index < sectors; index += 1) {
    const descriptor = await source.read((start + index) * sectorSize, sectorSize)
    if (descriptor.length < 64) return null
    if (descriptor.readUInt16LE(0) === 1) return compressedUnicode(descriptor.subarray(24, 56))
  }
  return null
}

/** OSTA CS0 (UDF 2.1.1): the first byte says 8 or 16 bits per character, the last byte of the field how many bytes are used. */
function compressedUnicode(field: Buffer): string | null {
  const used = field.subarray(1, Math.max(1, Math.min(field[field.length - 1] ?? 0, field.length - 1)))
  if (field[0] === 8) return text(used)
  if (field[0] !== 16) return null
  let value = ''
  for (let at = 0; at + 2 <= used.length; at += 2) value += String.fromCharCode(used.readUInt16BE(at))
  return value.trim()
}

/** Characters that could not be shown are left out: the file is not to be trusted. */
function text(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/\p{Cc}/gu, '')
    .trim()
}
