import { constants } from 'node:fs'
import { access, open, realpath, stat, type FileHandle } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'
import { RingsideError } from '@shared/errors'
import { DiskFormat } from '@shared/model'
import type { ImageFacts, LayerFacts } from '../argv'
import { fileError } from '../../../config'
import { FileSource } from '../../../storage/byte-source'
import { detectImageFormat } from '../../../storage/image-format'
import { corruptImage, damagedImage, reachesOutside, truncatedImage, unsupportedImage } from '../../../storage/image-faults'
import { readQcow2Header } from '../../../storage/qcow2'
import { examineVdi, examineVmdk, examineVpc, isInside } from '../../../storage/references'

export interface ImageToCheck {
  /** Absolute. */
  path: string
  format: DiskFormat
  readOnly: boolean
  /** What it is to the person, e.g. `disk “disk0”`. */
  label: string
  /** Whether it has to be encrypted, with all its layers. Absent: it must not be. `either`: it may be. */
  encrypted?: boolean | 'either'
}

type Encrypted = boolean | 'either'

type ChainLink = Omit<LayerFacts, 'driver'>

/** Each layer costs QEMU two open files' worth of bookkeeping and this check a read; a thousand of them start in some seconds. */
const longestChain = 1024

/** Where an image may read from: the machine's own folder, and those of the machines that it is a linked clone of; and single files beside. */
export interface AllowedPlaces { machineFolder: string; baseFolders: readonly string[]; baseFiles?: readonly string[] }

/**
 * Looks at an image before QEMU opens it: that it is there, may be used, is what the definition says, and reads from no file outside
 * the places that it may read from.
 * Throws `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_UNREADABLE`, `FILE_EMPTY`, `IMAGE_DAMAGED`, `IMAGE_UNSUPPORTED` or `BACKING_FILE_OUTSIDE`.
 */
export async function checkImage(image: ImageToCheck, allowed: AllowedPlaces): Promise<ImageFacts> {
  const top = await checkFile(image)
  const places = await realPlaces(allowed)
  const backing: LayerFacts[] = []
  const seen = new Set([await realpath(image.path)])
  const encrypted = image.encrypted ?? false
  if (encrypted === true && image.format !== 'qcow2') throw notEncrypted(image.path)
  let current = await nextInChain(image.path, image.format, places, encrypted)
  while (current !== null) {
    if (seen.has(current.path)) throw unsupportedImage(image.path, `it is based on itself, by way of ${current.path}`, 'Put a copy of it in its place.')
    if (backing.length >= longestChain) throw unsupportedImage(image.path, `it is based on a chain of more than ${String(longestChain)} images`, 'Delete snapshots that are not needed, or join the images with qemu-img convert.')
    seen.add(current.path)
    const { isDevice } = await checkFile({ ...current, readOnly: true, label: `image behind the ${image.label}` })
    backing.push({ ...current, driver: isDevice ? 'host_device' : 'file' })
    if (encrypted === true && current.format !== 'qcow2') throw notEncrypted(current.path)
    current = await nextInChain(current.path, current.format, places, encrypted)
  }
  return { path: image.path, driver: top.isDevice ? 'host_device' : 'file', directIo: await takesDirectIo(image.path), backing }
}

/** Checks that a plain file (kernel, initrd) is there and can be read. Throws as `checkImage` does. */
export async function checkFile(file: { path: string; readOnly: boolean; label: string }): Promise<{ isDevice: boolean }> {
  const { path, label } = file
  let found
  try {
    found = await stat(path)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    const missing = ['ENOENT', 'ENOTDIR'].includes(code)
    if (!missing && code !== 'EACCES' && code !== 'EPERM') throw fileError(cause, path, 'read')
    throw new RingsideError(missing ? 'FILE_NOT_FOUND' : 'FILE_UNREADABLE', `The ${label} ${missing ? 'is missing' : 'can\'t be reached'}: ${path}`, {
      path, hint: missing ? 'Put the file back, or take the device out of the machine.' : 'Check the permissions of the folders above the file.',
    }, { cause })
  }
  const isDevice = found.isBlockDevice()
  if (!found.isFile() && !isDevice) {
    throw new RingsideError('NOT_A_FILE', `The ${label} is ${found.isDirectory() ? 'a folder' : 'no regular file'}: ${path}`, { path, hint: 'Put the image itself back in its place.' })
  }
  if (found.isFile() && found.size === 0) throw new RingsideError('FILE_EMPTY', `The ${label} is empty (0 bytes): ${path}`, { path, hint: 'Choose another file, or copy or download it again.' })
  try {
    await access(path, file.readOnly ? constants.R_OK : constants.R_OK | constants.W_OK)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EROFS') throw fileError(cause, path, 'written')
    throw new RingsideError('FILE_UNREADABLE', `The ${label} may not be ${file.readOnly ? 'read' : 'read and written'} by you: ${path}`, {
      path, hint: 'Change the permissions of the file.',
    }, { cause })
  }
  return { isDevice }
}

