import type { Disk, EmptyPlace, MachineDefinition } from '@shared/model'

/** Ports of the USB 3 controller, of either speed. */
export const usbPortCount = 8

/** Names of what is on the USB controller beside devices with ids of their own. */
export const tabletId = 'sys-tablet'
export const soundId = 'sys-sound'

type UsbSide = Pick<MachineDefinition, 'pointer' | 'display' | 'disks' | 'cdroms' | 'sound' | 'usbDevices' | 'emptyPlaces' | 'tabletPort'>

export function hasTablet({ pointer, display }: Pick<MachineDefinition, 'pointer' | 'display'>): boolean {
  return pointer === 'tablet' && display.model !== 'none'
}

/** Whether there is a USB controller: something is on it, or was at the start. */
export function hasUsbController(definition: UsbSide): boolean {
  const { disks, cdroms, sound, usbDevices, emptyPlaces = [] } = definition
  return hasTablet(definition) || [...disks, ...cdroms].some((drive) => drive.bus === 'usb') || sound?.model === 'usb-audio' || usbDevices.length > 0 || emptyPlaces.some(({ kind }) => kind === 'usb')
}

/** Whether there is a virtio-scsi controller whatever becomes of the disks that were plugged in. */
export function hasScsiController({ disks, cdroms, emptyPlaces = [] }: Pick<MachineDefinition, 'disks' | 'cdroms' | 'emptyPlaces'>): boolean {
  return cdroms.some(({ bus }) => bus === 'virtio-scsi') || disks.some(({ bus, slot }) => bus === 'virtio-scsi' && slot === null)
    || emptyPlaces.some((place) => place.kind === 'scsiController' || (place.kind === 'disk' && place.bus === 'virtio-scsi'))
}

/** Whether there is a controller of channels to programs in the guest: it is there for channels that come later too, and for those that have left. */
export function hasChannels({ guestAgent, clipboard, virtioConsoles, emptyPlaces = [] }: Pick<MachineDefinition, 'guestAgent' | 'clipboard' | 'virtioConsoles' | 'emptyPlaces'>): boolean {
  return guestAgent || clipboard || virtioConsoles > 0 || emptyPlaces.some(({ kind }) => kind === 'channelController')
}

/** The port of what was plugged in while the machine ran: from behind, so that it takes none from the others. */
export function usbPortOfSlot(slot: number): number {
  return usbPortCount - slot
}

/**
 * The ports that QEMU gives to devices on the USB 3 controller, each the first that is free, in the order in which they are made. Of none when there are so many that QEMU adds a hub, or the
 * controller is an older one.
 */
export function usbPorts(definition: UsbSide & Pick<MachineDefinition, 'usbController'>): Map<string, number> {
  const { ports, kept } = placesOnUsb(definition)
  return definition.usbController === 'xhci' && new Set([...ports.values(), ...kept]).size < usbPortCount ? ports : new Map<string, number>()
}

/**
 * The ports of the USB 3 controller that a device may come into while the machine runs. As long as there is one that has never been taken it is kept so: QEMU puts a hub into the last one as it starts,
 * and memory would not load behind that.
 * @param coming ports that are given already to what comes before
 */
export function freeUsbPorts(definition: UsbSide & Pick<MachineDefinition, 'usbController'>, coming: ReadonlySet<number>): number[] {
  const { ports, kept } = placesOnUsb(definition)
  const [inUse, taken] = [new Set([...ports.values(), ...coming]), new Set([...ports.values(), ...coming, ...kept])]
  if (definition.usbController !== 'xhci' || taken.size >= usbPortCount) return []
  return Array.from({ length: usbPortCount }, (_, index) => index + 1).filter((port) => !inUse.has(port) && (taken.has(port) || taken.size < usbPortCount - 1))
}

/** @returns the ports of devices by their ids, and those that devices have left */
function placesOnUsb(definition: UsbSide): { ports: Map<string, number>; kept: Set<number> } {
  const { usbDevices, disks, cdroms, sound, emptyPlaces = [], tabletPort } = definition
  const ports = new Map<string, number>()
  const kept = new Set(emptyPlaces.flatMap((place) => (place.kind === 'usb' && place.port > 0 ? [place.port] : [])))
  const taken = new Set(kept)
  const give = (id: string, port: number): void => {
    taken.add(port)
    ports.set(id, port)
  }
  const nextPort = (): number => {
    let port = 1
    while (taken.has(port)) port += 1
    return port
  }
  const giveNext = (id: string): void => { give(id, nextPort()) }
  const onBus = disks.filter(({ bus }) => bus === 'usb')
  if (hasTablet(definition)) give(tabletId, tabletPort ?? nextPort())
  for (const { id, slot } of usbDevices) if (slot === null) giveNext(id)
  for (const { id, slot } of [...usbDevices, ...onBus]) if (slot !== null) give(id, usbPortOfSlot(slot))
  for (const { id, slot } of onBus) if (slot === null) giveNext(id)
  for (const { id, bus } of cdroms) if (bus === 'usb') giveNext(id)
  if (sound?.model === 'usb-audio') giveNext(soundId)
  return { ports, kept }
}

