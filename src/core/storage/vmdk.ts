import type { ByteSource } from './byte-source'

/** What a VMDK says about itself and the files that belong to it (VMware's Virtual Disk Format 1.1). */
export interface VmdkFacts {
  /** Files that hold the content, as named in a descriptor file; empty for a disk in one file. */
  extents: string[]
  /** How long those of them have to be that hold the disk as it is. Bytes. */
  flat: { name: string; bytes: number }[]
  /** The disk that this one holds only the changes of. */
  parent: string | null
  virtualBytes: number | null
}

const descriptorLimit = 1024 * 1024
const sector = 512

export async function readVmdk(source: ByteSource): Promise<VmdkFacts> {
  const head = await source.read(0, sector)
  const magic = head.toString('latin1', 0, 4)
  if (magic === 'COWD') return { extents: [], flat: [], parent: null, virtualBytes: head.length < 16 ? null : head.readUInt32LE(12) * sector }
  if (magic !== 'KDMV') return parseDescriptor((await source.read(0, descriptorLimit)).toString('utf8'))
  if (head.length < 44) return { extents: [], flat: [], parent: null, virtualBytes: null }
  const capacity = Number(head.readBigUInt64LE(12)) * sector
  const descriptorOffset = Number(head.readBigUInt64LE(28)) * sector
  const descriptorLength = Math.min(Number(head.readBigUInt64LE(36)) * sector, descriptorLimit)
  const descriptor = descriptorOffset === 0 ? null : parseDescriptor(endAtZero(await source.read(descriptorOffset, descriptorLength)))
  // With a capacity of zero, QEMU takes the descriptor inside for a descriptor file and opens what it names.
  if (capacity === 0) return descriptor ?? { extents: [], flat: [], parent: null, virtualBytes: null }
  return { extents: [], flat: [], parent: descriptor?.parent ?? null, virtualBytes: capacity }
}

/** Says in the header that the tables are told of by a footer, as in a file that was written in one go. */
const atEnd = 2n ** 64n - 1n
/** Longer tables are not walked to their end. Bytes. */
const tableBudget = 64 * 1024 * 1024

/**
 * The length that a disk in one file has to have according to its own tables, where that is beyond its end; null when nothing is missing, or it has no such tables. QEMU reads what a download
 * that was cut short lacks as zeroes.
 */
export async function findMissingVmdkBytes(source: ByteSource): Promise<number | null> {
  const head = await source.read(0, sector)
  if (head.toString('latin1', 0, 4) !== 'KDMV' || head.length < 80 || head.readBigUInt64LE(12) === 0n) return null
  const footer = head.readBigUInt64LE(56) === atEnd ? await source.read(Math.max(0, source.size - 2 * sector), sector) : head
  // What marks the end of the file comes behind the footer.
  if (footer.toString('latin1', 0, 4) !== 'KDMV' || footer.length < 80) return source.size + sector
  const directoryOffset = Number(footer.readBigUInt64LE(56)) * sector
  const perTable = footer.readUInt32LE(44)
  const grainSectors = Number(footer.readBigUInt64LE(20))
  if (directoryOffset === 0 || perTable === 0 || perTable > 2 ** 16 || grainSectors === 0) return null
  const tables = Math.min(Math.ceil(Number(footer.readBigUInt64LE(12)) / (grainSectors * perTable)), 2 ** 20)
  if (directoryOffset + tables * 4 > source.size) return directoryOffset + tables * 4
  const directory = await source.read(directoryOffset, tables * 4)
  let budget = tableBudget
  for (let at = 0; at + 4 <= directory.length && budget > 0; at += 4) {
    const tableOffset = directory.readUInt32LE(at) * sector
    if (tableOffset === 0) continue
    if (tableOffset + perTable * 4 > source.size) return tableOffset + perTable * 4
    const table = await source.read(tableOffset, perTable * 4)
    budget -= table.length
    for (let entry = 0; entry + 4 <= table.length; entry += 4) {
      const grain = table.readUInt32LE(entry) * sector
      if (grain >= source.size) return grain + sector
    }
  }
  return null
}

/** Pure: the text of a descriptor. */
export function parseDescriptor(text: string): VmdkFacts {
  const extents: string[] = []
  const flat: VmdkFacts['flat'] = []
  let sectors = 0
  for (const [, length, type, name, offset] of text.matchAll(/^\s*(?:RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"\n]*)"(?:[ \t]+(\d+))?)?/gmu)) {
    sectors += Number(length)
    if (type === 'ZERO' || name === undefined) continue
    extents.push(name)
    if (type === 'FLAT') flat.push({ name, bytes: (Number(length) + Number(offset ?? 0)) * sector })
  }
  const parent = /^\s*parentFileNameHint\s*=\s*"([^"\n]*)"/mu.exec(text)?.[1] ?? null
  return { extents: [...new Set(extents)], flat, parent, virtualBytes: sectors === 0 ? null : sectors * sector }
}

function endAtZero(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end)
}
