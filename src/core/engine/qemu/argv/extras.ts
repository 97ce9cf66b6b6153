import { RingsideError } from '@shared/errors'
import type { MachineDefinition, PciDevice, SoundModel, UsbDevice, Vsock } from '@shared/model'
import { emptyPlacesOf, hasTablet, hasUsbController, PlacesInOrder, soundId, tabletId, usbPortCount } from '../../empty-places'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'
import { option, options } from './options'
import type { PciBus } from './pci'
import { usbId, type UsbPlaces, usbPlaces, usbSlotPlace } from './usb-places'

export const balloonId = 'sys-balloon'
export const randomNumbersId = 'sys-rng-port'
export const vsockId = 'sys-vsock'

/** The USB controller, when anything is on it, the pointer, and devices of the host that the guest gets as long as they are plugged in there. */
export function addUsb(list: ArgumentList, pci: PciBus, definition: MachineDefinition): void {
  if (!hasUsbController(definition)) return
  addUsbController(list, pci, definition.usbController)
  const place = usbPlaces(definition)
  if (hasTablet(definition)) list.device(tabletDevice(place({ id: tabletId })))
  for (const device of definition.usbDevices) if (device.slot === null) list.device(usbHostDevice(device, place(device)))
  // Those have a port of their own, from behind, and take none from the others.
  for (const device of definition.usbDevices) if (device.slot !== null) list.device(usbHostDevice(device, place(device)))
}

/** As `-device` and `device_add` take it. */
export function tabletDevice(place: ReturnType<UsbPlaces>): JsonObject & { driver: string; id: string } {
  return { driver: 'usb-tablet', id: tabletId, ...place }
}

/** A device of the host. By its numbers and the port that it is in, not by its address there, QEMU takes it whenever it is plugged in: it looks every two seconds, and absence is no fault [hw/usb/host-libusb.c]. */
export function usbHostDevice({ id, vendorId, productId, port, slot }: UsbDevice, place = usbSlotPlace(slot)): JsonObject & { driver: string; id: string } {
  const [bus, way] = port?.split('-') ?? []
  return {
    driver: 'usb-host', id, ...place, vendorid: Number.parseInt(vendorId, 16), productid: Number.parseInt(productId, 16),
    ...(bus === undefined || way === undefined ? {} : { hostbus: Number(bus), hostport: way }),
  }
}

function addUsbController(list: ArgumentList, pci: PciBus, model: MachineDefinition['usbController']): void {
  switch (model) {
    case 'xhci':
      list.device({ driver: 'qemu-xhci', id: usbId, p2: usbPortCount, p3: usbPortCount, ...pci.systemPlace('usb') })
      return
    case 'ehci':
      // USB 2 takes fast devices only; slower ones are passed on to its three companions [docs/system/devices/usb].
      list.device({ driver: 'ich9-usb-ehci1', id: usbId, ...pci.oldUsbPlace(7), multifunction: true })
      for (const [index, driver] of ['ich9-usb-uhci1', 'ich9-usb-uhci2', 'ich9-usb-uhci3'].entries()) {
        list.device({ driver, id: `${usbId}-companion${String(index)}`, masterbus: `${usbId}.0`, firstport: 2 * index, ...pci.oldUsbPlace(index), ...(index === 0 ? { multifunction: true } : {}) })
      }
      return
    case 'uhci':
      list.device({ driver: 'piix3-usb-uhci', id: usbId, ...pci.oldUsbPlace(0) })
      return
  }
}

export function addRandomNumbers(list: ArgumentList, pci: PciBus, { randomNumbers }: MachineDefinition): void {
  if (!randomNumbers) return
  list.object(randomSource)
  list.device(randomDevice(pci.systemPlace('random')))
}

/** As `-object` and `object-add` take it. */
export const randomSource = { 'qom-type': 'rng-builtin', id: 'sys-rng' } as const

/** As `-device` and `device_add` take it. */
export function randomDevice(place: JsonObject): JsonObject & { driver: string; id: string } {
  return { driver: 'virtio-rng-pci', id: randomNumbersId, rng: randomSource.id, ...place }
}

/** Tells how much memory the guest uses, and gives pages that it freed back to the host by itself. */
export function addBalloon(list: ArgumentList, pci: PciBus, { balloon }: MachineDefinition): void {
  if (!balloon) return
  list.device(balloonDevice(pci.systemPlace('balloon')))
}

/** As `-device` and `device_add` take it. */
export function balloonDevice(place: JsonObject): JsonObject & { driver: string; id: string } {
  return { driver: 'virtio-balloon-pci', id: balloonId, 'deflate-on-oom': true, 'free-page-reporting': true, ...place }
}

const audioId = 'sys-audio'

