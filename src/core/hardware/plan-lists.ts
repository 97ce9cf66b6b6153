import { isDeepStrictEqual } from 'node:util'
import type { AcceleratorName, Cdrom, Disk, MachineDefinition, MachineHardware, Nic, PciDevice, SharedFolder, UsbDevice } from '@shared/model'
import type { LiveChange } from '../engine/live-change'
import { keptSlot, type Places } from './places'
import { type DeviceKind, planDevices, planVsock } from './plan-devices'
import type { Planned } from './planned'
import { unplugDiskObstacle, unplugNicObstacle, unplugObstacle, unplugUsbObstacle } from './unplug-obstacles'

interface Lists {
  /** What runs. */
  running: MachineDefinition
  /** What was to be at the next start before this change. */
  stored: MachineDefinition
  wanted: MachineHardware
  accelerator: AcceleratorName
  places: Places
}

const noKeyYet = 'The machine was started without the key for encrypted disks; it gets this one at the next start.'

/**
 * Tells what of all lists of devices comes, goes and changes while the machine runs, and gives places to what comes. Everything goes before anything comes.
 * @returns the hardware with the places too
 */
export function planLists({ running, stored, wanted, accelerator, places }: Lists): Planned & { hardware: MachineHardware } {
  const stays = (): string | null => unplugObstacle(running)
  const disks = planDevices('disks', { running: running.disks, stored: stored.disks, wanted: wanted.disks }, diskKind(running, places))
  const nics = planDevices('nics', { running: running.nics, stored: stored.nics, wanted: wanted.nics }, nicKind(running, places))
  const usb = planDevices<UsbDevice>('usbDevices', { running: running.usbDevices, stored: stored.usbDevices, wanted: wanted.usbDevices }, {
    place: () => places.forUsb(), stays: (device) => unplugUsbObstacle(running, device), plug: (device) => ({ kind: 'plugUsb', device }), unplug: (id) => ({ kind: 'unplugUsb', id }),
    told: (device) => ({ ...device, name: '' }), keeps: 'The rule by which the guest gets a device is that of the start until the next one; take the device out and add it anew to change it now.',
  })
  const folders = planDevices<SharedFolder>('sharedFolders', { running: running.sharedFolders, stored: stored.sharedFolders, wanted: wanted.sharedFolders }, {
    place: (folder) => places.forFolder(folder), stays, plug: (folder) => ({ kind: 'plugFolder', folder }), unplug: (id) => ({ kind: 'unplugFolder', id }),
    told: (folder) => folder, keeps: 'A folder that is shared stays as it is until the next start; remove it and share it anew to change it now.',
  })
  const passed = planDevices<PciDevice>('pciDevices', { running: running.pciDevices, stored: stored.pciDevices, wanted: wanted.pciDevices }, {
    place: () => places.forPassed(accelerator), stays, plug: (device) => ({ kind: 'plugPci', device }), unplug: (id) => ({ kind: 'unplugPci', id }),
    told: (device) => ({ ...device, name: '' }), keeps: 'The guest has the device of the start until the next one; take it out and add the other anew to change it now.',
  })
  const vsock = planVsock(running, stored, wanted.vsock, { place: () => places.forVsock(), stays })
  const all = [disks, nics, usb, folders, passed, vsock]
  return {
    hardware: { ...wanted, disks: disks.devices, nics: nics.devices, usbDevices: usb.devices, sharedFolders: folders.devices, pciDevices: passed.devices, vsock: vsock.vsock },
    changes: [...all.flatMap(({ leaving }) => leaving), ...all.flatMap(({ coming }) => coming)],
    waits: new Map(all.flatMap(({ waits }) => [...waits])),
  }
}

function diskKind(running: MachineDefinition, places: Places): DeviceKind<Disk> {
  const hasKey = running.disks.some(({ encrypted }) => encrypted)
  return {
    place: (disk) => (disk.encrypted && !hasKey ? noKeyYet : places.forDisk(disk)), keptSlot, stays: (disk) => unplugDiskObstacle(running, disk), plug: (disk) => ({ kind: 'plugDisk', disk }), unplug: (id) => ({ kind: 'unplugDisk', id }),
    told: (disk) => ({ ...disk, limits: null }), keeps: 'A disk that is in use keeps what it is like until the next start.',
    adjust: (now, { id, limits }) => (isDeepStrictEqual(now.limits, limits) ? null : { kind: 'limitDisk', id, limits }),
  }
}

function nicKind(running: MachineDefinition, places: Places): DeviceKind<Nic> {
  return {
    place: (nic) => places.forNic(nic), stays: (nic) => unplugNicObstacle(running, nic), plug: (nic) => ({ kind: 'plugNic', nic }), unplug: (id) => ({ kind: 'unplugNic', id }),
    told: (nic) => ({ ...nic, linkUp: true }), keeps: 'A network card keeps its model, address and network until the next start.',
    adjust: (now, { id, linkUp }) => (now.linkUp === linkUp ? null : { kind: 'setLink', id, up: linkUp }),
  }
}

/** Other discs in the CD drives that there are. */
export function planDiscs(running: readonly Cdrom[], wanted: readonly Cdrom[]): LiveChange[] {
  return wanted.flatMap(({ id, bus, image }): LiveChange[] => {
    const now = running.find((drive) => drive.id === id)
    return now?.bus !== bus || isDeepStrictEqual(now.image, image) ? [] : [{ kind: 'changeMedium', id, image }]
  })
}