interface RealPlaces { own: string; bases: string[]; files: string[] }

async function realPlaces({ machineFolder, baseFolders, baseFiles = [] }: AllowedPlaces): Promise<RealPlaces> {
  const real = (paths: readonly string[]): Promise<string[]> => Promise.all(paths.map((path) => realpath(path).catch(() => path)))
  const [[own = machineFolder], bases, files] = await Promise.all([real([machineFolder]), real(baseFolders), real(baseFiles)])
  return { own, bases, files }
}

/** The image that this one is an overlay of. Only qcow2 ones may have one; whatever else refers to other files is refused. */
async function nextInChain(path: string, format: DiskFormat, places: RealPlaces, encrypted: Encrypted): Promise<ChainLink | null> {
  if (format === 'raw') return null
  await using source = await FileSource.open(path)
  const detected = await detectImageFormat(source)
  if (detected.kind !== 'disk' || detected.format !== format) throw damagedImage(path, format, 'it does not begin as one')
  switch (format) {
    case 'qcow2':
      return await belowQcow2(source, path, places, encrypted)
    case 'vmdk':
      throwFirst((await examineVmdk(source, path)).faults)
      return null
    case 'vdi':
      throwFirst((await examineVdi(source, path)).faults)
      return null
    case 'vpc':
      throwFirst((await examineVpc(source, path)).faults)
      return null
    case 'vhdx':
      return null
  }
}

/**
 * Looks at the header alone: reading all tables, as an inspection does, would delay every start. A file that ends before its tables is found
 * all the same, and the rest QEMU finds.
 */
async function belowQcow2(source: FileSource, path: string, places: RealPlaces, encrypted: Encrypted): Promise<ChainLink | null> {
  const read = await readQcow2Header(source)
  if ('fault' in read) throw damagedImage(path, 'qcow2', read.fault)
  if ('version' in read) throw unsupportedImage(path, `its qcow version is ${String(read.version)} and only 2 and 3 are known`, 'Convert it with the program that made it.')
  const { header } = read
  const tablesEnd = Math.max(header.l1Offset + header.l1Entries * 8, header.refcountTableOffset + header.refcountTableClusters * 2 ** header.clusterBits)
  if (tablesEnd > source.size) throw truncatedImage(path, 'qcow2', source.size, tablesEnd)
  if (header.corrupt) throw corruptImage(path)
  if (header.encryption !== 'none' && (header.encryption !== 'LUKS' || encrypted === false)) {
    throw unsupportedImage(path, `it is encrypted (${header.encryption})`, 'Bring it in with its passphrase first: a copy is made then.')
  }
  if (header.encryption === 'none' && encrypted === true) throw notEncrypted(path)
  if (header.hasDataFile || header.dataFile !== null) throw reachesOutside(path, header.dataFile ?? 'a data file that it does not name', 'keeps its content in')
  if (header.backingFile === null) return null
  return resolveBacking(path, header.backingFile, header.backingFormat, places)
}

/** Somebody may have put a file in its place to have what is written next in the clear. */
function notEncrypted(path: string): RingsideError {
  return unsupportedImage(path, 'it is not encrypted, and the disk that it belongs to is', 'Put the encrypted image back in its place.')
}

async function resolveBacking(path: string, name: string, format: string | null, { own, bases, files }: RealPlaces): Promise<ChainLink> {
  // `json:` and protocol names (`nbd:`, `https:`) reach anything; QEMU takes every `word:` for one [block.c: path_has_protocol].
  if (/^[A-Za-z][A-Za-z0-9+.-]+:/u.test(name) && !isAbsolute(name)) throw reachesOutside(path, name, 'is based on')
  const target = resolve(dirname(path), name)
  const real = await realpath(target).catch(() => target)
  const isOwn = isInside(real, own)
  if (!isOwn && !bases.some((folder) => isInside(real, folder)) && !files.includes(real)) throw reachesOutside(path, name, 'is based on')
  const known = DiskFormat.safeParse(format)
  if (!known.success) {
    throw unsupportedImage(path, `it does not state the format of the file that it is based on (${name})`, `State it: qemu-img rebase -u -F FORMAT -b '${name}' '${path}'`)
  }
  return { path: real, format: known.data, own: isOwn }
}

function throwFirst(faults: readonly RingsideError[]): void {
  if (faults[0] !== undefined) throw faults[0]
}

/** tmpfs and some network and overlay file systems refuse it; macOS and Windows have no such flag in Node. */
export async function takesDirectIo(path: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_DIRECT)
  } catch {
    return false
  }
  await handle.close()
  return true
}
