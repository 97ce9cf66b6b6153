import { isRingsideError, RingsideError } from '@shared/errors'
import { consolePortCount, type MachineDefinition, mostVirtioConsoles } from '@shared/model'
import { requireOrdinaryFile } from '../../../config'
import { consoleDevice, portChardev, portDeviceId } from '../argv'
import { listenBackend } from '../endpoint'
import type { QmpClient } from '../qmp'
import { explained, hasDevice, type LiveMachine, removeChardev, removePort, requireNoDevice } from './live-devices'

/**
 * Plugs the next console over VirtIO in, so that there are `consoles`, each with its socket and its log as at a start. Its port is the one after those that run.
 * Throws `ILLEGAL_STATE` where it is not the next, what speaks against its log, and `QEMU_FAILED`.
 */
export async function plugConsole({ qmp, definition, endpoints, serialLog }: LiveMachine, consoles: number): Promise<void> {
  requireInTurn(definition, consoles - 1)
  const port = consolePortCount(definition)
  const endpoint = endpoints.serial[port]
  if (endpoint === undefined) throw new RingsideError('CAPABILITY_MISSING', `A machine has no port ${String(port)}.`)
  const device = consoleDevice(definition, consoles - 1)
  await requireNoDevice(qmp, device.id)
  await requireOrdinaryFile(serialLog(port)).catch((error: unknown) => { if (!isRingsideError(error, 'FILE_NOT_FOUND')) throw error })
  await removeChardev(qmp, portChardev(port))
  try {
    await qmp.execute('chardev-add', { id: portChardev(port), backend: listenBackend(endpoint, serialLog(port)) })
    await qmp.execute('device_add', device)
  } catch (error) {
    if (!(await hasDevice(qmp, device.id))) await removeChardev(qmp, portChardev(port))
    throw explained(error, `VirtIO console ${String(consoles)} can’t be plugged in`)
  }
}

/** Takes the last console away, so that `consoles` stay. The guest is not asked, and whoever has it open is cut off. Throws `ILLEGAL_STATE` where it is not the last. */
export async function unplugConsole({ qmp, definition }: LiveMachine, consoles: number): Promise<void> {
  requireInTurn(definition, consoles + 1)
  const port = definition.serialPorts + consoles
  await removePort(qmp, portDeviceId(port), `VirtIO console ${String(consoles + 1)}`)
  await removeChardev(qmp, portChardev(port))
}

function requireInTurn({ virtioConsoles }: MachineDefinition, expected: number): void {
  if (virtioConsoles === expected) return
  throw new RingsideError('ILLEGAL_STATE', `The running machine has ${String(virtioConsoles)} VirtIO consoles, and they come and go one after the other.`, { hint: 'Change the machine’s hardware once more.' })
}

/**
 * How many consoles over VirtIO QEMU has, whatever was recorded of it; what one that is not there has left behind is removed.
 * @param ids of all devices that QEMU has
 */
export async function recoverConsoles(qmp: QmpClient, { serialPorts }: Pick<MachineDefinition, 'serialPorts'>, ids: ReadonlySet<string>): Promise<number> {
  const ports = Array.from({ length: mostVirtioConsoles }, (_, index) => serialPorts + index)
  for (const port of ports) if (!ids.has(portDeviceId(port))) await removeChardev(qmp, portChardev(port))
  const missing = ports.findIndex((port) => !ids.has(portDeviceId(port)))
  return missing < 0 ? ports.length : missing
}
