import { randomBytes, createHash } from 'node:crypto'
import { chmod, lstat, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { RingsideError } from '@shared/errors'
import { checksumNote, type DiskFormat, type DiskWork } from '@shared/model'
import { fileError, makeFolder, syncFolder } from '../config'
import { copyLargeFile, newDiskOptions } from '../creation'
import type { QemuImg } from '../engine/qemu'
import { syncFile } from '../snapshot/overlays'
import { outsideReaders } from '../snapshot/readers'
import { namesOf } from '../snapshot/names'
import { findOrphans } from '../snapshot/orphans'
import { survey } from '../snapshot/survey'
import { bytesInWords, FileSource } from '../storage'
import { readQcow2Header } from '../storage/qcow2'
import type { AtWork } from './at-work'
import type { ImageContext } from './context'
import { growHints } from './guest-hint'
import { proveShrinkable } from './prove-shrinkable'
import { makeNew, nameNew, noting, targetOptions } from './new-file'
import type { Subject } from './subject'

type Work<K extends DiskWork['kind']> = Extract<DiskWork, { kind: K }>

/** Disks are read for a checksum in pieces of this size, bytes: the most that it takes on the drive meanwhile. */
export const checksumPiece = 256 * 2 ** 20

/** Makes an empty image, or none. */
export async function createDisk(at: AtWork, { path, format, sizeBytes, preallocated }: Work<'create'>): Promise<void> {
  const options = [...(format === 'qcow2' ? newDiskOptions : []), ...(preallocated ? ['preallocation=falloc'] : [])]
  await makeNew(at, path, async (temporary) => {
    at.job.report(null, preallocated ? `Taking ${bytesInWords(sizeBytes)} of the drive` : 'Making the image')
    await at.tool.create(temporary, format, sizeBytes, options, at.signal)
  })
}

/** Writes all that the guest sees of an image to a new one. @param encryption `keep`: encrypted as the image is */
export async function convertDisk(at: AtWork, { path, format, passphrase }: Subject, to: string, targetFormat: DiskFormat, encryption: 'keep' | 'none' = 'keep'): Promise<void> {
  const { tool, job, signal, context } = at
  await makeNew(at, to, (temporary) => tool.convert({
    source: path, sourceFormat: format, target: temporary, targetFormat, options: targetOptions(targetFormat), signal, passphrase, encryption,
    onProgress: (fraction) => { job.report(fraction, `Writing ${basename(to)}`) }, onStarted: noting(context, temporary),
  }))
}

/** Off: the file becomes longer. On: QEMU makes it longer and tells the guest. */
export async function growDisk(at: AtWork, subject: Subject, { sizeBytes, preallocated = false }: Work<'grow'>): Promise<void> {
  const { tool, job, context, held } = at
  const plug = subject.known?.plugs[0] ?? null
  const live = plug === null ? undefined : held.find(({ id, live }) => id === plug.machine.id && live)
  job.report(null, preallocated ? `Taking ${bytesInWords(sizeBytes - subject.virtualBytes)} of the drive` : 'Making the disk larger')
  if (live !== undefined && plug !== null) {
    if (live.isDisposable) throw new RingsideError('ILLEGAL_STATE', `“${plug.machine.definition.name}” is in a disposable run, which throws its changes away. Shut it down first.`, { state: live.state })
    await live.command('resizeDisk', { disk: plug.disk.id, bytes: sizeBytes })
  } else {
    await tool.resize(subject.path, resizable(subject), sizeBytes, preallocated ? 'preallocate' : 'grow')
  }
  await syncFile(subject.path)
  await context.atStep('image:resized')
  for (const hint of growHints(plug === null ? null : { bus: plug.disk.bus, live: live !== undefined })) job.note(hint)
}

export async function shrinkDisk({ tool, job, signal, context }: AtWork, subject: Subject, { sizeBytes }: Work<'shrink'>): Promise<void> {
  await proveShrinkable(tool, { ...subject, newBytes: sizeBytes }, context.temporaryFolder, { signal, report: (fraction, step) => { job.report(fraction, step) } })
  signal.throwIfAborted()
  job.report(null, 'Making the disk smaller')
  await tool.resize(subject.path, resizable(subject), sizeBytes, 'shrink')
  await syncFile(subject.path)
  await context.atStep('image:resized')
}

function resizable({ format, path }: Subject): 'qcow2' | 'raw' {
  if (format === 'qcow2' || format === 'raw') return format
  throw new RingsideError('IMAGE_UNSUPPORTED', `A ${format} image can't be resized: ${path}`, { path, hint: 'Convert it to qcow2 first.' })
}

/** Writes a qcow2 anew without what reads as zeroes, compares both, and puts the new one in the old one's place in one step. */
export async function compactDisk({ tool, job, signal, context }: AtWork, { path }: Subject): Promise<void> {
  const before = await stat(path, { bigint: true })
  const { options, backing } = await layout(path)
  const temporary = await context.unfinished.begin(path)
  try {
    await context.atStep('image:begun')
    await tool.convert({
      source: path, sourceFormat: 'qcow2', target: temporary, targetFormat: 'qcow2', options, signal, ...(backing === null ? {} : { backing }),
      onProgress: (fraction) => { job.report(fraction * 0.7, 'Writing what is not empty') }, onStarted: noting(context, temporary),
    })
    const after = await stat(temporary, { bigint: true })
    const freed = Number((before.blocks - after.blocks) * 512n)
    if (freed <= 0) {
      job.note('There was nothing to give back. Space that the guest has freed and not trimmed still holds old data: “fstrim -a” in a Linux guest, “defrag /L” in Windows.')
      return
    }
    const same = await tool.compare({ path, format: 'qcow2' }, { path: temporary, format: 'qcow2' }, (fraction) => { job.report(0.7 + fraction * 0.3, 'Comparing both') }, signal)
    const now = await stat(path, { bigint: true })
    if (!same || now.mtimeNs !== before.mtimeNs || now.ino !== before.ino) {
      throw new RingsideError('INTERNAL', `The compacted image differs from the one that was there, which is left as it is: ${path}`, { path, hint: 'Check the image, then try again.' })
    }
    await chmod(temporary, Number(before.mode & 0o777n))
    await syncFile(temporary)
    await context.atStep('image:written')
    signal.throwIfAborted()
    await rename(temporary, path).catch((cause: unknown) => {
      throw fileError(cause, path, 'written')
    })
    await syncFolder(dirname(path))
    await context.atStep('image:named')
    job.note(`${bytesInWords(freed)} were given back.`)
  } finally {
    await context.unfinished.end(temporary)
  }
}

/** How the image is laid out, for another one of the same kind. */
async function layout(path: string): Promise<{ options: string[]; backing: { name: string; format: DiskFormat } | null }> {
  await using source = await FileSource.open(path)
  const read = await readQcow2Header(source)
  if (!('header' in read)) throw new RingsideError('IMAGE_DAMAGED', `The header of the image can't be read: ${path}`, { path, hint: 'Take it from a backup.' })
  const { version, clusterBits, extendedL2, compression, backingFile, backingFormat } = read.header
  const options = [`cluster_size=${String(2 ** clusterBits)}`, ...(version === 3 ? ['compat=1.1', 'lazy_refcounts=on'] : ['compat=0.10']), ...(extendedL2 ? ['extended_l2=on'] : []), ...(compression === 'zstd' ? ['compression_type=zstd'] : [])]
  return { options, backing: backingFile === null ? null : { name: backingFile, format: backingFormat === 'raw' ? 'raw' : 'qcow2' } }
}

/** Has every table of an image gone through, and remembers what was found. */
export async function checkDisk({ tool, job, signal, context }: AtWork, { path, format }: Subject): Promise<'sound' | 'leaks' | 'damaged'> {
  job.report(null, 'Going through the tables of the image')
  const { corruptions, leaks } = await tool.check(path, format, signal)
  const dirty = corruptions + leaks > 0 && format === 'qcow2' && (await isDirty(path))
  const result = corruptions > 0 && !dirty ? 'damaged' : corruptions + leaks > 0 ? 'leaks' : 'sound'
  await context.checks.put(path, result)
  const words = {
    sound: 'It is sound.',
    leaks: dirty ? 'It was not closed in order; QEMU puts its tables in order when it opens the image the next time. Data is not harmed.' : `Space is lost in it (${String(leaks)} clusters), and data is not. Repairing it gives the space back.`,
    damaged: `It is damaged: ${String(corruptions)} ${corruptions === 1 ? 'error' : 'errors'} in its tables. Take it from a backup, or have it repaired; a copy is kept.`,
  }
  job.note(words[result])
  return result
}

async function isDirty(path: string): Promise<boolean> {
  await using source = await FileSource.open(path)
  const read = await readQcow2Header(source)
  return 'header' in read && read.header.dirty
}

/** Mends an image in place. Before anything but lost space is touched, the file is copied. */
export async function repairDisk(at: AtWork, subject: Subject, { what }: Work<'repair'>): Promise<void> {
  const { tool, job, signal, context } = at
  const { path } = subject
  if (what === 'all') job.note(`The file as it was is kept: ${await keepCopy(at, path)}`)
  signal.throwIfAborted()
  if (what === 'all') await dropMarksBeside(tool, path)
  job.report(null, 'Mending the image')
  await tool.repair(path, what)
  await syncFile(path)
  await context.atStep('image:repaired')
  await checkDisk(at, subject)
}

/** What layers above read from it may be other than it was afterwards, and nothing notes that: their next backup is whole. */
async function dropMarksBeside(tool: QemuImg, path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    const file = join(dirname(path), name)
    if (file === path || !name.endsWith('.qcow2') || !(await lstat(file)).isFile()) continue
    await tool.dropMarks(file)
    await syncFile(file)
  }
}

