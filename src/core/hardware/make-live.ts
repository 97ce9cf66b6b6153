import { isRingsideError, type RingsideError } from '@shared/errors'
import { isRepeatable, type LiveChange, withLiveChange } from '../engine/live-change'
import type { HardwareWork } from './context'
import { pathOf } from './live-plan'

/** A guest may take its time to let go of a device; the engine's own limit is shorter. */
const liveChangeMs = 60_000

/** A change that was not made, and why. */
export interface NotMade {
  readonly change: LiveChange
  readonly error: unknown
}

/**
 * Makes changes of a machine that runs, one by one, each noted in the record of the run; one that fails keeps no other from being made. Ends when the machine does.
 * @returns those that were not made
 */
export async function makeAllLive(work: HardwareWork, changes: readonly LiveChange[]): Promise<NotMade[]> {
  const { held } = work
  const failed: NotMade[] = []
  for (const change of changes) {
    if (!held.live) break
    try {
      await makeLive(work, change)
    } catch (error) {
      held.log('hardware.notLive', { change: change.kind, path: pathOf(change), message: (error as Error).message })
      if (held.live) failed.push({ change, error })
    }
  }
  return failed
}

/** Whether the change only waits: the guest does not let go of a device, or this computer can't do it while the machine runs. */
export function isGuestsRefusal(error: unknown): error is RingsideError {
  return isRingsideError(error, 'GUEST_FAILED') || isRingsideError(error, 'CAPABILITY_MISSING')
}

/**
 * One change in QEMU and in the record of the run. What can be done twice is recorded first, and whoever takes the machine over does it again; of what can be plugged, QEMU tells whether
 * it has it.
 */
async function makeLive({ context, held }: HardwareWork, change: LiveChange): Promise<void> {
  const before = held.run?.definition
  if (before === undefined) return
  const canRepeat = isRepeatable(change)
  if (canRepeat) await held.noteRun(withLiveChange(before, change))
  try {
    await held.command('changeHardware', change, { timeoutMs: liveChangeMs })
    await context.atStep('hardware:live-change-made')
  } catch (error) {
    if (canRepeat) await held.noteRun(before)
    throw error
  }
  if (!canRepeat && held.run !== null) await held.noteRun(withLiveChange(held.run.definition, change))
  await context.atStep('hardware:run-noted')
}
