import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { isRingsideError, messageOf, RingsideError } from '@shared/errors'
import type { CrashReport, MachineAction, MachineDefinition, SavedState } from '@shared/model'
import type { EngineEvent } from '../engine/engine'
import { withLiveChange } from '../engine/live-change'
import { findProcess } from '../engine/qemu/process/process-identity'
import type { MachineSlot } from './machine-slot'
import type { ManagerContext } from './manager-context'
import { clearDisposable } from './disposable'
import { forgetCrash, writeCrash } from './last-run'
import { findRun, unseenCrash } from './run-end'
import { adoptionPlan, removeRunFolder, withCandidates, withDefinition, writeRunRecord } from './run-record'
import { runtimePaths } from '../library/paths'
import { exitInWords, WorkerLink } from './worker-link'
import type { Held } from './worker-protocol'

export const notes = {
  diskError: 'The guest was paused because its disk could not be written or read; see to the drive, then resume it.',
  watchdog: 'The guest was paused by its watchdog: it had stopped responding.',
  powerButton: 'The guest has not reacted to the power button. Press it again, or power the machine off.',
  unattended: 'The process that looks after this machine fails again and again. The machine goes on, but can’t be controlled; the next action tries once more.',
} as const

/** Starts a worker for a machine and listens to it. */
export function openLink(context: ManagerContext, slot: MachineSlot): WorkerLink {
  const openedAt = performance.now()
  const link: WorkerLink = new WorkerLink(context.workers.take({ id: slot.id, name: slot.name }), {
    event(event) {
      if (slot.link === link) handleEvent(context, slot, event)
    },
    sample(sample) {
      if (slot.link === link) context.metrics.addSample(slot.id, sample)
    },
    thumbnail(png) {
      if (slot.link === link) context.metrics.setScreen(slot.id, png)
    },
    nonsense(message) {
      slot.log.write('worker.nonsense', { message })
    },
    exit(exit) {
      if (slot.link !== link) return
      slot.link = null
      slot.workerDeaths = performance.now() - openedAt > context.timings.workerSettled ? 1 : slot.workerDeaths + 1
      slot.log.write('worker.died', { pid: link.pid, ...exit })
      // While starting or saving, the verb at work is told by its own command.
      if (slot.state === 'running' || slot.state === 'paused' || slot.state === 'stopping') void recover(context, slot, exitInWords(exit))
    },
  })
  slot.link = link
  link.tell({ type: 'watch', ...context.metrics.wanted })
  return link
}

/** Ends a worker whose machine is no more, or is to go on alone. */
export async function closeLink(slot: MachineSlot): Promise<void> {
  const { link } = slot
  slot.link = null
  if (link === null) return
  await link.command('release', {}, { timeoutMs: 2000 }).catch(() => undefined)
  link.kill()
}

function handleEvent(context: ManagerContext, slot: MachineSlot, event: EngineEvent): void {
  if (event.type !== 'ended') slot.log.write(`guest.${event.type}`, event)
  // The verb at work knows better than an event that its own doings caused.
  const verbAtWork = slot.state === 'starting' || slot.state === 'saving'
  switch (event.type) {
    case 'paused':
      // The engine may have said just before which disk it is and why; that is said no more once the guest goes on.
      if (event.why === 'io-error') slot.pauseNote = slot.lastNote ?? notes.diskError
      if (event.why === 'watchdog') slot.pauseNote = notes.watchdog
      if (slot.pauseNote !== null) slot.addNote(slot.pauseNote)
      if (!verbAtWork) slot.set({ state: 'paused' })
      break
    case 'resumed':
      slot.lastNote = null
      if (slot.pauseNote !== null) slot.removeNote(slot.pauseNote)
      slot.pauseNote = null
      if (slot.state === 'paused') slot.set({ state: 'running' })
      break
    case 'reset':
      slot.removeNote(notes.powerButton)
      if (slot.state === 'stopping') slot.set({ state: 'running' })
      break
    case 'shuttingDown':
      if (!verbAtWork) slot.set({ state: 'stopping' })
      slot.stopWaitingForPowerButton()
      break
    case 'ended':
      slot.ended = event
      if (!verbAtWork) endRun(context, slot, event.clean || slot.poweringOff ? { to: 'stopped' } : { to: 'crashed', crash: crashOf(event) })
      break
    case 'unplugged':
      if (slot.record !== null) void noteDefinition(slot, withLiveChange(slot.record.definition, event.change)).then(() => { slot.set({}) })
      break
    case 'note':
      slot.lastNote = event.message
      slot.addNote(event.message)
      break
  }
}

