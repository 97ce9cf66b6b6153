import { RingsideError } from '@shared/errors'
import type { JobReporter } from '../../app/services'
import { savedRamPath } from '../../library/paths'
import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { prepareSavedFolder, readSavedState, removeSaved } from '../saved-state'
import { crashOf, endRun, recover, requireLink } from '../supervise'

/**
 * Writes the guest's memory to disk and ends QEMU. Cancelled or failed, the guest goes on as before and nothing is left of it.
 * @param ownTask it is part of the task that has the machine
 */
export async function save(context: ManagerContext, slot: MachineSlot, report: JobReporter, { ownTask } = { ownTask: false }): Promise<void> {
  const link = await requireLink(context, slot, 'save', { ownTask })
  const before = slot.state === 'paused' ? 'paused' : 'running'
  const { record } = slot
  const { paths } = slot.stored
  if (record === null) return
  const abort = new AbortController()
  const signal = AbortSignal.any([abort.signal, report.signal])
  slot.saveAbort = abort
  slot.ended = null
  slot.runsAfterSave = before === 'running'
  slot.set({ state: 'saving' })
  report.report(null, 'Pausing the guest')
  try {
    signal.throwIfAborted()
    await prepareSavedFolder(paths)
    const { definition, ownAddresses, accelerator, qemu } = record
    const saved = { schemaVersion: 1 as const, savedAt: new Date().toISOString(), qemuVersion: qemu.version, accelerator, definition, ownAddresses, ramFormat: 'stream' as const, ramCompression: 'none' as const, ramFile: savedRamPath }
    await link.command('save', { ramFile: paths.savedRam, recordFile: paths.savedRecord, saved }, {
      signal,
      onProgress: (fraction) => {
        report.report(fraction, 'Writing memory to disk')
      },
    })
    const state = await readSavedState(paths)
    if (state === null) throw new RingsideError('INTERNAL', 'The saved state is not where it was written.', { path: paths.savedRecord })
    endRun(context, slot, { to: 'saved', saved: state })
  } catch (error) {
    await undo(context, slot, before)
    slot.log.write('save.failed', { message: (error as Error).message })
    if (signal.aborted) throw new RingsideError('CANCELLED', `Saving “${slot.name}” was cancelled.`, {}, { cause: error })
    throw error
  } finally {
    slot.saveAbort = null
    slot.runsAfterSave = false
  }
}

async function undo(context: ManagerContext, slot: MachineSlot, before: 'running' | 'paused'): Promise<void> {
  await removeSaved(slot.stored.paths).catch((error: unknown) => {
    slot.log.write('save.leftovers', { message: String(error) })
  })
  const ended = slot.ended
  if (ended !== null) {
    endRun(context, slot, ended.clean || slot.poweringOff ? { to: 'stopped' } : { to: 'crashed', crash: crashOf(ended) })
  } else if (slot.live && !slot.poweringOff) {
    slot.set({ state: before })
    // Dead workers are replaced by whoever notices; here that is the save.
    if (slot.link === null) await recover(context, slot, 'died while saving')
  }
}

