import { lstat, realpath } from 'node:fs/promises'
import { basename, isAbsolute, relative, sep } from 'node:path'
import { isRingsideError, RingsideError } from '@shared/errors'
import type { Disk, HardwareDifference, MachineHardware, NewDisk, RemoveDisk } from '@shared/model'
import type { JobReporter } from '../app/services'
import { fileError, isDiskFull, makeFolder } from '../config'
import { newDiskOptions } from '../creation'
import { checkImage } from '../engine/qemu'
import { noting } from '../images'
import { imagePath, ownDiskPath } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { trashObstacle } from '../library/system-trash'
import { cleanUp } from '../snapshot/clean-up'
import type { SnapshotContext } from '../snapshot/context'
import { hasLayers } from '../snapshot/definition-layers'
import { findOrphans } from '../snapshot/orphans'
import { syncFile } from '../snapshot/overlays'
import { requireRoom } from '../snapshot/room'
import { lookForTidy } from '../snapshot/tidy'
import { bytesInWords } from '../storage'
import { isInside } from '../storage/references'
import { applyHardware, presentOf } from './apply'
import type { HardwareWork } from './context'
import { hardwareOf, refuseFaults } from './hardware'
import { issuesOf } from './issues'

/** What a disk's image takes beside its content, bytes. */
const emptyDiskBytes = 2 ** 20

/**
 * Adds a disk to a machine that the caller holds. Its file has its name only when it is whole, and is removed after a failure or a cut unless `machine.json` names it.
 * Throws `INVALID_INPUT` and the like for an image that can't be used, `DISK_FULL`, `CANCELLED`, `DISK_IN_USE`.
 */
export async function addDisk(work: HardwareWork, request: NewDisk, reporter: JobReporter): Promise<HardwareDifference[]> {
  const { held } = work
  reporter.report(null, 'Looking at the machine')
  const stored = hardwareOf(held.stored.definition)
  const id = freeDiskId([stored, ...(held.run === null ? [] : [held.run.definition])])
  const { image, format, partial } = await imageFor(work, id, request, reporter)
  const disk: Disk = {
    id, image, format, encrypted: request.encrypted ?? false, bus: request.bus, readOnly: request.readOnly, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null,
  }
  try {
    const wanted = { ...stored, disks: [...stored.disks, disk] }
    refuseFaults(await issuesOf(work.context, held.stored, (await presentOf(held))?.definition ?? null, wanted))
    reporter.report(null, 'Plugging the disk in')
    const differences = await applyHardware(work, wanted)
    tellWhatWaits(differences, reporter)
    return differences
  } catch (error) {
    // Only what nobody names: a plug that failed halfway may have left it in the machine.
    if (partial !== null && !held.stored.definition.disks.some((other) => other.id === id)) await work.context.unfinished.discard(partial)
    throw error
  } finally {
    if (partial !== null) await work.context.unfinished.end(partial)
  }
}

/** A number of its own, also among disks that run and wait to be taken out. */
export function freeDiskId(machines: readonly Pick<MachineHardware, 'disks' | 'cdroms' | 'nics'>[]): string {
  const taken = new Set(machines.flatMap(({ disks, cdroms, nics }) => [...disks, ...cdroms, ...nics].map(({ id }) => id)))
  for (let number = 0; ; number += 1) if (!taken.has(`disk${String(number)}`)) return `disk${String(number)}`
}

interface DiskImage { image: Disk['image']; format: Disk['format']; /** Under what it is noted as nobody’s yet; null: it was there before. */ partial: string | null }

