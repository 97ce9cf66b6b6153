import { emptyPlacesOf, usbPortOfSlot, usbPorts } from '../../empty-places'

export const usbId = 'sys-usb'

/** Where on the USB controller a device goes. */
export type UsbPlaces = (device: { id: string; slot?: number | null }) => { bus: string; port?: string }

/** QEMU gives each device the first free port; where one was left empty, or the tablet came later, each is told the one that it had then. */
export function usbPlaces(definition: Parameters<typeof usbPorts>[0]): UsbPlaces {
  const isInOrder = emptyPlacesOf(definition, 'usb').length === 0 && definition.tabletPort === undefined
  const ports = isInOrder ? new Map<string, number>() : usbPorts(definition)
  return ({ id, slot = null }) => {
    const port = ports.get(id)
    return port === undefined ? usbSlotPlace(definition.usbController === 'xhci' ? slot : null) : usbPortPlace(port)
  }
}

/** The port that a slot names; null: the first that is free. */
export function usbSlotPlace(slot: number | null): { bus: string; port?: string } {
  return slot === null ? { bus: `${usbId}.0` } : usbPortPlace(usbPortOfSlot(slot))
}

export function usbPortPlace(port: number): { bus: string; port: string } {
  return { bus: `${usbId}.0`, port: String(port) }
}
