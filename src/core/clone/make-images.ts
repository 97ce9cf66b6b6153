import { constants } from 'node:fs'
import { copyFile, mkdir, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { JobReporter } from '../app/services'
import { fileError, isDiskFull, syncFolder } from '../config'
import { copyLargeFile, layerOptions, newDiskOptions } from '../creation'
import { nvramLayer } from '../engine/engine'
import { checkFile, checkImage, copyTpmState, hasNvram, type QemuImg } from '../engine/qemu'
import { noteHelper } from '../library'
import { realFolder, RealPlaces } from '../snapshot/layers'
import { syncFile } from '../snapshot/overlays'
import { bytesInWords } from '../storage'
import type { ClonePlan, ImagePlan } from './plan-clone'

export interface ImageMaking {
  readonly tool: QemuImg
  /** Where the original's images may read from. */
  readonly original: { readonly machineFolder: string; readonly baseFolders: readonly string[] }
  /** The clone's folder while it has a temporary name; `disks/` and `firmware/` are there. */
  readonly folder: string
  /** The clone's own disk key; null: it has none but the original's. */
  readonly newKey: string | null
  readonly reporter: Pick<JobReporter, 'report'>
  readonly signal: AbortSignal
}

/** One thing that takes its time. */
interface Work {
  bytes: number
  step: string
  run(onProgress: (fraction: number) => void): Promise<void>
}

/**
 * Makes all images of a clone, and has them on the drive before it resolves. What it leaves when it fails goes with the clone's folder.
 * Throws as a start does for an image that can't be used, and `DISK_FULL`, `CANCELLED`, `QEMU_FAILED`.
 */
export async function makeImages(plan: ClonePlan, making: ImageMaking): Promise<void> {
  const { reporter, folder, original, signal } = making
  reporter.report(null, 'Looking at the disks')
  const copies: Work[] = []
  for (const image of plan.copies) {
    // The variables of a machine that was never started are made by its first start.
    if (image.key === nvramLayer && !(await hasNvram(image.from))) continue
    const { backing } = await checkImage({ path: image.from, format: image.format, readOnly: true, label: image.label, encrypted: image.encrypted }, original)
    signal.throwIfAborted()
    const stays = image.encryption === 'keep' || (image.encryption === 'none' && !image.encrypted)
    const isWhole = backing.length === 0 && image.format === 'qcow2' && stays
    if (!isWhole || !(await shareBlocks(image.from, join(folder, ...image.to.split('/'))))) copies.push(await copyWork(image, making))
  }
  for (const image of plan.overlays) await makeOverlay(image, making)
  for (const file of plan.files) copies.push(await fileWork(file, making))
  await requireRoom(copies, folder)
  await runAll(copies, making)
  if (plan.tpm !== null) await copyTpmState(plan.tpm.from, join(folder, ...plan.tpm.to.split('/')))
  for (const part of ['disks', 'firmware']) await syncFolder(join(folder, part))
}

async function runAll(works: readonly Work[], { reporter, folder, signal }: ImageMaking): Promise<void> {
  const total = works.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  for (const work of works) {
    signal.throwIfAborted()
    const tell = (fraction: number): void => { reporter.report(total === 0 ? null : (done + fraction * work.bytes) / total, work.step) }
    tell(0)
    await work.run(tell).catch((error: unknown) => {
      throw isDiskFull(error) ? noRoom(folder, error) : error
    })
    done += work.bytes
  }
}

async function copyWork({ from, format, encryption, to, label }: ImagePlan, { tool, folder, newKey, signal }: ImageMaking): Promise<Work> {
  const target = join(folder, ...to.split('/'))
  return {
    bytes: (await tool.measure(from, format, 'qcow2')).requiredBytes,
    step: `${{ keep: 'Copying', new: 'Encrypting', none: 'Copying' }[encryption]} the ${label}`,
    async run(onProgress) {
      let noted: Promise<void> = Promise.resolve()
      await tool.convert({
        source: from, sourceFormat: format, target, targetFormat: 'qcow2', options: newDiskOptions, onProgress, signal, encryption: encryption === 'new' ? { key: ownKey(newKey) } : encryption,
        // Should this process be killed, whoever clears the folder away ends that one first.
        onStarted: (pid) => { noted = noteHelper(folder, pid).catch(() => undefined) },
      }).finally(() => noted)
      await syncFile(target)
    },
  }
}

function ownKey(key: string | null): string {
  if (key === null) throw new RingsideError('INTERNAL', 'A clone’s disks were to be encrypted without a key.')
  return key
}

async function fileWork({ from, to }: ClonePlan['files'][number], { folder, signal }: ImageMaking): Promise<Work> {
  await checkFile({ path: from, readOnly: true, label: 'file' })
  return {
    bytes: (await stat(from)).size,
    step: `Copying ${to}`,
    async run(onProgress) {
      const target = join(folder, ...to.split('/'))
      await mkdir(dirname(target), { recursive: true, mode: 0o700 }).catch((error: unknown) => { throw fileError(error, target, 'written') })
      await copyLargeFile(from, target, onProgress, signal)
    },
  }
}

async function makeOverlay({ from, format, encrypted, to, label }: ImagePlan, { tool, folder, original, signal }: ImageMaking): Promise<void> {
  await checkImage({ path: from, format, readOnly: true, label, encrypted }, original)
  signal.throwIfAborted()
  const { virtualBytes } = await tool.info(from, format)
  const path = join(await realFolder(folder), ...to.split('/'))
  // The way from folder to folder, so that a whole library can be moved; it stays the same when the clone's folder gets its name.
  const backing = relative(dirname(path), await new RealPlaces().of(from)).replaceAll(sep, '/')
  await tool.createOverlay({ path, backing, backingFormat: format, virtualBytes, options: layerOptions }).catch((error: unknown) => {
    throw isDiskFull(error) ? noRoom(folder, error) : error
  })
  await syncFile(path)
}

/** On Btrfs, XFS and APFS a copy is there at once and takes no room until it is written to. @returns false where that can't be had; nothing is left then */
async function shareBlocks(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE)
    await syncFile(to)
    return true
  } catch {
    await rm(to, { force: true })
    return false
  }
}

/** Told now rather than after an hour of copying. */
async function requireRoom(works: readonly Work[], folder: string): Promise<void> {
  const needed = works.reduce((sum, { bytes }) => sum + bytes, 0)
  const free = await statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => Infinity)
  if (needed <= free) return
  throw new RingsideError('DISK_FULL', `The clone needs ${bytesInWords(needed)}, and where the library lies ${bytesInWords(free)} are free.`, {
    path: folder, hint: 'Free some space there, or make a linked clone, which takes hardly any.',
  })
}

function noRoom(folder: string, cause: unknown): RingsideError {
  const library = dirname(folder)
  return new RingsideError('DISK_FULL', `The drive that holds the library is full; the clone was not made and its space is free again: ${library}`, {
    path: library, hint: 'Free some space there, or make a linked clone, which takes hardly any.',
  }, { cause })
}
