import { readdir } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { dirname } from 'node:path'
import type { MachineDefinition } from '@shared/model'
import type { QmpClient } from '../qmp'
import { findControlGroups, freeProcessorTime, groupOf, limitProcessorTime } from '../process/control-groups'
import { limitDisk } from './disk-limits'

const priorities: Readonly<Record<MachineDefinition['processors']['priority'], number>> = {
  low: constants.priority.PRIORITY_BELOW_NORMAL, normal: constants.priority.PRIORITY_NORMAL, high: constants.priority.PRIORITY_ABOVE_NORMAL,
}

/**
 * What a command line can't say, before the guest runs for the first time: limits of disks, cables that are not plugged in, what the balloon leaves of memory, the share and the priority of the process.
 * @param fromMemory its guest goes on: cables and the balloon are as they were then, and may have been changed since
 * @returns what is less than the definition asks for, a sentence each
 */
export async function applyFirstSettings(qmp: QmpClient, definition: MachineDefinition, pid: number, fromMemory: boolean): Promise<string[]> {
  for (const { id, limits } of definition.disks) if (limits !== null) await limitDisk(qmp, definition, id, limits)
  for (const { id, linkUp } of definition.nics) if (!linkUp || fromMemory) await setLink(qmp, id, linkUp)
  if (definition.balloon && (fromMemory || definition.memory.targetMiB !== null)) await setMemoryTarget(qmp, definition)
  const limited = definition.processors.limitPercent === null ? [] : await limitTime(definition, pid)
  return [...limited, ...(definition.processors.priority === 'normal' ? [] : await prioritise(pid, definition.processors.priority))]
}

/** The group of the host's kernel that a machine's processor time is counted in. */
export function timeGroup({ id }: Pick<MachineDefinition, 'id'>): string {
  return `ringside-${id}`
}

/**
 * The share of the host's processor time that the machine's process may take, from now on.
 * @returns why it could not be had, a sentence
 */
export async function limitTime(definition: Pick<MachineDefinition, 'id' | 'processors'>, pid: number): Promise<string[]> {
  const { limitPercent } = definition.processors
  const name = timeGroup(definition)
  const failed = (why: string): string[] => [`The machine’s processor time is not limited as wanted: ${why}`]
  try {
    if (limitPercent === null) {
      await freeProcessorTime(pid, name)
      return []
    }
    const known = await groupOf(pid, name)
    const groups = known === null ? await findControlGroups() : { version: known.version, parent: dirname(known.folder) }
    if (typeof groups === 'string') return failed(groups)
    await limitProcessorTime(groups, { name, pid, percent: limitPercent })
    return []
  } catch (error) {
    return failed(`this computer does not allow it (${(error as NodeJS.ErrnoException).code ?? (error as Error).message}).`)
  }
}

/** Plugs a card's cable in, or pulls it out. */
export async function setLink(qmp: QmpClient, nicId: string, up: boolean): Promise<void> {
  await qmp.execute('set_link', { name: nicId, up })
}

/**
 * What the balloon is to leave the guest of its memory. The guest gives the rest back in its own time; a target outlives its resets and is part of saved memory.
 * QEMU counts nothing of what virtio-mem has plugged in [hw/virtio/virtio-balloon.c: get_current_ram_size].
 */
export async function setMemoryTarget(qmp: QmpClient, { memoryMiB, memory }: Pick<MachineDefinition, 'memoryMiB' | 'memory'>): Promise<void> {
  await qmp.execute('balloon', { value: (memory.targetMiB ?? memoryMiB) * 2 ** 20 })
}

/**
 * Linux keeps a priority for each thread, and those of the guest's processors are there already [setpriority(2)].
 * @returns why it could not be done, a sentence; a guest that may be less swift than wanted is no reason not to start
 */
export async function prioritise(pid: number, priority: MachineDefinition['processors']['priority']): Promise<string[]> {
  const threads = process.platform === 'linux' ? (await readdir(`/proc/${String(pid)}/task`).catch(() => [])).map(Number) : [pid]
  try {
    for (const thread of threads) setPriority(thread, priorities[priority])
    return []
  } catch (error) {
    return [`The machine runs with the usual priority: this computer does not let you set it to ${priority} (${(error as NodeJS.ErrnoException).code ?? (error as Error).message}).`]
  }
}
