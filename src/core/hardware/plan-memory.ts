import type { MachineDefinition, MachineHardware } from '@shared/model'
import type { Planned } from './planned'

/** Tells what changes about the memory that is plugged in while the machine runs. */
export function planMemory({ memory: { maximumMiB, pluggedMiB }, memoryMiB }: MachineDefinition, wanted: MachineHardware): Planned {
  if (maximumMiB === null || pluggedMiB === wanted.memory.pluggedMiB) return { changes: [], waits: new Map() }
  if (maximumMiB === wanted.memory.maximumMiB && memoryMiB === wanted.memoryMiB) return { changes: [{ kind: 'plugMemory', pluggedMiB: wanted.memory.pluggedMiB }], waits: new Map() }
  return { changes: [], waits: new Map([['memory.pluggedMiB', 'It comes with what else changes about the memory.']]) }
}
