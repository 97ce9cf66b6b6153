import type { AcceleratorName, Disk, MachineDefinition, MachineHardware, Nic, SharedFolder } from '@shared/model'
import { freeUsbPorts, hasScsiController, hasUsbController, usbPortOfSlot } from '../engine/empty-places'
import { spareRootPorts } from '../engine/engine'
import { boardOf, isExpressNic, takesPort } from '../engine/qemu/argv'
import { plugFolderObstacle } from '../engine/qemu/limits'

/** Targets of virtio-scsi take no port; the same numbers name them. */
const scsiSlots = 32
/** Ports of the USB controller, from behind, that are for what comes while the machine runs. */
const usbSlots = 4

/** Why nothing comes, and nothing goes, on a board without PCI Express. */
export const takesNothing = 'The machine’s board takes nothing while it runs; that of the type q35 does.'
const noUsbPort = 'All USB ports for what is plugged in are taken; it is there at the next start.'
export const staysOnBoard = 'The machine’s board lets nothing go while it runs; it goes at the next start.'

/** Free places for what is plugged in. */
export class Places {
  readonly #ports: Set<number>
  readonly #targets: Set<number>
  /** Of the USB controller: those that are given here, or that what runs is to have. */
  readonly #usbPorts: Set<number>

  constructor(private readonly running: MachineDefinition, wanted: MachineHardware) {
    // What waits for the next start has no place yet; what runs keeps its own until it is gone, also when it is to go.
    const disks = [...running.disks, ...wanted.disks.filter(({ id }) => running.disks.some((disk) => disk.id === id))]
    const slotsOf = (devices: readonly { slot: number | null }[]): number[] => devices.flatMap(({ slot }) => (slot === null ? [] : [slot]))
    const usb = [...disks.filter(({ bus }) => bus === 'usb'), ...running.usbDevices, ...wanted.usbDevices.filter(({ id }) => running.usbDevices.some((device) => device.id === id))]
    this.#usbPorts = new Set(slotsOf(usb).map(usbPortOfSlot))
    this.#targets = new Set(slotsOf(disks.filter(({ bus }) => bus === 'virtio-scsi')))
    this.#ports = new Set([...slotsOf(disks.filter(takesPort)), ...slotsOf(running.nics), ...slotsOf(running.sharedFolders), ...slotsOf(running.pciDevices), ...slotsOf(running.vsock === null ? [] : [running.vsock])])
  }

  forDisk({ bus }: Disk): { slot: number } | string {
    switch (bus) {
      case 'virtio-blk':
      case 'nvme':
        return this.#port()
      case 'virtio-scsi':
        if (!hasScsiController(this.running)) return 'The machine has had no virtio-scsi controller since its start; it gets one at the next.'
        return free(this.#targets, scsiSlots) ?? 'The virtio-scsi controller has no free place; it is there at the next start.'
      case 'usb':
        return this.forUsb()
      default:
        return 'Disks on this bus can’t be plugged in while the machine runs; VirtIO, NVMe and USB disks can.'
    }
  }

  forNic(nic: Nic): { slot: number } | string {
    return isExpressNic(nic) ? this.#port() : 'This card can’t be plugged in while the machine runs; a VirtIO one can.'
  }

  forFolder(folder: SharedFolder): { slot: number } | string {
    return plugFolderObstacle(this.running, folder) ?? this.#port()
  }

  forVsock(): { slot: number } | string {
    return this.#port()
  }

  forPassed(accelerator: AcceleratorName): { slot: number } | string {
    return accelerator === 'kvm' ? this.#port() : 'The machine runs without KVM, and nothing else gives a guest’s memory to a device.'
  }

  forUsb(): { slot: number } | string {
    const ports = this.#freeUsbPorts()
    if (typeof ports === 'string') return ports
    const slot = Array.from({ length: usbSlots }, (_, index) => index).find((index) => ports.includes(usbPortOfSlot(index)))
    if (slot === undefined) return noUsbPort
    this.#usbPorts.add(usbPortOfSlot(slot))
    return { slot }
  }

  /** The first port that is free, which is its own where it has just left. After all others, so that it takes none from them. */
  forTablet(): { port: number } | string {
    const ports = this.#freeUsbPorts()
    if (typeof ports === 'string') return ports
    const [port] = ports
    if (port === undefined) return noUsbPort
    this.#usbPorts.add(port)
    return { port }
  }

  #freeUsbPorts(): number[] | string {
    if (!hasUsbController(this.running)) return 'The machine has had no USB controller since its start; it gets one at the next.'
    if (this.running.usbController !== 'xhci') return 'Only the USB 3 controller takes devices while the machine runs.'
    return freeUsbPorts(this.running, this.#usbPorts)
  }

  #port(): { slot: number } | string {
    if (!boardOf(this.running.machineType).pcie) return takesNothing
    return free(this.#ports, spareRootPorts) ?? `All ${String(spareRootPorts)} ports for what is plugged in are taken; it is there at the next start.`
  }
}

/** The place of a disk is one on its bus. @param now how it is, where it is there already */
export function keptSlot({ bus }: Pick<Disk, 'bus'>, now: Pick<Disk, 'bus' | 'slot'> | undefined): number | null {
  return now !== undefined && placesOf(bus) === placesOf(now.bus) ? now.slot : null
}

function placesOf(bus: Disk['bus']): string {
  return takesPort({ bus }) ? 'port' : bus
}

function free(taken: Set<number>, count: number): { slot: number } | null {
  for (let slot = 0; slot < count; slot += 1) {
    if (taken.has(slot)) continue
    taken.add(slot)
    return { slot }
  }
  return null
}
