import type { PciDevice, Vsock } from '@shared/model'
import { passedDevice, vsockDevice, vsockId } from '../argv'
import { checkPassedDevices, checkVsock } from './check-host-devices'
import { slowCommandMs } from './guest-hold'
import { explained, type LiveMachine, placeOf, requireNoDevice } from './live-devices'

/** What people know the device by that QEMU has for them. */
export const vsockLabel = 'the sockets between guest and host'

/** Throws `CAPABILITY_MISSING` where the kernel has none, `QEMU_FAILED` where another guest has the number. */
export async function plugVsock({ qmp, plan, definition }: LiveMachine, vsock: Vsock): Promise<void> {
  await requireNoDevice(qmp, vsockId)
  await checkVsock({ vsock })
  await qmp.execute('device_add', vsockDevice(vsock, vsock.slot === null ? {} : placeOf(plan, definition, vsock.slot))).catch((error: unknown) => {
    throw explained(error, 'The sockets between guest and host can’t be plugged in')
  })
}

/** All of the guest’s memory is locked for it, which may take its time. Throws `CAPABILITY_MISSING` for one that can’t be passed on. */
export async function plugPci({ qmp, plan, definition }: LiveMachine, device: PciDevice): Promise<void> {
  await requireNoDevice(qmp, device.id)
  await checkPassedDevices({ pciDevices: [device] })
  await qmp.executeWithin(slowCommandMs, 'device_add', passedDevice(device, device.slot === null ? {} : placeOf(plan, definition, device.slot))).catch((error: unknown) => {
    throw explained(error, `“${device.name || device.address}” can’t be passed on to the guest`)
  })
}
