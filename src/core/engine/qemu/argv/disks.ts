import { RingsideError } from '@shared/errors'
import type { Cdrom, Disk } from '@shared/model'
import { emptyPlacesOf, PlacesInOrder } from '../../empty-places'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import { addCdromNodes, addDiskNodes } from './block-nodes'
import { boardOf, type Board } from './board'
import { bootProperties } from './firmware'
import type { ArgvInput, ImageFacts } from './input'
import { driveNode } from './node-names'
import type { PciBus } from './pci'
import { addQueueService, queueService, type QueueService } from './queue-service'
import { type UsbPlaces, usbPlaces, usbSlotPlace } from './usb-places'

const scsiId = 'sys-scsi'
const pataId = 'sys-pata'
const cardReaderId = 'sys-card'
const floppyId = 'sys-floppy'
/** Targets from here on are those of disks that were plugged in; every other one has its number by the order. */
const firstPluggedTarget = 64

/** Hands out the places on controllers, and adds each controller when it is first needed. */
class Controllers {
  #scsiUnits = 0
  #sataPorts = 0
  #ideUnits = 0
  #hasPata = false
  #hasScsi = false
  #floppies = 0
  #hasCard = false

  constructor(private readonly list: ArgumentList, private readonly pci: PciBus, private readonly board: Board, private readonly input: ArgvInput) {}

  /** Of a disk that has a PCI Express port to itself. */
  port(disk: Disk, order: readonly string[]): JsonObject & { driver: string } {
    if (disk.bus === 'virtio-blk') addQueueService(this.list, this.input)
    return portDisk(disk, order, queueService(this.input.definition, this.input.accelerator), this.pci.expressPlace())
  }

