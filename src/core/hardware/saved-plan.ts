import type { MachineDefinition, MachineHardware } from '@shared/model'
import type { LiveChange } from '../engine/live-change'
import { inPresentLayers } from './hardware'
import { type LivePlan, planLive, whenOf } from './live-plan'

/** What is no part of a guest’s memory, or is told to it anew before it goes on. */
const outsideMemory: readonly LiveChange['kind'][] = ['limitDisk', 'setLink', 'limitProcessorTime', 'prioritise', 'setMemoryTarget']
const keepsBoard = 'The memory of the saved guest fits the hardware that it was saved with: this comes after the machine’s next shut down.'
const keepsDisc = 'The saved guest knows the disc that was in the drive. Put another one in when it goes on; taking it out is possible now.'

/**
 * What of a change a machine has at once whose guest is saved to disk. Its memory loads into the very board that it was saved with; what is around that can be other.
 * @param saved what the saved guest has
 * @param stored what was to be after its next shut down, before this change
 * @param placed with the places that devices have
 */
export function planSaved(saved: MachineDefinition, stored: MachineDefinition, placed: MachineHardware): LivePlan {
  const hardware = inPresentLayers(placed, stored)
  const changes = planLive(saved, stored, hardware, 'tcg').changes.filter((change) => outsideMemory.includes(change.kind) || (change.kind === 'changeMedium' && change.image === null))
  return { hardware, changes, differences: whenOf(saved, stored, hardware, changes, (_, path) => (/^cdroms\.[^.]+\.image$/u.test(path) ? keepsDisc : keepsBoard)) }
}
