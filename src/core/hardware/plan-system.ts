import type { MachineDefinition, MachineHardware } from '@shared/model'
import { isChannel, type LiveChange, SystemPart } from '../engine/live-change'
import { boardOf } from '../engine/qemu/argv'
import { channelObstacle } from './plan-channels'
import { staysOnBoard, takesNothing } from './places'
import type { Planned } from './planned'

const noDisplay = 'The clipboard is shared through the machine’s screen, and it runs without a display.'

/**
 * Tells what of the machine’s own devices comes and goes while it runs: the balloon, its source of random numbers, and the channels of the guest’s agent and of the clipboard.
 * @param running what runs
 * @param stored what was to be at the next start before this change
 */
export function planSystem(running: MachineDefinition, stored: MachineDefinition, wanted: MachineHardware): Planned {
  const changes: LiveChange[] = []
  const waits = new Map<string, string>()
  for (const part of SystemPart.options) {
    // One that was to go before waits already, or is being let go of.
    if (running[part] === wanted[part] || (!wanted[part] && !stored[part])) continue
    const obstacle = wanted[part] ? plugObstacle(running, part) : unplugObstacle(running, part)
    if (obstacle !== null) {
      waits.set(part, obstacle)
      continue
    }
    changes.push({ kind: wanted[part] ? 'plugSystem' : 'unplugSystem', part })
  }
  return withTarget({ changes, waits }, running, wanted)
}

/** A balloon is told its target once it is there, and one that goes takes it along. */
function withTarget({ changes, waits }: Planned, running: MachineDefinition, { memory, balloon }: MachineHardware): Planned {
  const { targetMiB } = memory
  if (targetMiB === running.memory.targetMiB) return { changes, waits }
  const set: LiveChange = { kind: 'setMemoryTarget', targetMiB }
  const plug = changes.findIndex((change) => change.kind === 'plugSystem' && change.part === 'balloon')
  if (targetMiB === null && changes.some((change) => change.kind === 'unplugSystem' && change.part === 'balloon')) return { changes, waits }
  if (targetMiB !== null && targetMiB > running.memoryMiB) waits.set('memory.targetMiB', 'It is more than the machine has now.')
  else if (running.balloon) return { changes: [set, ...changes], waits }
  else if (plug >= 0) return { changes: changes.toSpliced(plug + 1, 0, set), waits }
  else waits.set('memory.targetMiB', balloon ? 'It comes with the balloon, at the next start.' : 'The machine has no memory balloon.')
  return { changes, waits }
}

function plugObstacle(running: MachineDefinition, part: SystemPart): string | null {
  if (part === 'clipboard' && running.display.model === 'none') return noDisplay
  if (isChannel(part)) return channelObstacle(running)
  return boardOf(running.machineType).pcie ? null : takesNothing
}

/** A channel goes whatever its controller is on. */
function unplugObstacle({ machineType }: MachineDefinition, part: SystemPart): string | null {
  return isChannel(part) || boardOf(machineType).pcie ? null : staysOnBoard
}

/** What a watchdog does is QEMU’s; which one there is, the guest’s. */
export function planWatchdog({ watchdog: now }: MachineDefinition, { watchdog: wanted }: MachineHardware): LiveChange[] {
  return now !== null && wanted?.model === now.model && wanted.action !== now.action ? [{ kind: 'setWatchdogAction', action: wanted.action }] : []
}
