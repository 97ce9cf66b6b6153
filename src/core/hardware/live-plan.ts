import type { AcceleratorName, HardwareDifference, MachineDefinition, MachineHardware } from '@shared/model'
import type { LiveChange } from '../engine/live-change'
import { inPresentLayers } from './hardware'
import { Places } from './places'
import { planConsoles, withController } from './plan-channels'
import { planDiscs, planLists } from './plan-lists'
import { planMemory } from './plan-memory'
import { planPointer } from './plan-pointer'
import { planProcessors } from './plan-processors'
import { planSystem, planWatchdog } from './plan-system'
import { whenOf } from './plan-times'

/** What happens to a machine that runs. */
export interface LivePlan {
  /** The hardware as it is to be, with the places of what is plugged in. */
  hardware: MachineHardware
  /** In the order in which they are made. */
  changes: LiveChange[]
  differences: HardwareDifference[]
}

const needsStart = 'QEMU can’t change this while the machine runs.'

/**
 * Tells what of a change can be made while the machine runs, and makes places for what is plugged in.
 * @param running what runs
 * @param stored what was to be at the next start before this change
 */
export function planLive(running: MachineDefinition, stored: MachineDefinition, wantedNow: MachineHardware, accelerator: AcceleratorName): LivePlan {
  const wanted = inPresentLayers(wantedNow, running)
  const places = new Places(running, wantedNow)
  const { hardware, ...lists } = planLists({ running, stored, wanted, accelerator, places })
  const pointer = planPointer(running, stored, wanted, places)
  const memory = planMemory(running, wanted)
  const system = planSystem(running, stored, wanted)
  const consoles = planConsoles(running, wanted)
  const processors = planProcessors(running, wanted, accelerator)
  const changes = [...lists.changes, ...pointer.changes, ...planDiscs(running.cdroms, wanted.cdroms), ...memory.changes, ...withController(running, [...system.changes, ...consoles.changes]), ...planWatchdog(running, wanted), ...processors.changes]
  const waits = new Map([lists, pointer, memory, system, consoles, processors].flatMap((part) => [...part.waits]))
  return { hardware, changes, differences: whenOf(running, stored, hardware, changes, (device) => waits.get(device) ?? needsStart) }
}
