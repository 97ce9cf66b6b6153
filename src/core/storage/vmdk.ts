import type { ByteSource } from './byte-source'

/** What a VMDK says about itself and the files that belong to it (VMware's Virtual Disk Format 1.1). */
export interface VmdkFacts {
  /** Files that hold the content, as named in a descriptor file; empty for a disk in one file. */
  extents: string[]
  /** The disk that this one holds only the changes of. */
  parent: string | null
  virtualBytes: number | null
}

const descriptorLimit = 1024 * 1024
const sector = 512

export async function readVmdk(source: ByteSource): Promise<VmdkFacts> {
  const head = await source.read(0, sector)
  const magic = head.toString('latin1', 0, 4)
  if (magic === 'COWD') return { extents: [], parent: null, virtualBytes: head.length < 16 ? null : head.readUInt32LE(12) * sector }
  if (magic !== 'KDMV') return parseDescriptor((await source.read(0, descriptorLimit)).toString('utf8'))
  if (head.length < 44) return { extents: [], parent: null, virtualBytes: null }
  const capacity = Number(head.readBigUInt64LE(12)) * sector
  const descriptorOffset = Number(head.readBigUInt64LE(28)) * sector
  const descriptorLength = Math.min(Number(head.readBigUInt64LE(36)) * sector, descriptorLimit)
  const descriptor = descriptorOffset === 0 ? null : parseDescriptor(endAtZero(await source.read(descriptorOffset, descriptorLength)))
  // With a capacity of zero, QEMU takes the descriptor inside for a descriptor file and opens what it names.
  if (capacity === 0) return descriptor ?? { extents: [], parent: null, virtualBytes: null }
  return { extents: [], parent: descriptor?.parent ?? null, virtualBytes: capacity }
}

/** Pure: the text of a descriptor. */
export function parseDescriptor(text: string): VmdkFacts {
  const extents: string[] = []
  let sectors = 0
  for (const match of text.matchAll(/^\s*(?:RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"\n]*)")?/gmu)) {
    sectors += Number(match[1])
    if (match[2] !== 'ZERO' && match[3] !== undefined) extents.push(match[3])
  }
  const parent = /^\s*parentFileNameHint\s*=\s*"([^"\n]*)"/mu.exec(text)?.[1] ?? null
  return { extents: [...new Set(extents)], parent, virtualBytes: sectors === 0 ? null : sectors * sector }
}

function endAtZero(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end)
}