async function imageFor(work: HardwareWork, id: string, { source, encrypted = false }: NewDisk, reporter: JobReporter): Promise<DiskImage> {
  const { folder } = work.held.stored.paths
  if (encrypted && source.kind === 'use') throw new RingsideError('INVALID_INPUT', 'A disk that is used where it is can’t be encrypted. Copy it into the machine instead.', { path: source.path })
  const key = encrypted ? await work.context.diskKey(work.held.id) : null
  if (source.kind === 'new') {
    await requireRoom(folder, emptyDiskBytes, 'the disk')
    return makeOwn(work, id, reporter, emptyDiskBytes, async (target) => {
      reporter.report(null, 'Making the disk')
      await (await work.context.snapshots.imageTool()).create(target, 'qcow2', source.sizeBytes, newDiskOptions, reporter.signal, key)
    })
  }
  const path = await existing(source.path)
  if (source.kind === 'use') {
    const own = await ownPathOf(folder, path)
    return { image: own === null ? { kind: 'external', path: source.path } : { kind: 'own', path: own }, format: source.format, partial: null }
  }
  const tool = await work.context.snapshots.imageTool()
  const { library } = work.context.snapshots
  await checkImage({ path: source.path, format: source.format, readOnly: true, label: 'image' }, {
    machineFolder: folder, baseFolders: baseFoldersOf(library, work.held.stored.definition), baseFiles: [],
  })
  const { requiredBytes } = await tool.measure(source.path, source.format, 'qcow2')
  await requireRoom(folder, requiredBytes, 'the copy of the disk')
  return makeOwn(work, id, reporter, requiredBytes, (target) =>
    tool.convert({
      source: source.path, sourceFormat: source.format, target, targetFormat: 'qcow2', options: newDiskOptions, signal: reporter.signal, ...(key === null ? {} : { encryption: { key } }),
      onProgress: (fraction) => { reporter.report(fraction, `Copying ${basename(source.path)}`) }, onStarted: noting(work.context, target),
    }),
  )
}

/** Fills a file that has a temporary name and gives it its real one. Nothing is left of what failed or was cancelled; otherwise the caller notes when the machine has it. */
async function makeOwn(work: HardwareWork, id: string, reporter: JobReporter, neededBytes: number, fill: (target: string) => Promise<void>): Promise<DiskImage> {
  const { paths } = work.held.stored
  await makeFolder(paths.disksFolder)
  const own = await freeFile(paths.folder, id)
  const target = imagePath(paths.folder, { kind: 'own', path: own })
  const partial = await work.context.unfinished.begin(target)
  try {
    await work.context.atStep('hardware:disk-begun')
    await fill(partial)
    reporter.signal.throwIfAborted()
    await work.context.atStep('hardware:disk-made')
    await syncFile(partial)
    await work.context.unfinished.name(partial, target)
    await work.context.atStep('hardware:disk-named')
  } catch (error) {
    await work.context.unfinished.discard(partial)
    if (reporter.signal.aborted) throw new RingsideError('CANCELLED', `Adding a disk to “${work.held.stored.definition.name}” was cancelled; nothing was changed.`, {}, { cause: error })
    if (isDiskFull(error)) {
      throw new RingsideError('DISK_FULL', `The drive became full while the disk was made; the machine is as it was: ${paths.folder}`, { path: paths.folder, hint: `Free some space there, then try again; ${bytesInWords(neededBytes)} may be needed.` }, { cause: error })
    }
    throw fileError(error, target, 'written')
  }
  return { image: { kind: 'own', path: own }, format: 'qcow2', partial }
}

async function freeFile(folder: string, id: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const own = ownDiskPath(number === 1 ? `${id}.qcow2` : `${id}-${String(number)}.qcow2`)
    if ((await lstat(imagePath(folder, { kind: 'own', path: own })).catch(() => null)) === null) return own
  }
}

async function existing(path: string): Promise<string> {
  if (!isAbsolute(path)) throw new RingsideError('INVALID_INPUT', `A path has to be complete, from the root: ${path.slice(0, 200)}`, { hint: 'Choose the file in the dialog.' })
  return realpath(path).catch((cause: unknown) => {
    throw fileError(cause, path, 'read')
  })
}

/** The path from the machine's folder of what lies within it; null for what lies elsewhere. */
async function ownPathOf(folder: string, path: string): Promise<string | null> {
  const real = await realpath(folder)
  return isInside(path, real) ? relative(real, path).replaceAll(sep, '/') : null
}

