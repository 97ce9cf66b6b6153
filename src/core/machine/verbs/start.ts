import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError, isRingsideError } from '@shared/errors'
import { consolePortCount, type MachineDefinition, type MachineState, type QemuReport } from '@shared/model'
import { killProcess } from '../../engine/qemu/process/process-identity'
import type { LaunchPlan, SavedRun } from '../../engine/engine'
import { errnoOf, fileError } from '../../config/file-error'
import { requireOrdinaryFile } from '../../config/own-file'
import { baseFoldersOf, requireFrozen } from '../../library/base-folders'
import { type MachineFiles, runtimePaths } from '../../library/paths'
import { presentAndNext, withOwnAddresses } from '../../hardware/hardware'
import { makePrivate } from '../../library/runtime-root'
import { chooseAccelerator } from '../choose-accelerator'
import { forgetCrash } from '../last-run'
import { writeLastStart } from '../last-start'
import { clearDisposable, makeDisposableLayers, removeDisposableLayers, savedIsNotDisposable } from '../disposable'
import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { requireFreeImages } from '../images-in-use'
import { findRun } from '../run-end'
import { type RunRecord, readRunRecord, removeRunFolder, runRecordVersion, writeRunRecord } from '../run-record'
import { readSavedRun, readSavedState, removeSaved } from '../saved-state'
import { closeLink, crashOf, endRun, openLink, takeHold } from '../supervise'

/** How often, and after how many milliseconds each, a QEMU without a worker is looked for. */
const newbornLooks = 10
const newbornLookMs = 50

export interface StartOptions {
  /** What the guest writes is thrown away when it is off. */
  disposable: boolean
}

/** A plan with what people are told about it. */
interface Preparation {
  plan: LaunchPlan
  disposable: boolean
  acceleratorNote: string | null
  notes: string[]
}

/**
 * Starts a machine, or lets a saved one go on. Whatever speaks against it is thrown before anything runs, and the machine is then what
 * it was; saved state stays until the guest runs on it.
 */
export async function start(context: ManagerContext, slot: MachineSlot, { disposable }: StartOptions = { disposable: false }): Promise<void> {
  if (disposable && slot.state === 'saved') throw savedIsNotDisposable(slot.name)
  // Before anything shows: who is asked for a passphrase has not begun to start anything.
  const diskKey = [slot.stored.definition, slot.savedGuest?.definition ?? null].some((definition) => definition !== null && hasEncryptedDisks(definition)) ? await context.diskKey(slot.id) : null
  const before = { state: slot.state, crash: slot.crash }
  slot.poweringOff = false
  slot.ended = null
  slot.set({ state: 'starting', crash: null })
  try {
    await slot.cleaning
    // Comes to life while the files are looked at.
    openLink(context, slot)
    const preparation = await prepare(context, slot, before.state, { forStart: true, disposable })
    await launch(context, slot, { ...preparation, plan: { ...preparation.plan, diskKey } })
  } catch (error) {
    await undo(slot)
    // Powered off the moment it ran, a restored machine has used its saved state up.
    const saved = await readSavedState(slot.stored.paths)
    slot.set({ state: before.state === 'saved' && saved === null ? 'stopped' : before.state, crash: before.crash, saved, run: null })
    slot.log.write('start.failed', { code: isRingsideError(error) ? error.code : 'INTERNAL', message: (error as Error).message })
    throw error
  }
}

function hasEncryptedDisks({ disks }: Pick<MachineDefinition, 'disks'>): boolean {
  return disks.some(({ encrypted }) => encrypted)
}

