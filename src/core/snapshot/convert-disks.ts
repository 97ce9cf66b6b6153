import { randomBytes } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { Disk, MachineDefinition } from '@shared/model'
import { fileError, isDiskFull, makeFolder, syncFolder } from '../config'
import { newDiskOptions } from '../creation'
import { checkImage } from '../engine/qemu'
import { imagePath, ownDiskPath } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { look, throwIfCancelled, type Work } from './context'
import { layerPath, syncFile } from './overlays'
import { findObstacles } from './obstacles'
import { requireRoom } from './room'
import { removeUnnamed } from './unnamed'

/** A disk that is brought in. */
interface Conversion {
  readonly disk: Disk
  readonly from: string
  /** From the machine's folder. */
  readonly to: string
  /** What the new file will take, bytes. */
  readonly bytes: number
}

/**
 * Brings every disk that snapshots can't hold into the machine as a qcow2 of its own. The definition changes only when all are there; the original files stay as they are.
 * Throws `INVALID_INPUT` when there is nothing to do, `IMAGE_UNSUPPORTED` and the like for a disk that can't be read, `DISK_FULL`, `DISK_IN_USE`, `CANCELLED`; nothing is left then.
 */
export async function convertDisks(work: Work): Promise<void> {
  const { context, held, reporter, signal } = work
  reporter.report(null, 'Looking at the disks')
  const { definition, paths } = held.stored
  const conversions = await planConversions(work, definition)
  await requireRoom(paths.folder, conversions.reduce((sum, { bytes }) => sum + bytes, 0), 'the converted disks')
  const all = Math.max(1, conversions.reduce((sum, { bytes }) => sum + bytes, 0))
  const tool = await context.imageTool()
  const made: [disk: string, own: string][] = []
  try {
    await makeFolder(paths.disksFolder)
    let done = 0
    for (const { disk, from, to, bytes } of conversions) {
      throwIfCancelled(signal, 'Converting')
      const target = imagePath(paths.folder, { kind: 'own', path: to })
      await tool.convert({
        source: from, sourceFormat: disk.format, target, targetFormat: 'qcow2', options: newDiskOptions, signal,
        onProgress: (fraction) => { reporter.report((done + fraction * bytes) / all, `Converting “${disk.id}”`) },
      })
      made.push([disk.id, to])
      done += bytes
      await syncFile(target)
      await syncFolder(dirname(target))
      await context.atStep('convert:disk-made')
    }
    throwIfCancelled(signal, 'Converting')
    await context.library.update(held.id, (now) => withConverted(now, conversions))
  } catch (error) {
    await removeUnnamed(paths, Object.fromEntries(made)).catch((failed: unknown) => { held.log('convert.leftovers', { message: (failed as Error).message }) })
    if (isDiskFull(error)) {
      throw new RingsideError('DISK_FULL', `The drive became full while the disks of “${definition.name}” were converted; they are as they were.`, {
        path: paths.folder, hint: 'Free some space there, then try again.',
      }, { cause: error })
    }
    throw fileError(error, paths.folder, 'written')
  }
  for (const { disk, from, to } of conversions) held.log('disk.converted', { disk: disk.id, from, to })
  await context.atStep('convert:definition-changed')
}

async function planConversions(work: Work, definition: MachineDefinition): Promise<Conversion[]> {
  const { context, held } = work
  const obstacles = await findObstacles(await look(work))
  const stubborn = obstacles.find(({ convertible }) => !convertible)
  if (stubborn !== undefined) throw new RingsideError('IMAGE_UNSUPPORTED', `“${stubborn.diskId}” of “${definition.name}” can't be converted. ${stubborn.reason}`, { hint: 'Mend the file or take the disk out of the machine.' })
  if (obstacles.length === 0) throw new RingsideError('INVALID_INPUT', `All disks of “${definition.name}” can be in snapshots as they are.`, { hint: 'There is nothing to convert.' })
  const { folder } = held.stored.paths
  const tool = await context.imageTool()
  const conversions: Conversion[] = []
  for (const disk of definition.disks.filter(({ id }) => obstacles.some(({ diskId }) => diskId === id))) {
    const from = imagePath(folder, disk.image)
    // An image chooses what else is read with it; that has to lie where the machine's files may.
    await checkImage({ path: from, format: disk.format, readOnly: true, label: `disk “${disk.id}”` }, { machineFolder: folder, baseFolders: baseFoldersOf(context.library, definition), baseFiles: [] })
    const { requiredBytes } = await tool.measure(from, disk.format, 'qcow2')
    conversions.push({ disk, from, to: await freePath(folder, disk.id), bytes: requiredBytes })
  }
  return conversions
}

/** The plain name where it is free. */
async function freePath(folder: string, diskId: string): Promise<string> {
  for (let path = ownDiskPath(`${diskId}.qcow2`); ; path = layerPath(diskId, randomBytes(4).toString('hex'))) {
    if ((await lstat(join(folder, ...path.split('/'))).catch(() => null)) === null) return path
  }
}

function withConverted(definition: MachineDefinition, conversions: readonly Conversion[]): MachineDefinition {
  return {
    ...definition,
    disks: definition.disks.map((disk) => {
      const conversion = conversions.find((other) => other.disk.id === disk.id)
      return conversion === undefined ? disk : { ...disk, format: 'qcow2' as const, image: { kind: 'own' as const, path: conversion.to } }
    }),
  }
}
