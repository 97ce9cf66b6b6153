import type { MachineDefinition, MachineHardware } from '@shared/model'
import { hasChannels } from '../engine/empty-places'
import { isChannel, type LiveChange } from '../engine/live-change'
import { boardOf } from '../engine/qemu/argv'
import type { Planned } from './planned'

const noController = 'The machine has had no controller for channels to the guest since its start, and its board takes none while it runs; it gets it at the next.'

/** Why no channel or console comes to a machine that runs, a sentence; null: one can. */
export function channelObstacle(running: MachineDefinition): string | null {
  return boardOf(running.machineType).pcie || hasChannels(running) ? null : noController
}

/** One change for each console over VirtIO that comes or goes; the last ones go. Their ports are those after the serial ports that run. */
export function planConsoles(running: MachineDefinition, { virtioConsoles }: MachineHardware): Planned {
  const more = virtioConsoles - running.virtioConsoles
  const obstacle = more > 0 ? channelObstacle(running) : null
  if (obstacle !== null) return { changes: [], waits: new Map([['virtioConsoles', obstacle]]) }
  const changes = Array.from({ length: Math.abs(more) }, (_, index): LiveChange => (more > 0 ? { kind: 'plugConsole', consoles: running.virtioConsoles + index + 1 } : { kind: 'unplugConsole', consoles: running.virtioConsoles - index - 1 }))
  return { changes, waits: new Map() }
}

/** The controller comes before the first that is on it, where there is none yet. */
export function withController(running: MachineDefinition, changes: readonly LiveChange[]): LiveChange[] {
  const first = changes.findIndex((change) => change.kind === 'plugConsole' || (change.kind === 'plugSystem' && isChannel(change.part)))
  return first < 0 || hasChannels(running) ? [...changes] : changes.toSpliced(first, 0, { kind: 'plugChannels' })
}