/** Calls `fill` for every place that was left before the next device that has its place by the order, and says when that one comes. */
export class PlacesInOrder<Place extends { at: number }> {
  #next = 0

  constructor(private readonly empty: readonly Place[], private readonly fill: (place: Place) => void) {}

  /** A device takes the next place that is not empty. */
  take(): number {
    this.close()
    return this.#next++
  }

  /** No device comes any more. */
  close(): void {
    for (;;) {
      const place = this.empty.find(({ at }) => at === this.#next)
      if (place === undefined) return
      this.fill(place)
      this.#next += 1
    }
  }
}

export function emptyPlacesOf<Kind extends EmptyPlace['kind']>({ emptyPlaces = [] }: Pick<MachineDefinition, 'emptyPlaces'>, kind: Kind): Extract<EmptyPlace, { kind: Kind }>[] {
  return emptyPlaces.filter((place): place is Extract<EmptyPlace, { kind: Kind }> => place.kind === kind)
}

/** The places that a device of a running machine leaves empty when it goes; none where no other depends on its place. */
export function leftBehind(definition: MachineDefinition, id: string): EmptyPlace[] {
  const { nics, disks, usbDevices, sharedFolders, pciDevices } = definition
  const nic = nics.find((device) => device.id === id)
  if (nic !== undefined) return nic.slot === null ? [{ kind: 'nic', at: placeInOrder(nics, emptyPlacesOf(definition, 'nic'), id) }] : []
  const disk = disks.find((device) => device.id === id)
  if (disk !== undefined) return leftByDisk(definition, disk)
  const folder = sharedFolders.find((known) => known.id === id)
  if (folder !== undefined) return folder.slot === null ? [{ kind: 'folder', at: placeOfFolder(definition, id) }] : []
  const passed = pciDevices.find((known) => known.id === id)
  if (passed !== undefined) return passed.slot === null ? [{ kind: 'pci', at: placeInOrder(pciDevices, emptyPlacesOf(definition, 'pci'), id) }] : []
  const device = usbDevices.find((known) => known.id === id)
  return device === undefined ? [] : leftOnUsb(definition, device)
}

function leftByDisk(definition: MachineDefinition, disk: Disk): EmptyPlace[] {
  const { id, bus, slot } = disk
  if (bus === 'usb') return leftOnUsb(definition, disk)
  if (bus !== 'virtio-blk' && bus !== 'nvme' && bus !== 'virtio-scsi') return []
  if (slot === null) return [{ kind: 'disk', bus, at: placeInOrder(definition.disks.filter((other) => other.bus !== 'usb'), emptyPlacesOf(definition, 'disk'), id) }]
  const keepsController = bus !== 'virtio-scsi' || hasScsiController(definition) || definition.disks.some((other) => other.id !== id && other.bus === 'virtio-scsi')
  return keepsController ? [] : [{ kind: 'scsiController' }]
}

/** The definition of what runs after its tablet came. The port is no empty place any more, and the tablet is on that one, whichever it would have in order. */
export function withTablet(definition: MachineDefinition, port: number): MachineDefinition {
  const { emptyPlaces, ...rest } = definition
  return { ...rest, pointer: 'tablet', tabletPort: port, ...(emptyPlaces === undefined ? {} : { emptyPlaces: emptyPlaces.filter((place) => place.kind !== 'usb' || place.port !== port) }) }
}

export function withoutTablet(definition: MachineDefinition): MachineDefinition {
  const { tabletPort: _, ...rest } = definition
  return { ...rest, pointer: 'ps2' }
}

/** The port that the tablet of a running machine leaves empty when it goes; the controller stays. */
export function leftByTablet(definition: MachineDefinition): EmptyPlace[] {
  return hasTablet(definition) ? [{ kind: 'usb', port: usbPorts(definition).get(tabletId) ?? 0 }] : []
}

function leftOnUsb(definition: MachineDefinition, { id, slot }: { id: string; slot: number | null }): EmptyPlace[] {
  const port = slot === null ? usbPorts(definition).get(id) : undefined
  if (port !== undefined) return [{ kind: 'usb', port }]
  const without = { ...definition, disks: definition.disks.filter((disk) => disk.id !== id), usbDevices: definition.usbDevices.filter((device) => device.id !== id) }
  return hasUsbController(without) ? [] : [{ kind: 'usb', port: 0 }]
}

/** Which one a shared folder of the start is, those that have left counted with the others; it is the same for as long as the machine runs. */
export function placeOfFolder(definition: Pick<MachineDefinition, 'sharedFolders' | 'emptyPlaces'>, id: string): number {
  return placeInOrder(definition.sharedFolders, emptyPlacesOf(definition, 'folder'), id)
}

function placeInOrder(devices: readonly { id: string; slot: number | null }[], empty: readonly { at: number }[], id: string): number {
  const places = new PlacesInOrder(empty, () => undefined)
  for (const device of devices) {
    if (device.slot !== null) continue
    const at = places.take()
    if (device.id === id) return at
  }
  return 0
}