async function keepCopy({ context, job, signal }: AtWork, path: string): Promise<string> {
  const ending = extname(path)
  const kept = join(dirname(path), `${basename(path, ending)}.before-repair-${randomBytes(4).toString('hex')}${ending}`)
  const temporary = await context.unfinished.begin(kept)
  try {
    await copyLargeFile(path, temporary, (fraction) => { job.report(fraction, 'Copying the file as it is') }, signal)
    await syncFile(temporary)
    await nameNew(temporary, kept)
    return kept
  } finally {
    await context.unfinished.end(temporary)
  }
}

/** SHA-256 of what the guest sees, from the first byte to the last. */
export async function checksumDisk({ tool, job, signal, context }: AtWork, subject: Subject): Promise<void> {
  const { virtualBytes } = subject
  const full = await piecesWithData(tool, subject, signal)
  const hash = createHash('sha256')
  const zeroes = Buffer.alloc(2 ** 20)
  await makeFolder(context.temporaryFolder)
  const file = join(context.temporaryFolder, `stretch-${randomBytes(6).toString('hex')}`)
  try {
    for (let start = 0; start < virtualBytes; start += checksumPiece) {
      signal.throwIfAborted()
      job.report(start / virtualBytes, 'Reading the disk')
      const length = Math.min(checksumPiece, virtualBytes - start)
      if (full.has(start / checksumPiece)) {
        await tool.readStretch(subject, { start, length }, file, signal)
        await hashFile(hash, file)
        continue
      }
      for (let done = 0; done < length; done += zeroes.length) {
        hash.update(zeroes.subarray(0, Math.min(zeroes.length, length - done)))
        // So that others have their turn.
        if (done % (64 * zeroes.length) === 0) await new Promise((resolve) => { setImmediate(resolve) })
      }
    }
  } finally {
    await rm(file, { force: true })
  }
  job.note(checksumNote(hash.digest('hex')))
}

