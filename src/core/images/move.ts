import { randomBytes } from 'node:crypto'
import { rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError } from '@shared/errors'
import { type Disk, type DiskWork, type OldFile, stateInWords } from '@shared/model'
import { isDiskFull, syncFolder } from '../config'
import { runtimePaths } from '../library/paths'
import { definitionFile } from '../library/scan'
import type { HeldMachine } from '../machine/held-machine'
import { syncFile } from '../snapshot/overlays'
import type { AtWork } from './at-work'
import { type MoveTarget, moveTarget, plugOf } from './move-plan'
import { type MoveRecord, withImage } from './move-records'
import { nameNew, noting, targetOptions } from './new-file'
import { lookMs, looks, removeSource, removeTarget } from './settle-moves'
import type { Subject } from './subject'

/** A disk on its way. */
interface Moving {
  readonly at: AtWork
  readonly held: HeldMachine
  readonly disk: Disk
  readonly subject: Subject
  /** Hidden, until the copy is whole. */
  readonly partial: string
  readonly to: MoveTarget
  readonly change: Change
  record: MoveRecord | null
}

/** What is other about the disk afterwards than where it lies. */
interface Change {
  /** Absent: it is encrypted as it was, or not. The key is on its way to qemu-img, and in no record. */
  readonly encryption?: 'none' | { readonly key: string }
  readonly original: OldFile
}

/**
 * Moves a disk to another file, which stands alone. `machine.json` says at every moment which file is the disk: it goes over to the new one when both hold the same and nobody writes, and the
 * old one is removed afterwards. The order is that of docs/decisions/078.
 */
export async function moveDisk(at: AtWork, subject: Subject, work: Extract<DiskWork, { kind: 'move' }>): Promise<void> {
  const target = await moveTarget(at.context, subject, work)
  const { record, kept } = await carryOver(at, subject, target, { original: 'delete' })
  if (kept !== null) at.job.note(kept)
  at.job.note(`The disk “${record.diskId}” is there now: ${target.path}`)
}

/** Writes a disk to another file, has its machine go over to it, and lets the old file go. @returns what was done, and why the old file stays, a sentence; null: it is gone */
export async function carryOver(at: AtWork, subject: Subject, target: MoveTarget, change: Change): Promise<{ record: MoveRecord; kept: string | null }> {
  const { context, job } = at
  const { machine, disk } = plugOf(subject)
  const held = at.held.find(({ id }) => id === machine.id)
  if (held === undefined) throw new RingsideError('INTERNAL', 'A disk was to be moved whose machine is not held.')
  if ((await context.moves.list()).some((record) => record.machineId === held.id)) {
    throw new RingsideError('ILLEGAL_STATE', `An earlier move of a disk of “${machine.definition.name}” was cut off and is not brought to an end yet.`, { state: held.state, hint: 'Start Ringside again; it looks then which file is the disk.' })
  }
  const moving: Moving = { at, held, disk, subject, to: target, change, partial: await context.unfinished.begin(target.path), record: null }
  try {
    const isOpen = held.live && held.run?.definition.disks.some(({ id }) => id === disk.id) === true
    await (isOpen ? moveOpen(moving) : moveClosed(moving))
  } finally {
    await context.unfinished.end(moving.partial)
  }
  const { record } = moving
  if (record === null) throw new RingsideError('INTERNAL', 'A disk was moved without a record.')
  job.report(null, change.original === 'keep' ? 'Done' : 'Removing the old file')
  const kept = await removeSource(context, held, record, at.signal)
  await context.atStep('move:source-removed')
  if (kept?.again !== true) await context.moves.remove(record)
  return { record, kept: kept?.why ?? null }
}

/** Nobody writes to it. */
async function moveClosed(moving: Moving): Promise<void> {
  const { at: { context, tool, job, signal }, subject: { path, format }, partial, to, change: { encryption } } = moving
  await context.atStep('move:begun')
  await tool.convert({
    source: path, sourceFormat: format, target: partial, targetFormat: to.format, options: targetOptions(to.format), signal, ...(encryption === undefined ? {} : { encryption }),
    onProgress: (fraction) => { job.report(fraction * 0.7, `Writing ${basename(to.path)}`) }, onStarted: noting(context, partial),
  })
  const same = await tool.compare({ path, format }, { path: partial, format: to.format }, (fraction) => { job.report(0.7 + fraction * 0.3, 'Comparing both') }, signal)
  if (!same) throw new RingsideError('INTERNAL', `The copy differs from the disk, which is left as it is: ${path}`, { path, hint: 'Check the image, then try again.' })
  await syncFile(partial)
  signal.throwIfAborted()
  await context.atStep('move:copied')
  try {
    await goOver(moving)
  } catch (error) {
    if (!(await isRecorded(moving))) {
      await giveUp(moving)
      throw error
    }
  }
}