const soundCards: Record<SoundModel, { driver: string; codec?: string }> = {
  'intel-hda': { driver: 'intel-hda', codec: 'hda-duplex' },
  'ich9-intel-hda': { driver: 'ich9-intel-hda', codec: 'hda-duplex' },
  ac97: { driver: 'AC97' },
  es1370: { driver: 'ES1370' },
  'virtio-sound': { driver: 'virtio-sound-pci' },
  'usb-audio': { driver: 'usb-audio' },
}

/** A sound card, and where on the host its sound goes; to nowhere when QEMU has no way to the host's. */
export function addSound(list: ArgumentList, pci: PciBus, { definition, audioDriver }: ArgvInput): void {
  const { sound } = definition
  if (sound === null) return
  if (audioDriver === 'none') list.note('The machine’s sound is not heard: QEMU finds no way to the sound of this computer now (a sound server that runs, or a card).')
  list.add('-audiodev', options(option('driver', audioDriver), option('id', audioId)))
  const { driver, codec } = soundCards[sound.model]
  if (codec !== undefined) {
    list.device({ driver, id: soundId, ...pci.plainPlace() })
    list.device({ driver: codec, id: `${soundId}-codec`, bus: `${soundId}.0`, audiodev: audioId })
    return
  }
  const place = sound.model === 'usb-audio' ? usbPlaces(definition)({ id: soundId }) : sound.model === 'virtio-sound' ? pci.expressPlace() : pci.plainPlace()
  list.device({ driver, id: soundId, audiodev: audioId, ...place })
}

export function addWatchdog(list: ArgumentList, pci: PciBus, { watchdog }: MachineDefinition): void {
  if (watchdog === null) return
  const { model, action } = watchdog
  list.add('-action', options(option('watchdog', action)))
  list.device({ driver: model, id: 'sys-watchdog', ...(model === 'i6300esb' ? pci.plainPlace() : {}) })
}

/** Tells of a guest whose kernel has crashed, and leaves it to that what comes then: a dump, or a restart. */
export function addPanicDevice(list: ArgumentList, { panicDevice }: MachineDefinition): void {
  if (!panicDevice) return
  list.add('-action', options(option('panic', 'none')))
  // The ISA one is known to every Linux since 3.9, and to Windows by its ACPI name.
  list.device({ driver: 'pvpanic', id: 'sys-panic' })
}

/** Sockets between guest and host that were there before anything was plugged in. */
export function addVsock(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { vsock } = input.definition
  if (vsock !== null && !pci.isPlugged(vsock, true)) list.device(vsockOf(vsock, input, pci.expressPlace()))
  else if (emptyPlacesOf(input.definition, 'vsock').length > 0) pci.expressPlace()
}

export function addPluggedVsock(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { vsock } = input.definition
  if (vsock !== null && pci.isPlugged(vsock, true)) list.device(vsockOf(vsock, input, pci.sparePlace(vsock.slot)))
}

/** Throws `CAPABILITY_MISSING` on a host that is not Linux: the kernel does the work. */
function vsockOf(vsock: Vsock, { platform }: ArgvInput, place: JsonObject): JsonObject & { driver: string; id: string } {
  if (platform !== 'linux') throw new RingsideError('CAPABILITY_MISSING', 'Sockets between guest and host (vsock) are there on Linux only.', { hint: 'Switch them off in the machine’s hardware.' })
  return vsockDevice(vsock, place)
}

/** As `-device` and `device_add` take it. */
export function vsockDevice({ cid }: Pick<Vsock, 'cid'>, place: JsonObject): JsonObject & { driver: string; id: string } {
  return { driver: 'vhost-vsock-pci', id: vsockId, 'guest-cid': cid, ...place }
}

/** Devices of the host’s PCI buses that were there before anything was plugged in. */
export function addPassedDevices(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const places = new PlacesInOrder(emptyPlacesOf(input.definition, 'pci'), () => { pci.passedPlace() })
  for (const device of input.definition.pciDevices) {
    if (pci.isPlugged(device, true)) continue
    if (device.slot === null) places.take()
    list.device(passedOf(device, input, pci.passedPlace()))
  }
  places.close()
}

export function addPluggedPassedDevices(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  for (const device of input.definition.pciDevices) if (pci.isPlugged(device, true)) list.device(passedOf(device, input, pci.sparePlace(device.slot)))
}

/** Throws `CAPABILITY_MISSING` where they can’t be had: only KVM on Linux gives a guest’s memory to a device. */
function passedOf(device: PciDevice, { platform, accelerator }: ArgvInput, place: JsonObject): JsonObject & { driver: string; id: string } {
  if (platform !== 'linux' || accelerator !== 'kvm') throw new RingsideError('CAPABILITY_MISSING', 'Devices of this computer can be passed on with KVM on Linux only.', { hint: 'Take them out of the machine’s hardware.' })
  return passedDevice(device, place)
}

/** As `-device` and `device_add` take it. */
export function passedDevice({ id, address }: Pick<PciDevice, 'id' | 'address'>, place: JsonObject): JsonObject & { driver: string; id: string } {
  return { driver: 'vfio-pci', id, host: address, ...place }
}
