import { RingsideError } from '@shared/errors'
import type { MachineDefinition, UsbDevice } from '@shared/model'
import { hasTablet, tabletId } from '../../empty-places'
import { withLiveChange } from '../../live-change'
import { tabletDevice, usbHostDevice, usbPortPlace } from '../argv'
import type { QmpClient } from '../qmp'
import { explained, hasDevice, requireNoDevice } from './live-devices'

/** Whether the device is plugged in on the host is no matter: QEMU takes it when it is. */
export async function plugUsb(qmp: QmpClient, device: UsbDevice): Promise<void> {
  await requireNoDevice(qmp, device.id)
  await qmp.execute('device_add', usbHostDevice(device)).catch((error: unknown) => { throw explained(error, `The USB device “${device.id}” can’t be plugged in`) })
}

/** A USB device is pulled out, and the guest is not asked. */
export async function unplugUsb(qmp: QmpClient, id: string, label = `“${id}”`): Promise<void> {
  if (!(await hasDevice(qmp, id))) return
  await qmp.execute('device_del', { id }).catch((error: unknown) => { throw explained(error, `${label} can’t be taken out`) })
  if (await hasDevice(qmp, id)) throw new RingsideError('GUEST_FAILED', `QEMU has not let go of ${label} yet; it is gone at the next start at the latest.`)
}

/** From then on QEMU turns where viewers point into absolute positions, once the guest's driver has the tablet. */
export async function plugTablet(qmp: QmpClient, port: number): Promise<void> {
  await requireNoDevice(qmp, tabletId)
  await qmp.execute('device_add', tabletDevice(usbPortPlace(port))).catch((error: unknown) => { throw explained(error, 'The tablet can’t be plugged in') })
}

/** The PS/2 mouse, which every board has, gets what viewers point at. */
export function unplugTablet(qmp: QmpClient): Promise<void> {
  return unplugUsb(qmp, tabletId, 'the tablet')
}

/**
 * Whether the tablet is there, and on which port one is that came unrecorded.
 * @param ids of all devices that QEMU has
 */
export async function recoverTablet(qmp: QmpClient, definition: MachineDefinition, ids: ReadonlySet<string>): Promise<MachineDefinition> {
  if (ids.has(tabletId) === hasTablet(definition)) return definition
  if (!ids.has(tabletId)) return withLiveChange(definition, { kind: 'unplugTablet' })
  // QEMU tells none of one that it placed itself, which is the first.
  const port = Number(await qmp.execute('qom-get', { path: `/machine/peripheral/${tabletId}`, property: 'port' })) || 1
  return withLiveChange(definition, { kind: 'plugTablet', port })
}