/** What a start would do. Throws whatever speaks against it; disks that are in use do so only `forStart`. */
export async function prepare(context: ManagerContext, slot: MachineSlot, from: MachineState, { forStart, disposable }: StartOptions & { forStart: boolean }): Promise<Preparation> {
  const { definition, paths } = slot.stored
  const qemu = await requireQemu(context)
  const restore = from === 'saved' ? await readSavedRun(paths) : null
  // The saved guest has the hardware that it was saved with; only its name may have changed.
  const effective = restore === null ? definition : { ...restore.definition, name: definition.name }
  if (forStart) await requireFreeImages(context, slot, { writes: !disposable, definition: effective })
  const wanted = restore === null ? definition.accelerator : restore.accelerator
  const { accelerator, note } = chooseAccelerator(wanted, await context.probe.current())
  const notes: string[] = []
  const free = context.freeMemoryMiB()
  if (effective.memoryMiB > free) {
    notes.push(`This computer had ${String(Math.floor(free))} MiB of memory to spare at the start and the machine may use ${String(effective.memoryMiB)} MiB; both may become slow.`)
  }
  if (forStart && restore !== null) await requireRemovable(paths)
  if (forStart) requireFrozen(context.library, definition)
  if (restore !== null) notes.push(...borrowedAddresses(definition, restore))
  const plan: LaunchPlan = {
    definition: effective, qemu, accelerator, machineFolder: paths.folder, runtimeFolder: paths.runtime, baseFolders: baseFoldersOf(context.library, definition), baseFiles: [], restore,
  }
  return { plan, disposable, acceleratorNote: note, notes }
}

/** What a warm clone has of its original, as long as it has not been started cold. */
function borrowedAddresses({ origin }: MachineDefinition, { definition, ownAddresses = {} }: SavedRun): string[] {
  const borrowed = definition.nics.filter(({ id }) => ownAddresses[id] !== undefined)
  if (borrowed.length === 0 || origin === null) return []
  return [`Its guest goes on from the memory of “${origin.machineName}”, and has that one's network address until it is started cold: ${borrowed.map(({ macAddress }) => macAddress).join(', ')}.`]
}

/** Saved state is marked as used when the guest goes on, since loaded a second time it would ruin the disks; so that has to be possible. */
async function requireRemovable({ folder, savedFolder }: MachineFiles): Promise<void> {
  for (const path of [folder, savedFolder]) {
    await access(path, constants.W_OK).catch((cause: unknown) => {
      throw fileError(cause, path, 'written')
    })
  }
}

/** Not with the folders above it: a machine whose folder was moved away must not come back as an empty one. */
async function makeLogsFolder({ folder, logsFolder }: MachineFiles): Promise<void> {
  try {
    await mkdir(logsFolder, { mode: 0o700 })
  } catch (cause) {
    const code = errnoOf(cause)
    if (code === 'EEXIST') return
    if (code !== 'ENOENT') throw fileError(cause, logsFolder, 'written')
    throw new RingsideError('FILE_NOT_FOUND', `The machine's folder is not there any more: ${folder}`, {
      path: folder, hint: 'Put it back, or delete the machine from the list.',
    }, { cause })
  }
}

/** A log that is a link would have the guest write to any file of the user's, and QEMU waits for ever for the reader of a pipe. */
async function requireOrdinaryLogs(files: MachineFiles, serialPorts: number): Promise<void> {
  for (const path of [files.machineLog, files.qemuLog, ...Array.from({ length: serialPorts }, (_, index) => files.serialLog(index))]) {
    await requireOrdinaryFile(path).catch((error: unknown) => {
      if (!isRingsideError(error, 'FILE_NOT_FOUND')) throw error
    })
  }
}

async function requireQemu(context: ManagerContext): Promise<QemuReport> {
  const { qemu, qemuProblem } = await context.probe.current()
  if (qemu !== null) return qemu
  throw new RingsideError(qemuProblem?.code ?? 'QEMU_NOT_FOUND', qemuProblem?.message ?? 'No QEMU was found on this computer.', { hint: qemuProblem?.remedy ?? 'Install QEMU, or name its path in the settings.' })
}

