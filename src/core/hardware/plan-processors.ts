import { isDeepStrictEqual } from 'node:util'
import type { AcceleratorName, MachineDefinition, MachineHardware } from '@shared/model'
import type { LiveChange } from '../engine/live-change'
import { plugProcessorObstacle, unplugProcessorObstacle } from '../engine/qemu/limits'
import type { Planned } from './planned'

/** Tells what changes about processors while the machine runs: how many there are, and what they may take of this computer. */
export function planProcessors(running: MachineDefinition, wanted: MachineHardware, accelerator: AcceleratorName): Planned {
  const plugged = planPlugged(running, wanted, accelerator)
  const [changes, waits] = typeof plugged === 'string' ? [[], new Map([['processors.plugged', plugged]])] : [plugged, new Map<string, string>()]
  const { limitPercent, priority } = wanted.processors
  if (running.processors.limitPercent !== limitPercent) changes.push({ kind: 'limitProcessorTime', percent: limitPercent })
  if (running.processors.priority !== priority) changes.push({ kind: 'prioritise', priority })
  return { changes, waits }
}

/** One change for each processor that comes or goes, or why they have to wait, a sentence. */
function planPlugged({ processors: now }: MachineDefinition, { processors: wanted }: MachineHardware, accelerator: AcceleratorName): LiveChange[] | string {
  const more = wanted.plugged - now.plugged
  if (more === 0) return []
  const isSameBoard = now.maximum === wanted.maximum && (['sockets', 'cores', 'threads', 'model'] as const).every((key) => now[key] === wanted[key]) && isDeepStrictEqual(now.features, wanted.features)
  if (!isSameBoard) return 'It comes with what else changes about the processors, at the next start.'
  const obstacle = more > 0 ? plugProcessorObstacle(accelerator) : unplugProcessorObstacle(accelerator)
  if (obstacle !== null) return obstacle
  return Array.from({ length: Math.abs(more) }, (_, index) => (more > 0 ? { kind: 'plugProcessor', plugged: now.plugged + index + 1 } : { kind: 'unplugProcessor', plugged: now.plugged - index - 1 }))
}
