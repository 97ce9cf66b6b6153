import type { HardwareDifference, MachineDefinition, MachineHardware } from '@shared/model'
import type { LiveChange } from '../engine/live-change'
import type { SavedGuest } from '../machine/machine-slot'
import { hardwareOf, inPresentLayers, withHardware } from './hardware'
import { type LivePlan, planLive } from './live-plan'
import { whenOf } from './plan-times'

/** What is no part of a guest’s memory, or is told to it anew before it goes on. */
const outsideMemory: readonly LiveChange['kind'][] = ['limitDisk', 'setLink', 'limitProcessorTime', 'prioritise', 'setMemoryTarget', 'setWatchdogAction']
const keepsBoard = 'The memory of the saved guest fits the hardware that it was saved with, and this can’t be changed while it runs: it comes after the machine’s next shut down.'

/**
 * What of a change a machine has at once whose guest is saved to disk, and what when that goes on. Its memory loads into the very board that it was saved with; what is around that can be other.
 * @param saved what the saved guest has, and how it runs
 * @param stored what was to be after its next shut down, before this change
 * @param placed with the places that devices have
 */
export function planSaved(saved: Pick<SavedGuest, 'definition' | 'accelerator'>, stored: MachineDefinition, placed: MachineHardware): LivePlan {
  const hardware = inPresentLayers(placed, stored)
  const { changes: live } = planWaiting(saved, withHardware(stored, hardware))
  const changes = live.filter((change) => outsideMemory.includes(change.kind) || (change.kind === 'changeMedium' && change.image === null))
  const goesOn = new Set(whenOf(saved.definition, stored, hardware, live, () => '').filter(({ when }) => when === 'now').map(({ path }) => path))
  const differences = whenOf(saved.definition, stored, hardware, changes, () => keepsBoard)
  return { hardware, changes, differences: differences.map((difference) => (difference.when === 'nextStart' && goesOn.has(difference.path) ? { ...difference, when: 'goesOn', reason: null } : difference)) }
}

/**
 * What of all that waits can be made as soon as a guest goes on from its memory, as if somebody changed it then.
 * @param present what the guest has, and how it runs
 * @param stored what is wanted
 */
export function planWaiting({ definition, accelerator }: Pick<SavedGuest, 'definition' | 'accelerator'>, stored: MachineDefinition): LivePlan {
  return planLive(definition, withHardware(stored, inPresentLayers(hardwareOf(definition), stored)), hardwareOf(stored), accelerator)
}

/** What waits for a saved guest, and when each of it comes. */
export function waitingForSaved(saved: Pick<SavedGuest, 'definition' | 'accelerator'>, stored: MachineDefinition): HardwareDifference[] {
  const { differences } = planSaved(saved, withHardware(stored, inPresentLayers(hardwareOf(saved.definition), stored)), hardwareOf(stored))
  return differences.map((difference) => (difference.when === 'now' ? { ...difference, when: 'goesOn' } : difference))
}