export function crashOf(ended: Extract<EngineEvent, { type: 'ended' }>): CrashReport {
  return { at: new Date().toISOString(), reason: ended.reason, process: ended.failure }
}

export type RunEnd = { to: 'stopped' } | { to: 'saved'; saved: SavedState } | { to: 'crashed'; crash: CrashReport }

/** The run is over: says so at once, and clears away what it left. */
export function endRun(context: ManagerContext, slot: MachineSlot, end: RunEnd): void {
  if (!slot.live) return
  const { paths } = slot.stored
  const saved = end.to === 'saved' ? end.saved : null
  const crash = end.to === 'crashed' ? end.crash : null
  slot.log.write('run.ended', { how: end.to, ...(crash === null ? {} : { reason: crash.reason, process: crash.process }) })
  const disposable = slot.record?.disposable === true
  slot.savedGuest = saved === null ? null : slot.record
  slot.record = null
  slot.ended = null
  slot.poweringOff = false
  slot.lastNote = null
  slot.pauseNote = null
  slot.workerDeaths = 0
  slot.cleaning = (async () => {
    // First, so that a host which dies now does not hide how the run ended.
    if (crash !== null) await writeCrash(paths, crash).catch((error: unknown) => { slot.log.write('crash.notKept', { message: String(error) }) })
    else await forgetCrash(paths)
    await closeLink(slot)
    await removeRunFolder(paths.runtime)
    if (disposable) await clearDisposable(slot)
  })()
  context.metrics.ended(slot.id)
  slot.set({ state: end.to, run: null, crash, saved })
}

/** A worker died, its machine perhaps not: gives the machine a new one, or finds out how it ended. */
export function recover(context: ManagerContext, slot: MachineSlot, why: string): Promise<void> {
  slot.recovery ??= recoverNow(context, slot, why).finally(() => {
    slot.recovery = null
  })
  return slot.recovery
}

async function recoverNow(context: ManagerContext, slot: MachineSlot, why: string): Promise<void> {
  const { workerRestarts } = context.timings
  if (slot.run !== null) slot.set({ run: { ...slot.run, workerPid: null } })
  while (slot.live && slot.link === null) {
    if (await endIfGone(context, slot)) return
    const pause = workerRestarts[slot.workerDeaths - 1] ?? (slot.workerDeaths === 0 ? 0 : null)
    if (pause === null) {
      slot.addNote(notes.unattended)
      slot.log.write('worker.givenUp', { deaths: slot.workerDeaths, why })
      void watchUnattended(context, slot)
      return
    }
    await delay(pause)
    if (!slot.live || slot.link !== null || slot.released) return
    await adopt(context, slot).catch((error: unknown) => {
      slot.log.write('worker.adoptionFailed', { message: messageOf(error) })
    })
  }
}

/** Gives a running machine a new worker. Throws what the worker throws; the machine is then without one. */
export async function adopt(context: ManagerContext, slot: MachineSlot): Promise<void> {
  const { record } = slot
  if (record === null) return
  const link = openLink(context, slot)
  let held: Held
  try {
    held = await link.command('adopt', adoptionPlan({ ...record, definition: withCandidates(record, slot.stored.definition) }, slot.stored.paths), { timeoutMs: context.timings.adoption })
    if (slot.runsAfterSave && held.paused) {
      await link.command('resume', {}, { timeoutMs: context.timings.command })
      held.paused = false
    }
    slot.runsAfterSave = false
  } catch (error) {
    if (slot.link === link) {
      slot.link = null
      slot.workerDeaths += 1
      link.kill()
    }
    if (isRingsideError(error, 'NOT_FOUND')) await endIfGone(context, slot)
    throw error
  }
  await takeHold(slot, link, held)
}

