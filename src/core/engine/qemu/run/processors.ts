import { RingsideError } from '@shared/errors'
import { type MachineDefinition, processorsAtStart } from '@shared/model'
import { processorId } from '../argv'
import type { QmpClient } from '../qmp'
import type { HotpluggableCpu } from '../qmp/qmp-types'

type Board = Pick<MachineDefinition, 'processors'>

/** Places of the processors in the order in which the board fills them [hw/i386/x86.c: x86_possible_cpu_arch_ids]. */
const order = ['node-id', 'socket-id', 'die-id', 'module-id', 'core-id', 'thread-id'] as const

async function placesInOrder(qmp: QmpClient): Promise<HotpluggableCpu[]> {
  const places = await qmp.execute('query-hotpluggable-cpus')
  return places.toSorted((a, b) => order.map((key) => (a.props[key] ?? 0) - (b.props[key] ?? 0)).find((difference) => difference !== 0) ?? 0)
}

/** How many processors QEMU has beyond those of the start: the truth, whatever was recorded of it. */
export async function pluggedProcessors(qmp: QmpClient, { processors }: Board): Promise<number> {
  if (processors.maximum === null) return 0
  const present = (await placesInOrder(qmp)).filter((place) => place['qom-path'] !== undefined).length
  return Math.max(0, present - processorsAtStart(processors))
}

/**
 * Puts the next processor in, so that `plugged` of them are. Does nothing where they are already.
 * Throws `QEMU_FAILED` when QEMU has no place for it, and what QEMU says.
 */
export async function plugProcessor(qmp: QmpClient, definition: Board, plugged: number): Promise<void> {
  const index = processorsAtStart(definition.processors) + plugged - 1
  const places = await placesInOrder(qmp)
  const place = places[index]
  if (place === undefined || places.slice(0, index).some((before) => before['qom-path'] === undefined)) {
    throw new RingsideError('QEMU_FAILED', `The board has no next place for a processor ${String(index + 1)}.`, { hint: 'Put processors in one after the other, up to the number that the machine may have.' })
  }
  if (place['qom-path'] !== undefined) return
  await qmp.execute('device_add', { driver: place.type, id: processorId(index), ...place.props })
}

/** The last of the processors that are there, by its path in QEMU, where that is the one to go; null: it has gone already. Throws `GUEST_FAILED` when one behind it is still there. */
export async function lastProcessor(qmp: QmpClient, definition: Board, plugged: number): Promise<string | null> {
  const index = processorsAtStart(definition.processors) + plugged
  const places = await placesInOrder(qmp)
  if (places.slice(index + 1).some((place) => place['qom-path'] !== undefined)) {
    throw new RingsideError('GUEST_FAILED', 'The guest still has the processor behind it, which has to go first.', { hint: 'Switch that one off in the guest.' })
  }
  return places[index]?.['qom-path'] ?? null
}
