import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import type { RingsideError } from '@shared/errors'
import { errnoOf } from '../config'
import { type ByteSource, FileSource } from './byte-source'
import { corruptImage, damagedImage, missingBacking, reachesOutside, truncatedImage, unsupportedImage } from './image-faults'
import { detectImageFormat } from './image-format'
import { type LuksReading, readLuksHeader } from './luks'
import { findMissingBytes, readQcow2Header } from './qcow2'
import { findMissingVmdkBytes, readVmdk } from './vmdk'

/** Longer chains are made by programs that never merge, and each link costs time on every read. */
const chainLimit = 32
const knownFeatureBits = 5

export interface DiskFacts {
  faults: RingsideError[]
  virtualBytes: number | null
  /** Other files that it consists of or is based on, all inside the library or beside it. */
  dependsOn: string[]
  /** The first file outside that was not accepted, and could be. */
  unaccepted?: string
  /** LUKS, which a passphrase opens. */
  encrypted?: boolean
}

/** Where an image may read from: the library, and files outside that a person accepted (links resolved). */
export interface ReadableFiles { library: string; accepted: readonly string[] }

/** A qcow2 and everything below it, before QEMU ever opens it. */
export async function examineQcow2(source: ByteSource, path: string, readable: ReadableFiles, depth = 0): Promise<DiskFacts> {
  const read = await readQcow2Header(source)
  const facts: DiskFacts = { faults: [], virtualBytes: null, dependsOn: [] }
  if ('fault' in read) {
    facts.faults.push(
      damagedImage(
        path,
        'qcow2',
        read.fault === 'too short for its header' ? `it ends within its header, after ${String(source.size)} bytes` : read.fault,
      ),
    )
    return facts
  }
  if ('version' in read) {
    facts.faults.push(
      unsupportedImage(
        path,
        `its qcow version is ${String(read.version)} and only 2 and 3 are known`,
        'Convert it with the program that made it.',
      ),
    )
    return facts
  }
  const { header } = read
  facts.virtualBytes = header.virtualBytes
  if (header.encryption === 'LUKS') {
    const faults = luksFaults(path, 'qcow2', header.luksOffset === null ? { fault: 'its LUKS header is missing' } : await readLuksHeader(source, header.luksOffset))
    facts.encrypted = faults.length === 0
    facts.faults.push(...faults)
  } else if (header.encryption !== 'none') {
    facts.faults.push(
      unsupportedImage(
        path,
        `it is encrypted (${header.encryption})`,
        'Decrypt it first: qemu-img convert with its key makes a plain copy.',
      ),
    )
  }
  if (header.unknownFeatures !== 0) {
    facts.faults.push(
      unsupportedImage(
        path,
        `it uses qcow2 features that are not known here (bits ${(header.unknownFeatures * 2 ** knownFeatureBits).toString(2)})`,
        'Convert it with the program that made it, to an older qcow2.',
      ),
    )
  }
  if (header.corrupt) facts.faults.push(corruptImage(path))
  if (header.hasDataFile || header.dataFile !== null) {
    facts.faults.push(reachesOutside(path, header.dataFile ?? 'a data file that it does not name', 'keeps its content in'))
  }
  const missing = header.unknownFeatures === 0 ? await findMissingBytes(source, header) : null
  if (missing !== null) facts.faults.push(truncatedImage(path, 'qcow2', source.size, missing))
  if (header.backingFile !== null)
    await followBacking(facts, { path, name: header.backingFile, format: header.backingFormat, readable, depth })
  return facts
}