/** QEMU writes to it, and copies it meanwhile. */
async function moveOpen(moving: Moving): Promise<void> {
  const { at: { context, tool, job, signal }, held, disk, subject, partial, to } = moving
  const { files } = await held.command('diskFiles', {})
  if (files[disk.id] !== subject.path) {
    throw new RingsideError('ILLEGAL_STATE', `“${held.stored.definition.name}” writes to another layer of this disk than is known of it: ${files[disk.id] ?? disk.id}`, { path: subject.path, state: held.state, hint: 'Shut the machine down; the disk can be moved then.' })
  }
  const wasRunning = held.state === 'running'
  await tool.create(partial, to.format, Math.ceil(subject.virtualBytes / 512) * 512, [...targetOptions(to.format)])
  const link = runtimePaths(held.stored.paths.runtime).movedDisk(randomBytes(4).toString('hex'))
  await symlink(partial, link)
  await context.atStep('move:begun')
  const image = { id: disk.id, image: to.image, format: to.format }
  const report = (fraction: number | null): void => { job.report(fraction, `Copying to ${basename(to.path)}`) }
  try {
    report(null)
    await held.command('copyDisk', { disk: disk.id, path: link, format: to.format }, { signal, onProgress: report })
    // A small disk is copied before anybody hears of it.
    signal.throwIfAborted()
    await context.atStep('move:copied')
    await goOver(moving, link)
    await held.command('switchDisk', { keep: 'target', image })
  } catch (error) {
    if (!(await wentOver(moving, image))) {
      await rm(link, { force: true }).catch(() => undefined)
      await giveUp(moving)
      await resumeAfter(moving, error, wasRunning)
      throw error
    }
  }
  // The plug can be pulled now, and the rest is done.
  held.outliveRun()
  await context.atStep('move:switched')
  if (held.run !== null) await held.noteRun(withImage(held.run.definition, image))
  await context.atStep('move:run-noted')
}

/** Both hold the same, and nobody writes. @param link by which QEMU knows the new file */
async function goOver(moving: Moving, link: string | null = null): Promise<void> {
  const { at: { context }, held, disk, subject, partial, to, change: { encryption, original } } = moving
  const encrypted = encryption === undefined ? disk.encrypted : encryption !== 'none'
  const { dev, ino } = await stat(partial, { bigint: true })
  const record: MoveRecord = {
    machineId: held.id, diskId: disk.id, from: { image: disk.image, format: disk.format, path: subject.path, encrypted: disk.encrypted },
    to: { ...to, encrypted, identity: `${String(dev)}:${String(ino)}` }, original,
  }
  await context.moves.put(record)
  moving.record = record
  await nameNew(partial, to.path)
  if (link !== null) await relink(link, to.path)
  await context.atStep('move:named')
  await context.library.update(held.id, (definition) => withImage(definition, { id: disk.id, image: to.image, format: to.format, encrypted }))
  await context.atStep('move:recorded')
}

/** The link leads to one of both at every moment. */
async function relink(link: string, path: string): Promise<void> {
  await symlink(path, `${link}.new`)
  await rename(`${link}.new`, link)
}

/** Whether the definition on the drive names the new file: a write can fail after it took effect. */
async function isRecorded({ held, disk, to }: Moving): Promise<boolean> {
  const { disks } = await definitionFile(held.stored.paths.folder).load()
  const image = disks.find(({ id }) => id === disk.id)?.image
  return image?.kind === to.image.kind && image.path === to.image.path
}

/**
 * What became of it, when something failed on the way: QEMU is asked where it runs, and else the definition says. While the guest stands still between both files, the record goes back
 * before the guest goes on with the old one; where it can't go back, the guest goes on with the new one.
 */
async function wentOver(moving: Moving, image: Pick<Disk, 'id' | 'image' | 'format'>): Promise<boolean> {
  const { at: { context }, held, disk, to } = moving
  const now = await fileNow(moving)
  if (now === null) return isRecorded(moving)
  if (now === to.path) return true
  if (await isRecorded(moving)) {
    try {
      await context.library.update(held.id, (definition) => withImage(definition, disk))
    } catch (error) {
      if (!(await isRecorded(moving))) throw error
      await held.command('switchDisk', { keep: 'target', image })
      return true
    }
  }
  await held.command('switchDisk', { keep: 'source', image })
  return false
}

/** The file that QEMU has; null: the machine is off. */
async function fileNow({ held, disk }: Moving): Promise<string | null> {
  for (let look = 1; ; look += 1) {
    if (!held.live) return null
    try {
      const { files } = await held.command('diskFiles', {})
      return files[disk.id] ?? ''
    } catch (error) {
      if (look === looks) {
        throw new RingsideError('WORKER_DIED', `It can't be asked which file “${held.stored.definition.name}” goes on with (it is ${stateInWords(held.state)}); both are left as they are.`, { hint: 'Start Ringside again; it looks then which file is the disk.' }, { cause: error })
      }
      await delay(lookMs)
    }
  }
}

/** The disk is where it was; nothing of the copy stays. */
async function giveUp({ at: { context }, record }: Moving): Promise<void> {
  if (record === null) return
  await removeTarget(context, record)
  await syncFolder(dirname(record.to.path)).catch(() => undefined)
  await context.moves.remove(record)
}

/** A guest that found no room for what it wrote was stopped by QEMU; what took the room is gone. */
async function resumeAfter({ held }: Moving, error: unknown, wasRunning: boolean): Promise<void> {
  if (!isDiskFull(error) || !wasRunning || held.state !== 'paused') return
  await held.command('resume', {}).catch((failed: unknown) => { held.log('disk.notResumed', { message: (failed as Error).message }) })
}
