import { RingsideError } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'
import type { PciBus } from './pci'

/** Name of the memory backend. It is what QEMU calls a PC's memory by default, so that saved state fits either way. */
export const memoryId = 'pc.ram'
/** The device through which memory is plugged in, and its memory. */
export const pluggedMemoryId = 'sys-plugged'
const pluggedBackendId = 'sys-plugged-memory'

const MiB = 2 ** 20

export function addMemory(list: ArgumentList, input: ArgvInput): void {
  const { memoryMiB, memory } = input.definition
  list.add('-m', `size=${String(memoryMiB)}M${memory.maximumMiB === null ? '' : `,maxmem=${String(memory.maximumMiB)}M`}`)
  list.object({ ...backend(input), id: memoryId, size: memoryMiB * MiB })
}

/** What is plugged in beyond the memory at start. All that can ever come is one piece, of which the guest is given a part. */
export function addPluggableMemory(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { memoryMiB, memory } = input.definition
  if (memory.maximumMiB === null) return
  const pluggableMiB = memory.maximumMiB - memoryMiB
  if (pluggableMiB <= 0 || memory.pluggedMiB > pluggableMiB) {
    throw new RingsideError('INVALID_INPUT', `The machine has ${String(memoryMiB)} MiB of memory and ${String(memory.pluggedMiB)} MiB plugged in, and may have ${String(memory.maximumMiB)} MiB at most.`)
  }
  // Nothing is set aside for what the guest may never get.
  list.object({ ...backend(input), id: pluggedBackendId, size: pluggableMiB * MiB, reserve: false, ...(memory.hugePages ? { prealloc: false } : {}) })
  list.device({ driver: 'virtio-mem-pci', id: pluggedMemoryId, memdev: pluggedBackendId, 'requested-size': memory.pluggedMiB * MiB, ...(memory.hugePages ? { prealloc: true } : {}), ...pci.expressPlace() })
}

/** Throws `CAPABILITY_MISSING` where only Linux has the kind of memory. */
function backend({ definition, platform, qemu, virtiofs }: ArgvInput): JsonObject & { 'qom-type': string } {
  const { hugePages } = definition.memory
  // What serves a folder reads and writes the guest’s memory itself.
  const shared = definition.memory.shared || Object.keys(virtiofs).length > 0
  if (!hugePages && !shared) return { 'qom-type': 'memory-backend-ram' }
  const obstacle = memfdObstacle(definition.memory, platform, qemu.features)
  if (obstacle !== null) throw new RingsideError('CAPABILITY_MISSING', obstacle, { hint: 'Switch it off in the machine’s hardware.' })
  // A pool that is too small is told of at start, and not by the end of QEMU when the guest touches what is not there.
  return { 'qom-type': 'memory-backend-memfd', share: shared, ...(hugePages ? { hugetlb: true, prealloc: true } : {}) }
}

/** Why memory can't be had in this way here, a sentence; null: it can. */
export function memfdObstacle({ hugePages }: Pick<MachineDefinition['memory'], 'hugePages'>, platform: NodeJS.Platform, features: Record<string, boolean>): string | null {
  const what = hugePages ? 'Huge pages' : 'Memory that other processes may map'
  if (platform !== 'linux') return `${what}: only on Linux.`
  return features['memfd'] === true ? null : `${what}: this QEMU was built without it.`
}