/** Only a chain that stays inside the library, or within what a person accepted, is followed: whoever made the image must not choose which of the user's files QEMU opens. */
async function followBacking(
  facts: DiskFacts,
  from: { path: string; name: string; format: string | null; readable: ReadableFiles; depth: number },
): Promise<void> {
  const { path, name, readable: { library, accepted } } = from
  if (hasProtocol(name)) {
    facts.faults.push(reachesOutside(path, name, 'is based on'))
    return
  }
  const other = isAbsolute(name) ? name : resolve(dirname(path), name)
  let real: string
  try {
    real = await realpath(other)
  } catch (error) {
    // Whether a file outside exists is none of the image's business: it is refused either way, and in the same words.
    const known = isInside(resolve(other), library) || accepted.includes(resolve(other))
    facts.faults.push(errnoOf(error) === 'ENOENT' && known ? missingBacking(path, other) : reachesOutside(path, other, 'is based on'))
    if (!known) facts.unaccepted = resolve(other)
    return
  }
  const isOutside = !isInside(real, await realpath(library).catch(() => library))
  if (isOutside && !accepted.includes(real)) {
    facts.faults.push(reachesOutside(path, real === other ? other : `${other}, which is ${real}`, 'is based on'))
    facts.unaccepted = real
    return
  }
  if (isOutside && !(await stat(real)).isFile()) {
    facts.faults.push(unsupportedImage(path, `it is based on what is no ordinary file (${real})`, 'Make a copy of that first, as a file.'))
    return
  }
  facts.dependsOn.push(real)
  if (from.depth >= chainLimit) {
    facts.faults.push(
      unsupportedImage(
        path,
        `it is based on a chain of more than ${String(chainLimit)} images, or on itself`,
        'Join them with qemu-img convert.',
      ),
    )
    return
  }
  if (from.format === null) {
    facts.faults.push(
      unsupportedImage(
        path,
        `it does not state the format of the file that it is based on (${other})`,
        `State it: qemu-img rebase -u -F FORMAT -b '${name}' '${path}'`,
      ),
    )
    return
  }
  if (isOutside && from.format !== 'qcow2' && from.format !== 'raw') {
    facts.faults.push(unsupportedImage(path, `it is based on a ${from.format} image outside the library (${real})`, 'Join them with the program that made them.'))
    return
  }
  if (from.format !== 'qcow2') return
  await using source = await FileSource.open(real)
  const below = await examineQcow2(source, real, from.readable, from.depth + 1)
  facts.faults.push(...below.faults)
  if (below.encrypted === true && facts.encrypted !== true) facts.faults.push(unsupportedImage(path, `it is not encrypted and is based on an image that is (${real})`, 'Join them with qemu-img convert and the key.'))
  if (below.unaccepted !== undefined) facts.unaccepted = below.unaccepted
  facts.dependsOn.push(...below.dependsOn)
}

/** A raw disk in a LUKS container. */
export async function examineLuks(source: ByteSource, path: string): Promise<DiskFacts> {
  const read = await readLuksHeader(source)
  const faults = luksFaults(path, 'LUKS', read)
  if (!('header' in read)) return { faults, virtualBytes: null, dependsOn: [] }
  const { payloadOffset } = read.header
  if (payloadOffset === 0) faults.push(unsupportedImage(path, 'its LUKS header lies apart from its content', 'Put both into one file with cryptsetup first.'))
  else if (payloadOffset >= source.size) faults.push(truncatedImage(path, 'LUKS', source.size, payloadOffset + 512))
  return { faults, virtualBytes: Math.max(0, source.size - payloadOffset), dependsOn: [], encrypted: faults.length === 0 }
}

/** What QEMU’s LUKS can’t open: it knows version 1 only [crypto/block-luks.c]. */
function luksFaults(path: string, format: string, read: LuksReading): RingsideError[] {
  if ('fault' in read) return [damagedImage(path, format, read.fault)]
  if ('version' in read) return [unsupportedImage(path, `it is encrypted with LUKS${String(read.version)} and QEMU opens LUKS1 only`, 'Open it on Linux with “cryptsetup open”, copy the plain disk under /dev/mapper with “qemu-img convert”, and choose the copy. A copy of the image whose sectors have 512 bytes can also become LUKS1: “cryptsetup luksConvertKey --pbkdf pbkdf2 COPY”, then “cryptsetup convert --type luks1 COPY”.')]
  return read.header.activeSlots > 0 ? [] : [unsupportedImage(path, 'no passphrase can open it, as all of its key slots are empty', 'Put its LUKS header back from a backup.')]
}

