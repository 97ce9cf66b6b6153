import type { MachineDefinition } from '@shared/model'
import { emptyPlacesOf, usbPortOfSlot, usbPorts } from '../../empty-places'

export const usbId = 'sys-usb'

/** Where on the USB controller a device goes. */
export type UsbPlaces = (device: { id: string; slot?: number | null }) => { bus: string; port?: string }

/** QEMU gives each device the first free port; where one was left empty, each is told the one that it would have had with it. */
export function usbPlaces(definition: Parameters<typeof usbPorts>[0] & Pick<MachineDefinition, 'emptyPlaces'>): UsbPlaces {
  const ports = emptyPlacesOf(definition, 'usb').length === 0 ? new Map<string, number>() : usbPorts(definition)
  return ({ id, slot = null }) => {
    const port = ports.get(id)
    return port === undefined ? usbSlotPlace(definition.usbController === 'xhci' ? slot : null) : { bus: `${usbId}.0`, port: String(port) }
  }
}

/** The port that a slot names; null: the first that is free. */
export function usbSlotPlace(slot: number | null): { bus: string; port?: string } {
  return { bus: `${usbId}.0`, ...(slot === null ? {} : { port: String(usbPortOfSlot(slot)) }) }
}