  scsi(): { bus: string; channel: number; 'scsi-id': number; lun: number } {
    this.#addScsi()
    return scsiPlace(this.#scsiUnits++)
  }

  pluggedScsi(slot: number): ReturnType<typeof scsiPlace> {
    this.#addScsi()
    return scsiPlace(firstPluggedTarget + slot)
  }

  keepScsi(): void {
    this.#addScsi()
  }

  #addScsi(): void {
    if (!this.#hasScsi) this.list.device({ driver: 'virtio-scsi-pci', id: scsiId, ...addQueueService(this.list, this.input), ...this.pci.expressPlace() })
    this.#hasScsi = true
  }

  /** The board's own six ports first, then further controllers of six. */
  sata(): { bus: string; unit: number } {
    const port = this.#sataPorts++
    const controller = Math.floor(port / 6) - (this.board.builtIn === 'ahci' ? 1 : 0)
    const id = controller < 0 ? 'ide' : `sys-sata${String(controller)}`
    if (controller >= 0 && port % 6 === 0) this.list.device({ driver: 'ich9-ahci', id, ...this.pci.plainPlace() })
    return { bus: `${id}.${String(port % 6)}`, unit: 0 }
  }

  /** Two channels with two drives each; q35 has none built in and gets a PIIX3 controller, which every old system knows. */
  ide(): { bus: string; unit: number } {
    const unit = this.#ideUnits++
    if (unit > 3) throw new RingsideError('INVALID_INPUT', 'A machine takes at most four disks and CD drives on IDE; put the others on SATA.')
    if (this.board.builtIn === 'ide') return { bus: `ide.${String(Math.floor(unit / 2))}`, unit: unit % 2 }
    if (!this.#hasPata) this.list.device({ driver: 'piix3-ide', id: pataId, ...this.pci.plainPlace() })
    this.#hasPata = true
    return { bus: `${pataId}.${String(Math.floor(unit / 2))}`, unit: unit % 2 }
  }

  /** One card: QEMU calls the buses of all readers alike, so a second card could not be told which is its. */
  card(): { bus: string } {
    if (this.#hasCard) throw new RingsideError('INVALID_INPUT', 'A machine takes one SD card; put the other disks on another bus.')
    this.#hasCard = true
    this.list.device({ driver: 'sdhci-pci', id: cardReaderId, ...this.pci.plainPlace() })
    return { bus: 'sd-bus' }
  }

  /** Two drives. The old board has its controller built in. */
  floppy(): { bus: string; unit: number } {
    const unit = this.#floppies++
    if (unit > 1) throw new RingsideError('INVALID_INPUT', 'A machine takes at most two floppy drives; put the others on another bus.')
    if (this.board.builtIn === 'ide') return { bus: 'floppy-bus.0', unit }
    if (unit === 0) this.list.device({ driver: 'isa-fdc', id: floppyId })
    return { bus: `${floppyId}.0`, unit }
  }
}

function scsiPlace(target: number): { bus: string; channel: number; 'scsi-id': number; lun: number } {
  return { bus: `${scsiId}.0`, channel: 0, 'scsi-id': target, lun: 0 }
}

/** What was there before anything was plugged in, and the targets of a controller that were. */
export function addStorage(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { definition } = input
  const controllers = new Controllers(list, pci, boardOf(definition.machineType), input)
  const usbPlace = usbPlaces(definition)
  const isPluggedTarget = (disk: Disk): boolean => disk.bus === 'virtio-scsi' && disk.slot !== null
  const isPluggedUsb = (disk: Disk): boolean => disk.bus === 'usb' && disk.slot !== null
  const empty = emptyPlacesOf(definition, 'disk')
  const places = new PlacesInOrder(empty, ({ bus }) => {
    if (bus === 'virtio-scsi') controllers.scsi()
    else pci.expressPlace()
  })
  // Those that name their port come before those that take the first one.
  for (const disk of definition.disks.filter(isPluggedUsb)) {
    addDiskNodes(list, disk, factsOf(input, disk.id), input)
    list.device(usbDisk(disk, definition.boot.order, usbPlace(disk)))
  }
  for (const disk of definition.disks) {
    if (pci.isPlugged(disk, takesPort(disk)) || isPluggedTarget(disk) || isPluggedUsb(disk)) continue
    if (disk.slot === null && disk.bus !== 'usb') places.take()
    addDiskNodes(list, disk, factsOf(input, disk.id), input)
    addDiskDevice(list, controllers, disk, definition.boot.order, usbPlace)
  }
  places.close()
  for (const cdrom of definition.cdroms) {
    if (cdrom.image !== null) addCdromNodes(list, cdrom.id, factsOf(input, cdrom.id))
    addCdromDevice(list, controllers, cdrom, definition.boot.order, usbPlace)
  }
  if (emptyPlacesOf(definition, 'scsiController').length > 0) controllers.keepScsi()
  for (const disk of definition.disks.filter(isPluggedTarget)) {
    addDiskNodes(list, disk, factsOf(input, disk.id), input)
    list.device(scsiDisk(disk, definition.boot.order, controllers.pluggedScsi(disk.slot ?? 0)))
  }
}

/** Disks that were plugged into ports while the machine ran. */
export function addPluggedDisks(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { disks, boot } = input.definition
  for (const disk of disks) {
    if (!pci.isPlugged(disk, takesPort(disk))) continue
    if (disk.bus === 'virtio-blk') addQueueService(list, input)
    addDiskNodes(list, disk, factsOf(input, disk.id), input)
    list.device(portDisk(disk, boot.order, queueService(input.definition, input.accelerator), pci.sparePlace(disk.slot)))
  }
}

/** Whether a disk has a PCI Express port to itself. */
export function takesPort({ bus }: Pick<Disk, 'bus'>): boolean {
  return bus === 'virtio-blk' || bus === 'nvme'
}

/** The device of a disk that is plugged in while the machine runs, as `device_add` takes it. @param place of a PCI Express port; a target of virtio-scsi and a USB port follow from the disk's slot */
export function pluggedDiskDevice(disk: Disk, service: QueueService, place: JsonObject): JsonObject & { driver: string } {
  if (disk.bus === 'virtio-scsi') return scsiDisk(disk, [], scsiPlace(firstPluggedTarget + (disk.slot ?? 0)))
  return disk.bus === 'usb' ? usbDisk(disk, [], usbSlotPlace(disk.slot)) : portDisk(disk, [], service, place)
}


// Tells the guest that the disk does not rotate, so that it trims and does not defragment.
const solid = { rotation_rate: 1 }

function commonOf(disk: Disk, order: readonly string[]): JsonObject {
  return { id: disk.id, drive: driveNode(disk.id), serial: disk.serial ?? disk.id.slice(0, 20), ...bootProperties(disk.id, order) }
}

function scsiDisk(disk: Disk, order: readonly string[], place: JsonObject): JsonObject & { driver: string } {
  return { driver: 'scsi-hd', ...commonOf(disk, order), ...solid, ...place }
}

/** A stick: the guest expects it to be pulled out. */
function usbDisk(disk: Disk, order: readonly string[], place: JsonObject): JsonObject & { driver: string } {
  return { driver: 'usb-storage', ...commonOf(disk, order), removable: true, ...place }
}

function portDisk(disk: Disk, order: readonly string[], service: QueueService, place: JsonObject): JsonObject & { driver: string } {
  if (disk.bus === 'nvme') return { driver: 'nvme', ...commonOf(disk, order), ...place }
  return { driver: 'virtio-blk-pci', ...commonOf(disk, order), ...service, ...place }
}

function factsOf(input: ArgvInput, id: string): ImageFacts {
  const facts = input.images[id]
  if (facts === undefined) throw new RingsideError('INTERNAL', `Nothing is known about the image of “${id}”.`)
  return facts
}

function addDiskDevice(list: ArgumentList, controllers: Controllers, disk: Disk, order: readonly string[], usbPlace: UsbPlaces): void {
  const common = commonOf(disk, order)
  switch (disk.bus) {
    case 'virtio-blk':
    case 'nvme':
      list.device(controllers.port(disk, order))
      return
    case 'virtio-scsi':
      list.device(scsiDisk(disk, order, controllers.scsi()))
      return
    case 'sata':
      list.device({ driver: 'ide-hd', ...common, ...solid, ...controllers.sata() })
      return
    case 'ide':
      list.device({ driver: 'ide-hd', ...common, ...controllers.ide() })
      return
    case 'usb':
      list.device(usbDisk(disk, order, usbPlace(disk)))
      return
    case 'sd':
      list.device({ driver: 'sd-card', id: disk.id, drive: driveNode(disk.id), ...controllers.card() })
      return
    case 'floppy':
      list.device({ driver: 'floppy', id: disk.id, drive: driveNode(disk.id), ...bootProperties(disk.id, order), ...controllers.floppy() })
      return
  }
}

function addCdromDevice(list: ArgumentList, controllers: Controllers, cdrom: Cdrom, order: readonly string[], usbPlace: UsbPlaces): void {
  const common = { id: cdrom.id, ...(cdrom.image === null ? {} : { drive: driveNode(cdrom.id) }), ...bootProperties(cdrom.id, order) }
  switch (cdrom.bus) {
    case 'sata':
      list.device({ driver: 'ide-cd', ...common, ...controllers.sata() })
      return
    case 'ide':
      list.device({ driver: 'ide-cd', ...common, ...controllers.ide() })
      return
    case 'virtio-scsi':
      list.device({ driver: 'scsi-cd', ...common, ...controllers.scsi() })
      return
    case 'usb':
      list.device({ driver: 'usb-bot', id: `sys-bot-${cdrom.id}`, ...usbPlace(cdrom) })
      list.device({ driver: 'scsi-cd', ...common, bus: `sys-bot-${cdrom.id}.0` })
      return
  }
}