async function launch(context: ManagerContext, slot: MachineSlot, { plan: asStored, disposable, acceleratorNote, notes }: Preparation): Promise<void> {
  const { paths } = slot.stored
  await requireFreeRuntime(paths.runtime)
  await makePrivate(paths.runtime)
  await makeLogsFolder(paths)
  await requireOrdinaryLogs(paths, consolePortCount(asStored.definition))
  // Of a run that was cut off. No process has them open any more.
  await removeDisposableLayers(paths)
  const plan = disposable ? { ...asStored, ...(await makeDisposableLayers(asStored.definition, paths, context.imageTool(asStored.qemu), asStored.qemu, asStored.baseFolders)) } : asStored
  const record: RunRecord = {
    schemaVersion: runRecordVersion,
    libraryFolder: context.libraryFolder,
    machineFolder: paths.folder,
    startedAt: new Date().toISOString(),
    definition: plan.definition,
    ownAddresses: plan.restore?.ownAddresses ?? {},
    changesDue: plan.restore !== null && presentAndNext(slot.stored.definition, withOwnAddresses(plan.restore)).next !== null,
    accelerator: plan.accelerator,
    acceleratorNote,
    notes,
    qemu: plan.qemu,
    disposable,
    baseFolders: plan.baseFolders,
    baseFiles: plan.baseFiles,
    process: null,
  }
  slot.record = record
  await writeRunRecord(runtimePaths(paths.runtime).record, record)
  refuseWhenPoweredOff(slot)
  context.metrics.forget(slot.id)
  const link = slot.link ?? openLink(context, slot)
  slot.log.write('start', { accelerator: plan.accelerator, qemu: plan.qemu.version, restored: plan.restore !== null, disposable })
  // What QEMU is given, told as it will be next time, while QEMU starts.
  const argv = disposable ? null : context.commandLine({ ...plan, restore: null }).catch(() => null)
  const held = await link.command('launch', plan)
  refuseWhenPoweredOff(slot)
  if (slot.ended !== null) {
    const ended = slot.ended
    endRun(context, slot, ended.clean ? { to: 'stopped' } : { to: 'crashed', crash: crashOf(ended) })
    return
  }
  await takeHold(slot, link, held)
  await forgetCrash(paths)
  await keepArgv(slot, record.startedAt, await argv)
  if (plan.restore !== null) {
    slot.set({ saved: null })
    // Marked as used, it is never loaded again: what stays of it takes space, and the guest goes on.
    await removeSaved(paths).catch((error: unknown) => {
      slot.log.write('saved.notRemoved', { message: (error as Error).message })
    })
  }
}

/** A start is not lost for want of its record. */
async function keepArgv(slot: MachineSlot, at: string, argv: string[] | null): Promise<void> {
  if (argv === null) return
  await writeLastStart(slot.stored.paths, { at, argv }).catch((error: unknown) => {
    slot.log.write('start.notKept', { message: (error as Error).message })
  })
}

/** A copy of this machine in another library has the same id and would have the same sockets. */
async function requireFreeRuntime(runtimeFolder: string): Promise<void> {
  const other = await readRunRecord(runtimePaths(runtimeFolder).record)
  if (other === null) {
    await removeRunFolder(runtimeFolder)
    return
  }
  const process = await findRun(other, runtimeFolder)
  if (process === null) {
    await removeRunFolder(runtimeFolder)
    return
  }
  throw new RingsideError('ILLEGAL_STATE', `A machine with the same id runs already, from ${other.machineFolder} (process ${String(process.pid)}).`, {
    path: other.machineFolder,
    hint: 'Shut it down first; or, if this one is a copy of it, give the copy an id of its own.',
  })
}

function refuseWhenPoweredOff(slot: MachineSlot): void {
  if (slot.poweringOff) throw new RingsideError('CANCELLED', `“${slot.name}” was powered off while it started.`)
}

/** Leaves nothing of a start that failed: no worker, no half-started QEMU, no run folder. */
async function undo(slot: MachineSlot): Promise<void> {
  const { record } = slot
  if (record === null) {
    await closeLink(slot)
    await clearDisposable(slot)
    slot.poweringOff = false
    return
  }
  const { runtime } = slot.stored.paths
  const workerDied = slot.link === null
  await slot.link?.command('powerOff', {}, { timeoutMs: 5000 }).catch(() => undefined)
  await closeLink(slot)
  let left = await findRun(record, runtime)
  // The worker may have died just after it had started QEMU, which takes a moment to say who it is.
  for (let look = 0; workerDied && left === null && look < newbornLooks; look += 1) {
    await delay(newbornLookMs)
    left = await findRun(record, runtime)
  }
  if (left !== null) await killProcess(left)
  slot.record = null
  slot.ended = null
  slot.poweringOff = false
  await removeRunFolder(runtime)
  await clearDisposable(slot)
}
