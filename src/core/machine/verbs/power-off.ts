import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError, isRingsideError } from '@shared/errors'
import { killProcess } from '../../engine/qemu/process/process-identity'
import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { findRun } from '../run-end'
import { endRun } from '../supervise'

const killLimitMs = 5000

/**
 * Pulls the plug. Does not wait for its turn: what is at work is stopped. A machine whose worker does not do it is ended by the number
 * of its process.
 */
export async function powerOff(context: ManagerContext, slot: MachineSlot): Promise<void> {
  slot.require('powerOff')
  slot.saveAbort?.abort()
  // A task that does not need the run any more is not stopped, and not waited for.
  const isOutlived = slot.task !== null && slot.taskAbort === null
  slot.taskAbort?.abort(new RingsideError('CANCELLED', `“${slot.name}” was powered off.`))
  await endProcess(context, slot)
  // The verb at work sees the end and decides what the machine is then.
  if (!isOutlived) await slot.idle()
  endRun(context, slot, { to: 'stopped' })
}

/** The same for the verb that is at work itself. */
export async function pullPlug(context: ManagerContext, slot: MachineSlot): Promise<void> {
  await endProcess(context, slot)
  endRun(context, slot, { to: 'stopped' })
}

async function endProcess(context: ManagerContext, slot: MachineSlot): Promise<void> {
  slot.log.write('powerOff', { state: slot.state })
  slot.poweringOff = true
  const { link } = slot
  try {
    if (link === null) throw new RingsideError('WORKER_DIED', 'The machine has no worker.')
    // A launch under way is waited for by the worker, so that nothing is left behind half-started.
    await link.command('powerOff', {}, { timeoutMs: context.timings.command })
  } catch (error) {
    slot.log.write('powerOff.byProcess', { message: (error as Error).message })
    await killByProcess(slot)
    // One that does not answer would keep the verb at work waiting for ever.
    if (isRingsideError(error, 'TIMED_OUT')) link?.kill()
  }
}

async function killByProcess(slot: MachineSlot): Promise<void> {
  const { record } = slot
  if (record === null) return
  const { runtime } = slot.stored.paths
  const left = await findRun(record, runtime)
  if (left === null) return
  await killProcess(left)
  const until = performance.now() + killLimitMs
  while ((await findRun({ ...record, process: left }, runtime)) !== null) {
    if (performance.now() > until) {
      slot.poweringOff = false
      throw new RingsideError('TIMED_OUT', `QEMU (process ${String(left.pid)}) does not end although it was killed; it waits for the drive, most likely.`, {
        hint: 'Check the drives and network mounts that the machine uses; the process ends as soon as they answer.',
      })
    }
    await delay(50)
  }
}