/** A VMDK may name files of its own folder and no others. */
export async function examineVmdk(source: ByteSource, path: string): Promise<DiskFacts> {
  const { extents, flat, parent, virtualBytes } = await readVmdk(source)
  const facts: DiskFacts = { faults: [], virtualBytes, dependsOn: [] }
  if (parent !== null) facts.faults.push(reachesOutside(path, parent, 'holds only the changes of'))
  const missing = await findMissingVmdkBytes(source)
  if (missing !== null) facts.faults.push(truncatedImage(path, 'vmdk', source.size, missing))
  const folder = await realpath(dirname(path)).catch(() => dirname(path))
  for (const extent of extents) {
    const other = resolve(folder, extent)
    if (hasProtocol(extent) || basename(extent) !== extent || extent.includes('\\')) {
      facts.faults.push(reachesOutside(path, extent, 'keeps its content in'))
      continue
    }
    try {
      const real = await realpath(other)
      if (dirname(real) !== folder) {
        facts.faults.push(reachesOutside(path, real, 'keeps its content in'))
        continue
      }
      facts.dependsOn.push(real)
      await using part = await FileSource.open(real)
      const needs = Math.max(await findMissingVmdkBytes(part) ?? 0, ...flat.filter(({ name }) => name === extent).map(({ bytes }) => bytes))
      if (needs > part.size) facts.faults.push(truncatedImage(other, 'vmdk', part.size, needs))
      const detected = await detectImageFormat(part)
      // An extent is data; were it an image with references of its own, QEMU would follow those.
      if (detected.kind === 'disk' && detected.format !== 'raw' && detected.format !== 'vmdk') {
        facts.faults.push(
          unsupportedImage(path, `its part ${other} is itself a ${detected.format} image`, 'Convert it with the program that made it.'),
        )
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      facts.faults.push(missingBacking(path, other))
    }
  }
  return facts
}

/** The numbers that decide whether QEMU can read a VDI at all (its header 1.1): the version, and the type, of which 1 and 2 are whole disks. */
export async function examineVdi(source: ByteSource, path: string): Promise<DiskFacts> {
  const head = await source.read(0, 512)
  if (head.length < 512) return { faults: [damagedImage(path, 'vdi', 'it ends within its header')], virtualBytes: null, dependsOn: [] }
  const faults: RingsideError[] = []
  const type = head.readUInt32LE(0x4c)
  if (type !== 1 && type !== 2)
    faults.push(
      unsupportedImage(path, 'it holds only the changes of another VirtualBox disk', 'Clone the disk in VirtualBox and choose the clone.'),
    )
  // Blocks lie behind each other; the last one may be shorter than the others.
  const [dataOffset, blockBytes, blocks] = [head.readUInt32LE(0x158), head.readUInt32LE(0x178), head.readUInt32LE(0x184)]
  const lastBlock = dataOffset + (blocks - 1) * blockBytes
  if (blocks > 0 && lastBlock >= source.size) faults.push(truncatedImage(path, 'vdi', source.size, lastBlock + blockBytes))
  return { faults, virtualBytes: Number(head.readBigUInt64LE(0x170)), dependsOn: [] }
}

/** A VHD's footer, which a dynamic one also has at its beginning; disk type 4 is a differencing disk. */
export async function examineVpc(source: ByteSource, path: string): Promise<DiskFacts> {
  const footer = await source.read(Math.max(0, source.size - 512), 512)
  if (footer.length < 512 || footer.toString('latin1', 0, 8) !== 'conectix') {
    return { faults: [damagedImage(path, 'vhd', 'its footer is missing, so it was probably cut short')], virtualBytes: null, dependsOn: [] }
  }
  const faults =
    footer.readUInt32BE(60) === 4
      ? [unsupportedImage(path, 'it holds only the changes of another disk', 'Merge it with its parent in Hyper-V first.')]
      : []
  return { faults, virtualBytes: Number(footer.readBigUInt64BE(48)), dependsOn: [] }
}

/** QEMU takes `proto:rest` and `json:{…}` for something else than a file (block.c, path_has_protocol). A Windows drive letter is none. */
function hasProtocol(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]+:/u.test(name)
}

export function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}