/**
 * Takes a disk out of a machine that the caller holds. Its file goes to the trash where that is asked for, it lies in the machine's folder, QEMU has let go of it, and neither snapshots
 * nor clones read from it; otherwise it stays, which a note tells.
 * Throws `NOT_FOUND`, and `CAPABILITY_MISSING` where there is no trash, before anything is done. Where that only shows when the disk is out, a note tells that the file stays.
 */
export async function removeDisk(work: HardwareWork, { diskId, file }: RemoveDisk, reporter: JobReporter): Promise<HardwareDifference[]> {
  const { held, context } = work
  const { definition } = held.stored
  const disk = definition.disks.find(({ id }) => id === diskId)
  if (disk === undefined) throw new RingsideError('NOT_FOUND', `“${definition.name}” has no disk “${diskId}”.`, { hint: 'It may have been taken out already.' })
  if (file === 'trash' && disk.image.kind === 'own') await requireTrash(context.snapshots.trash, held.stored.paths.folder)
  reporter.report(null, 'Taking the disk out')
  const stored = hardwareOf(definition)
  const wanted = { ...stored, disks: stored.disks.filter(({ id }) => id !== diskId), boot: { ...stored.boot, order: stored.boot.order.filter((id) => id !== diskId) } }
  refuseFaults(await issuesOf(context, held.stored, (await presentOf(held))?.definition ?? null, wanted))
  const differences = await applyHardware(work, wanted)
  tellWhatWaits(differences, reporter)
  if (file === 'trash') await trashFile(work, disk, reporter)
  context.snapshotsChanged(held.id)
  return differences
}

async function requireTrash(trash: SnapshotContext['trash'], folder: string): Promise<void> {
  const obstacle = trash === null ? 'This system has no trash.' : await trashObstacle()
  if (obstacle === null) return
  throw new RingsideError('CAPABILITY_MISSING', `The disk was not taken out, since its file can’t go to the trash. ${obstacle}`, {
    path: folder, hint: 'Keep the file, and delete it permanently afterwards; that can’t be undone.',
  })
}

async function trashFile({ context, held }: HardwareWork, disk: Disk, reporter: JobReporter): Promise<void> {
  const { image } = disk
  if (image.kind === 'external') {
    reporter.note?.(`Its file lies outside the machine’s folder and stays: ${image.path}`)
    return
  }
  const work = { context: context.snapshots, held, reporter, signal: held.signal }
  const { survey, names } = await lookForTidy(work)
  const below = survey.graph.own(image.path)
  const own = hasLayers(disk) && below !== null ? [...survey.graph.downFrom(below.path)].flatMap((layer) => (layer.own === null ? [] : [layer.own])) : [image.path]
  const orphans = new Set(findOrphans(survey, names).map(({ path }) => path))
  const goes = own.filter((path) => orphans.has(path))
  if (goes.length === 0) {
    reporter.note?.(held.live && names.of(image.path).some(({ kind }) => kind === 'run') ? 'The machine still has the disk until it is off, so its file stays.' : held.state === 'saved' ? 'The saved guest still has the disk, or snapshots or clones read from its file, so it stays.' : 'Snapshots or clones read from its file, so it stays.')
    return
  }
  try {
    await cleanUp(work, goes, { permanently: false })
  } catch (error) {
    if (!isRingsideError(error, 'CAPABILITY_MISSING')) throw error
    reporter.note?.(`The disk is out, and its file is left over until you delete it. ${error.message}`)
    return
  }
  if (goes.length < own.length) reporter.note?.('Snapshots or clones read from older layers of it; these stay.')
}

function tellWhatWaits(differences: readonly HardwareDifference[], reporter: JobReporter): void {
  for (const { when, reason } of differences) if (when === 'nextStart' && reason !== null) reporter.note?.(reason)
  if (differences.some(({ when }) => when === 'goesOn')) reporter.note?.('The machine is saved to disk: this comes when its guest goes on.')
}