async function piecesWithData(tool: QemuImg, subject: Subject, signal: AbortSignal): Promise<Set<number>> {
  const pieces = new Set<number>()
  await tool.eachExtent(subject, ({ start, length, zero }) => {
    if (zero) return
    for (let piece = Math.floor(start / checksumPiece); piece * checksumPiece < start + length; piece += 1) pieces.add(piece)
  }, signal)
  return pieces
}

async function hashFile(hash: ReturnType<typeof createHash>, path: string): Promise<void> {
  await using file = await open(path, 'r')
  for await (const chunk of file.createReadStream({ highWaterMark: 2 ** 20, autoClose: false })) hash.update(chunk as Buffer)
}

/** To the trash, or for good. Looks once more whether anybody needs it, also those who can't be opened. */
export async function deleteDisk({ context, job }: AtWork, { path, known }: Subject, { permanently }: Work<'delete'>): Promise<void> {
  if (known === null) throw new RingsideError('NOT_FOUND', `This is no image of the library, nor one that lies beside such: ${path}`, { path, hint: 'Other files are not removed from here.' })
  await requireUnused(context, path, known.owner)
  job.report(null, permanently ? 'Deleting it' : 'Moving it to the trash')
  if (permanently) {
    await rm(path).catch((cause: unknown) => {
      throw fileError(cause, path, 'removed')
    })
    return
  }
  const hint = 'Delete it permanently instead; that can’t be undone.'
  if (context.trash === null) throw new RingsideError('CAPABILITY_MISSING', `It can't be moved to the trash, this system has none: ${path}`, { path, hint })
  await context.trash(path).catch((cause: unknown) => {
    throw new RingsideError('CAPABILITY_MISSING', `It can't be moved to the trash and is left as it is: ${path} (${(cause as Error).message})`, { path, hint }, { cause })
  })
}

async function requireUnused(context: ImageContext, path: string, owner: { id: string; name: string } | null): Promise<void> {
  if (owner !== null) {
    const found = await survey(context, context.library.get(owner.id))
    const own = path.slice(found.folder.length + 1).replaceAll('\\', '/')
    if (findOrphans(found, namesOf(found, null)).some((orphan) => orphan.path === own)) return
  } else {
    const readers = await outsideReaders(context.layers, context.libraryFolder, dirname(path))
    if (!readers.some(({ reads }) => reads === path)) return
  }
  throw new RingsideError('DISK_IN_USE', `Something in the library needs this image: ${path}`, { path, hint: 'Look at the list of images again.' })
}
