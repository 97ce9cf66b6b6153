import { lstat, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import type { DiskFormat } from '@shared/model'
import { errnoOf, fileError } from '../config'
import { checkImage } from '../engine/qemu'
import { baseFoldersOf } from '../library/base-folders'
import { FileSource } from '../storage'
import { emptyFile, truncatedImage } from '../storage/image-faults'
import { findMissingBytes, readQcow2Header } from '../storage/qcow2'
import { examineQcow2 } from '../storage/references'
import { type KnownImage, liveUsers, readCatalogue } from './catalogue'
import type { ImageContext } from './context'

/** The image that a piece of work is about. */
export interface Subject {
  /** Absolute, links resolved. */
  readonly path: string
  readonly name: string
  readonly format: DiskFormat
  /** null: no machine has anything to do with it. */
  readonly known: KnownImage | null
  readonly virtualBytes: number
  readonly bytes: number
  /** Opens an image from elsewhere that is encrypted; null: it is not, or a machine has its key. */
  readonly passphrase: string | null
}

/**
 * Finds an image and looks whether it may be opened at all: what it is based on must lie where it may.
 * Throws `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `INVALID_INPUT`, `IMAGE_UNSUPPORTED`, `IMAGE_DAMAGED`, `BACKING_FILE_OUTSIDE`, and `KEY_REQUIRED` for one that nobody has the key of.
 * @param acceptedFiles those outside that the person accepts it to be based on
 * @param passphrase of an image from elsewhere that is encrypted; it is not tried here
 * @param mayBeDamaged it is to be checked or mended
 * @param isReadWhole all of its content is to be read: what was cut short is refused, which QEMU would read as zeroes
 * @param isRemoved nothing is read of it
 */
export async function findSubject(context: ImageContext, wanted: string, { sourceFormat, acceptedFiles = [], passphrase = null, mayBeDamaged = false, isReadWhole = false, isRemoved = false }: Finding): Promise<Subject> {
  requireAbsolute(wanted)
  const path = await realpath(wanted).catch((error: unknown) => {
    throw fileError(error, wanted, 'read')
  })
  const listed = (await readCatalogue(context)).images.get(path) ?? null
  // Nothing opens what is only removed.
  if (isRemoved && listed !== null) return { path, name: basename(path), format: listed.format ?? 'raw', known: listed, virtualBytes: listed.virtualBytes ?? 0, bytes: listed.bytes, passphrase: null }
  if (passphrase !== null && listed !== null) requireForeign(listed)
  if (listed?.format === null && listed.fault !== null && sourceFormat === undefined && (await lstat(path)).size > 0) throw unclear(listed)
  const foreign = listed?.format == null ? await lookAtForeign(context, path, { sourceFormat, acceptedFiles, passphrase, mayBeDamaged }) : null
  // What the person says of it is its format.
  const known = listed !== null && listed.format === null && foreign !== null ? { ...listed, format: foreign.format, fault: null } : listed
  const format = known?.format ?? foreign?.format ?? 'raw'
  if (sourceFormat !== undefined && sourceFormat !== format) {
    throw new RingsideError('INVALID_INPUT', `This image is ${format}, and not ${sourceFormat}: ${path}`, { path, hint: 'Leave the format out.', issues: [{ path: 'sourceFormat', message: `It is ${format}.`, received: sourceFormat, severity: 'error' }] })
  }
  await requireSafe(context, { path, format, known }, acceptedFiles, mayBeDamaged)
  if (isReadWhole && foreign === null) await requireWhole(context, { path, format, known })
  const found = await lstat(path)
  const virtualBytes = known?.virtualBytes ?? foreign?.virtualBytes ?? (format === 'raw' ? found.size : (await (await context.imageTool()).info(path, format)).virtualBytes)
  return { path, name: basename(path), format, known, virtualBytes, bytes: process.platform === 'win32' ? found.size : found.blocks * 512, passphrase }
}

interface Finding { sourceFormat?: DiskFormat | undefined; acceptedFiles?: readonly string[] | undefined; passphrase?: string | null; mayBeDamaged?: boolean; isReadWhole?: boolean; isRemoved?: boolean }

function unclear({ path, fault }: KnownImage): RingsideError {
  return new RingsideError('IMAGE_UNSUPPORTED', `The image ${fault ?? 'says nothing about itself'}: ${path}`, { path, hint: 'Bring it in, and say what it is.' })
}

/** A passphrase is given for what lies beside the machines only. */
function requireForeign({ path, encrypted, owner }: KnownImage): void {
  if (!encrypted) throw notEncrypted(path)
  if (owner !== null) throw new RingsideError('INVALID_INPUT', `The image belongs to “${owner.name}”, whose passphrase opens it: ${path}`, { path, hint: 'Leave the passphrase of the image out, and unlock the machine.' })
}

function notEncrypted(path: string): RingsideError {
  return new RingsideError('INVALID_INPUT', `The image is not encrypted, so that no passphrase opens it: ${path}`, { path, hint: 'Leave the passphrase out.' })
}

export function requireAbsolute(path: string): void {
  if (!isAbsolute(path)) throw new RingsideError('INVALID_INPUT', `A path has to be complete, from the root: ${path.slice(0, 200)}`, { hint: 'Write the whole path.' })
}

/** Throws what speaks against an image that nobody here knows. */
async function lookAtForeign(context: ImageContext, path: string, { sourceFormat: said, acceptedFiles = [], passphrase = null, mayBeDamaged = false }: Finding): Promise<{ format: DiskFormat; virtualBytes: number | null }> {
  const { report, faults } = await context.storage.examine(path, acceptedFiles)
  const [fault] = faults.filter(({ code }) => !(mayBeDamaged && code === 'IMAGE_DAMAGED') && !(passphrase !== null && code === 'KEY_REQUIRED'))
  if (fault !== undefined) throw fault
  if (passphrase !== null && report.encryption === undefined) throw notEncrypted(path)
  // That it is raw can be said of anything; whatever else is said shows in its first bytes.
  const format = said === 'raw' && report.encryption === undefined ? 'raw' : report.format
  if (format !== null && report.kind !== 'iso') return { format, virtualBytes: report.encryption === undefined ? null : report.virtualBytes }
  throw new RingsideError('IMAGE_UNSUPPORTED', `Nothing in this file says that it is a disk image: ${path}`, { path, hint: 'Choose another file, or say that its format is raw if you know that it is a disk.' })
}

async function requireSafe(context: ImageContext, { path, format, known }: Pick<Subject, 'path' | 'format' | 'known'>, acceptedFiles: readonly string[], mayBeDamaged: boolean): Promise<void> {
  try {
    await checkImage({ path, format, readOnly: true, label: 'disk image', encrypted: 'either' }, { ...placesOf(context, known), baseFiles: acceptedFiles })
  } catch (error) {
    if (!mayBeDamaged || !isRingsideError(error, 'IMAGE_DAMAGED') || format !== 'qcow2') throw error
    // What it is based on still counts: QEMU opens that to check and to mend.
    await using source = await FileSource.open(path)
    const [fault] = (await examineQcow2(source, path, { library: context.libraryFolder, accepted: [] })).faults.filter(({ code }) => code !== 'IMAGE_DAMAGED')
    if (fault !== undefined) throw fault
  }
}

/** Of images that the library knows. What a guest writes to now is longer by the next moment, and is left to QEMU. */
async function requireWhole(context: ImageContext, { path, format, known }: Pick<Subject, 'path' | 'format' | 'known'>): Promise<void> {
  if (format === 'raw') {
    const found = await lstat(path)
    if (found.isFile() && found.size === 0) throw emptyFile(path)
    return
  }
  if (format !== 'qcow2') {
    const [fault] = (await context.storage.examine(path)).faults
    if (fault !== undefined) throw fault
    return
  }
  if (known !== null && liveUsers(known).some(({ direct }) => direct)) return
  const { images } = known?.below == null ? { images: new Map<string, KnownImage>() } : await readCatalogue(context)
  const seen = new Set<string>()
  for (let at: string | null = path; at !== null && !seen.has(at) && (at === path || images.get(at)?.format === 'qcow2'); at = images.get(at)?.below ?? null) {
    seen.add(at)
    await using source = await FileSource.open(at)
    const read = await readQcow2Header(source)
    const missing = 'header' in read && read.header.unknownFeatures === 0 ? await findMissingBytes(source, read.header) : null
    if (missing !== null) throw truncatedImage(at, 'qcow2', source.size, missing)
  }
}

function placesOf({ library, libraryFolder }: ImageContext, known: KnownImage | null): { machineFolder: string; baseFolders: string[] } {
  const owner = known?.owner
  if (owner == null) return { machineFolder: libraryFolder, baseFolders: [] }
  return { machineFolder: owner.folder, baseFolders: baseFoldersOf(library, library.get(owner.id).definition) }
}

/**
 * Where a new image may be: in a folder that is there and belongs to no machine, under a name that is free.
 * Throws `FILE_EXISTS`, `FILE_NOT_FOUND`, `INVALID_INPUT`. @returns its path with the folder's links resolved
 */
export async function requireFreeTarget({ libraryFolder }: Pick<ImageContext, 'libraryFolder'>, wanted: string): Promise<string> {
  requireAbsolute(wanted)
  const folder = await realpath(dirname(wanted)).catch((error: unknown) => {
    throw fileError(error, dirname(wanted), 'read')
  })
  if (!(await lstat(folder)).isDirectory()) throw new RingsideError('INVALID_INPUT', `This is no folder: ${folder}`, { path: folder, hint: 'Choose a folder.' })
  const path = join(folder, basename(wanted))
  const library = await realpath(libraryFolder).catch(() => libraryFolder)
  if (path.startsWith(`${library}/`) || path.startsWith(`${library}\\`)) {
    throw new RingsideError('INVALID_INPUT', `The folders of the library hold only what belongs to machines: ${path}`, { path, hint: 'Choose another folder.' })
  }
  const exists = await lstat(path).then(() => true, (error: unknown) => errnoOf(error) !== 'ENOENT')
  if (exists) throw new RingsideError('FILE_EXISTS', `There is a file of that name already: ${path}`, { path, hint: 'Choose another name, or move the file away.' })
  return path
}