/** Notes what a worker has in its hands. */
export async function takeHold(slot: MachineSlot, link: WorkerLink, held: Held): Promise<void> {
  if (slot.record !== null && !isDeepStrictEqual(slot.record.definition, held.definition)) await noteDefinition(slot, held.definition)
  const { record, run } = slot
  if (record === null) return
  slot.unattended = false
  slot.log.write('worker.holds', { workerPid: link.pid, qemuPid: held.qemuPid })
  const known = run?.notes.filter((note) => note !== notes.unattended) ?? []
  slot.set({
    state: held.paused ? 'paused' : slot.state === 'stopping' ? 'stopping' : 'running',
    run: {
      startedAt: record.startedAt,
      accelerator: record.accelerator,
      acceleratorNote: record.acceleratorNote,
      qemuPid: held.qemuPid,
      workerPid: link.pid ?? null,
      qemuVersion: record.qemu.version,
      disposable: record.disposable,
      notes: [...new Set([...record.notes, ...known, ...held.notes])],
    },
  })
  await noteProcess(slot, held.qemuPid)
}

/** What QEMU has is not what was recorded: the host before was cut off in between, or the guest let go of a device. */
async function noteDefinition(slot: MachineSlot, definition: MachineDefinition): Promise<void> {
  if (slot.record === null) return
  slot.record = withDefinition(slot.record, definition)
  await writeRunRecord(runtimePaths(slot.stored.paths.runtime).record, slot.record).catch((error: unknown) => {
    slot.log.write('run.notRecorded', { message: String(error) })
  })
}

/** Writes which process the run is, so that a later host does not mistake another one for it. */
async function noteProcess(slot: MachineSlot, pid: number): Promise<void> {
  const { record } = slot
  if (record === null || record.process?.pid === pid) return
  const { runtime } = slot.stored.paths
  const process = await findProcess(pid)
  // Gone already: the event of its end is on its way.
  if (process === null || slot.record?.startedAt !== record.startedAt) return
  slot.record = { ...record, process }
  await writeRunRecord(runtimePaths(runtime).record, slot.record).catch((error: unknown) => {
    // The pid file says the same, less surely; or the run has ended and its folder is gone.
    slot.log.write('run.notRecorded', { message: String(error) })
  })
}

/** Whether the process of a run without a worker has ended; then that is what the machine shows from now on. */
async function endIfGone(context: ManagerContext, slot: MachineSlot): Promise<boolean> {
  const { record } = slot
  if (record === null || !slot.live) return true
  const { paths } = slot.stored
  if ((await findRun(record, paths.runtime)) !== null) return false
  const crash = slot.poweringOff ? null : await unseenCrash(record, paths.runtime, paths.qemuLog)
  // Somebody else may have noticed first, and the machine may have been started again since.
  if (slot.record?.startedAt !== record.startedAt) return true
  endRun(context, slot, crash === null ? { to: 'stopped' } : { to: 'crashed', crash })
  return true
}

/** A machine whose workers keep dying is looked at from afar until it ends or an action gets it a worker. */
async function watchUnattended(context: ManagerContext, slot: MachineSlot): Promise<void> {
  if (slot.unattended) return
  slot.unattended = true
  while (slot.live && slot.unattended) {
    if (slot.link === null && (await endIfGone(context, slot))) break
    await delay(context.timings.unattendedLook, undefined, { ref: false })
  }
  slot.unattended = false
}

/**
 * The worker of a live machine; gets it one when it has none. Throws what the adoption throws, and `ILLEGAL_STATE` when the machine has
 * ended meanwhile.
 */
export async function requireLink(context: ManagerContext, slot: MachineSlot, action: MachineAction, { ownTask } = { ownTask: false }): Promise<WorkerLink> {
  await slot.recovery
  if (slot.link === null && slot.live) await adopt(context, slot)
  // The task at work would refuse itself.
  if (!ownTask) slot.require(action)
  if (slot.link !== null) return slot.link
  throw new RingsideError('WORKER_DIED', `The process that looks after “${slot.name}” is being replaced.`, { hint: 'Try again in a moment.' })
}
