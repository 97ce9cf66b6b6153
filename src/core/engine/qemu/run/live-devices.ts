import { RingsideError } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import { capitalised } from '@shared/words'
import type { LaunchPlan } from '../../engine'
import { placeOfSlot } from '../argv'
import { QmpCommandError, QmpTimeoutError, type QmpClient } from '../qmp'
import type { JsonObject } from '../qmp/qmp-types'
import type { RunEndpoints } from './endpoints'
import type { SharedFolders } from './shared-folders'

/** How long a guest may take to let go of a device. One without a driver for hot-plug never does. */
const unplugPatienceMs = 15_000
export interface LiveMachine {
  qmp: QmpClient
  plan: LaunchPlan
  /** What QEMU has. */
  definition: MachineDefinition
  paused: boolean
  pid: number
  folders: SharedFolders
  /** A link to a folder that QEMU is to share itself. */
  share: string
  /** Where QEMU is to listen for those who want the guest’s agent or a console. */
  endpoints: RunEndpoints['endpoints']
  /** The log of a port with a console, by its number. */
  serialLog: (port: number) => string
  /** Told of what is less than was asked for, a sentence each. */
  tell: (sentence: string) => void
}

/** Asks the guest to let go of a device, and waits until it has. Throws `GUEST_FAILED` when it does not. */
export async function unplug(machine: LiveMachine, id: string, label = `“${id}”`): Promise<void> {
  if (!(await hasDevice(machine.qmp, id))) return
  await letGo(machine, { id, label, isThere: () => hasDevice(machine.qmp, id) })
}

/** @param device `id`: its id in QEMU, or its path where it has none */
export async function letGo({ qmp, paused }: LiveMachine, { id, label, isThere }: { id: string; label: string; isThere: () => Promise<boolean> }): Promise<void> {
  if (paused) throw new RingsideError('GUEST_FAILED', `The guest is paused and can’t let go of ${label}; it is taken out at the next start.`, { hint: 'Resume the machine, and take it out then.' })
  const isMeant = ({ device, path }: { device?: string; path: string }): boolean => device === id || path === id
  const deleted = qmp.nextEvent('DEVICE_DELETED', isMeant, unplugPatienceMs)
  deleted.catch(() => undefined)
  const refused = qmp.nextEvent('DEVICE_UNPLUG_GUEST_ERROR', isMeant, unplugPatienceMs)
  refused.catch(() => undefined)
  try {
    await qmp.execute('device_del', { id })
  } catch (error) {
    // Asked for before, and not answered yet.
    if (!(error instanceof QmpCommandError) || !/process of unplug/iu.test(error.description)) throw explained(error, `${label} can’t be taken out`)
  }
  const hasLetGo = await Promise.race([deleted.then(() => true), refused.then(() => false, () => deleted.then(() => true))]).catch((error: unknown) => {
    if (error instanceof QmpTimeoutError) return false
    throw error
  })
  if (!hasLetGo && (await isThere())) throw new RingsideError('GUEST_FAILED', `The guest does not let go of ${label}: it did not answer, or refused. It is taken out when the guest lets go of it, when it restarts, or at the next start.`, { hint: 'Close what uses it in the guest.' })
}

/** Takes a port of the controller of channels away, and nobody is asked. One that is not there is fine. */
export async function removePort(qmp: QmpClient, id: string, label: string): Promise<void> {
  if (!(await hasDevice(qmp, id))) return
  const deleted = qmp.nextEvent('DEVICE_DELETED', ({ device }) => device === id)
  deleted.catch(() => undefined)
  await qmp.execute('device_del', { id }).catch((error: unknown) => { throw explained(error, `${capitalised(label)} can’t be taken out`) })
  await deleted
}

/** A chardev that is not there is fine. */
export async function removeChardev(qmp: QmpClient, id: string): Promise<void> {
  await qmp.execute('chardev-remove', { id }).catch((error: unknown) => {
    if (!(error instanceof QmpCommandError)) throw error
  })
}

/** Ids of everything that was given one: devices of the machine's, and those that Ringside adds. */
export async function deviceIds(qmp: QmpClient): Promise<Set<string>> {
  const children = await qmp.execute('qom-list', { path: '/machine/peripheral' })
  return new Set(children.filter(({ type }) => type.startsWith('child<')).map(({ name }) => name))
}

export async function hasDevice(qmp: QmpClient, id: string): Promise<boolean> {
  return (await deviceIds(qmp)).has(id)
}

/** Throws when there is one with this id. */
export async function requireNoDevice(qmp: QmpClient, id: string): Promise<void> {
  if (await hasDevice(qmp, id)) throw new RingsideError('ILLEGAL_STATE', `The running machine has a device “${id}” already.`, { hint: 'One that was taken out may still be there until the guest lets go of it.' })
}

/** The spare port of a device that comes, as `device_add` takes it. */
export function placeOf({ qemu }: LaunchPlan, definition: MachineDefinition, slot: number): JsonObject {
  return placeOfSlot({ definition, platform: process.platform, qemu }, slot)
}

/** What QEMU refused, with what it was for. */
export function explained(error: unknown, what: string): unknown {
  if (!(error instanceof QmpCommandError)) return error
  return new RingsideError('QEMU_FAILED', `${what}: ${error.description}`, {}, { cause: error })
}
