import { readdir, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { LibraryProblem } from '@shared/model'
import { runtimePaths } from '../library/paths'
import { readCrash, writeCrash } from './last-run'
import type { MachineSlot } from './machine-slot'
import type { ManagerContext } from './manager-context'
import { findRun, unseenCrash } from './run-end'
import { type RunRecord, readRunRecord, removeRunFolder } from './run-record'
import { readSavedRun, readSavedState, removeSaved } from './saved-state'
import { recover } from './supervise'

/**
 * Finds out what became of the machines since the last host: those that run are taken over, all at once; those that ended meanwhile show how.
 * A running machine that is not in the library any more is reported and left alone.
 */
export async function adoptAll(context: ManagerContext): Promise<void> {
  const slots = new Map(context.slots().map((slot) => [slot.id, slot]))
  const libraryFolder = await realFolder(context.libraryFolder)
  const names = await readdir(context.runtimeRoot).catch(() => [])
  await Promise.all(names.map(async (name) => {
    const folder = join(context.runtimeRoot, name)
    const record = await readRunRecord(runtimePaths(folder).record)
    if (record === null || (await realFolder(record.libraryFolder)) !== libraryFolder) return
    const slot = slots.get(record.definition.id)
    if (slot === undefined) await reportOrphan(context, record, folder)
    else await settle(context, slot, record, folder)
  }))
}

/** One spelling for a folder, however it was named. */
async function realFolder(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path))
}

async function settle(context: ManagerContext, slot: MachineSlot, record: RunRecord, folder: string): Promise<void> {
  const { paths } = slot.stored
  const process = await findRun(record, folder)
  if (process === null) {
    const crash = await unseenCrash(record, folder, paths.qemuLog)
    slot.log.write('run.endedUnseen', { how: crash === null ? 'in order' : 'crashed' })
    // What can't be kept now, on a full drive say, the next host finds once more.
    const kept = crash === null || (await writeCrash(paths, crash).then(() => true, (error: unknown) => { slot.log.write('crash.notKept', { message: String(error) }); return false }))
    if (kept) await removeRunFolder(folder)
    await showAtRest(slot)
    if (crash !== null && slot.state === 'stopped') slot.set({ state: 'crashed', crash })
    return
  }
  // A guest that runs is past whatever was saved of it, by a save that was cut short or by the one that it was started from; loading that
  // beside its changed disks would ruin them.
  await removeSaved(paths).catch(async (error: unknown) => {
    // Without its record it is never loaded, and only takes space.
    if ((await readSavedState(paths)) !== null) context.addProblem(staleSaveProblem(slot, error))
  })
  slot.record = { ...record, process }
  slot.set({
    state: 'running',
    run: {
      startedAt: record.startedAt, accelerator: record.accelerator, acceleratorNote: record.acceleratorNote, qemuPid: process.pid, workerPid: null,
      qemuVersion: record.qemu.version, notes: record.notes, disposable: record.disposable,
    },
    crash: null,
    saved: null,
  })
  await recover(context, slot, 'the host before this one has ended')
}

/** What a machine that does not run shows: saved, crashed, or just stopped. */
export async function showAtRest(slot: MachineSlot): Promise<void> {
  const { paths } = slot.stored
  const [saved, run, crash] = await Promise.all([readSavedState(paths), readSavedRun(paths).catch(() => null), readCrash(paths)])
  if (slot.live) return
  slot.savedGuest = run
  const facts = { state: saved !== null ? 'saved' as const : crash !== null ? 'crashed' as const : 'stopped' as const, saved, crash, run: null }
  // What is known already is no news.
  if (!isDeepStrictEqual(facts, { state: slot.state, saved: slot.saved, crash: slot.crash, run: slot.run })) slot.set(facts)
}

async function reportOrphan(context: ManagerContext, record: RunRecord, folder: string): Promise<void> {
  const process = await findRun(record, folder)
  if (process === null) {
    await removeRunFolder(folder)
    return
  }
  context.addProblem(orphanProblem(record, process.pid))
}

/** One machine's odd file keeps no library from being opened; but its owner has to know. */
function staleSaveProblem(slot: MachineSlot, error: unknown): LibraryProblem {
  const { paths } = slot.stored
  return {
    folder: paths.folder,
    path: paths.savedFolder,
    code: 'FILE_UNREADABLE',
    message: `“${slot.name}” runs, and what was saved of it earlier can’t be removed. ${(error as Error).message}`,
    hint: 'Remove it by hand before the machine is started the next time: it does not fit its disks any more.',
  }
}

function orphanProblem(record: RunRecord, pid: number): LibraryProblem {
  return {
    folder: record.machineFolder,
    path: record.machineFolder,
    code: 'RUNS_WITHOUT_DEFINITION',
    message: `“${record.definition.name}” runs (process ${String(pid)}), but its definition can’t be opened or is not in the library any more: ${record.machineFolder}`,
    hint: 'Put its folder back and start Ringside again to take the machine over, or end the process by hand.',
  }
}
