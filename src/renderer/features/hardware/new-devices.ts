import type { MachineHardware, OsEntry, PciDevice, UsbDevice } from '@shared/model'
import { type DeviceList, deviceLists } from './hardware-edits'

/** Everything in the machine that has an id; ids are its QEMU names too, so no two are the same. */
function idsOf(hardware: MachineHardware): Set<string> {
  return new Set(deviceLists.flatMap((list) => hardware[list].map(({ id }) => id)))
}

/** `net0`, or the first after it that is free. Those of `also`, which are going only at the next start, are not free yet. */
export function freeId(prefix: string, hardware: MachineHardware, also: MachineHardware = hardware): string {
  const taken = new Set([...idsOf(hardware), ...idsOf(also)])
  for (let number = 0; ; number += 1) if (!taken.has(`${prefix}${String(number)}`)) return `${prefix}${String(number)}`
}

/** An address of QEMU’s own range, by chance. */
export function newMacAddress(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes)): string {
  return ['52', '54', '00', ...[...random(new Uint8Array(3))].map((byte) => byte.toString(16).padStart(2, '0'))].join(':')
}

/** How many of each a machine has at most, as its schema has it. */
export const mostDevices: Readonly<Record<DeviceList, number>> = { disks: 32, cdroms: 8, nics: 16, usbDevices: 16, sharedFolders: 16, pciDevices: 8 }

/** How many serial ports, and how many consoles. */
export const mostPorts = 4

export function newNic(hardware: MachineHardware, running: MachineHardware, os: OsEntry | null): MachineHardware['nics'][number] {
  const model = hardware.nics[0]?.model ?? os?.defaults.nicModel ?? 'virtio-net'
  return { id: freeId('net', hardware, running), model, macAddress: newMacAddress(), backend: { type: 'user' }, linkUp: true, slot: null }
}

export function newCdrom(hardware: MachineHardware, running: MachineHardware): MachineHardware['cdroms'][number] {
  return { id: freeId('cd', hardware, running), image: null, bus: hardware.cdroms[0]?.bus ?? (hardware.machineType.includes('i440fx') ? 'ide' : 'sata') }
}

export function newSharedFolder(hardware: MachineHardware, running: MachineHardware): MachineHardware['sharedFolders'][number] {
  const tags = new Set(hardware.sharedFolders.map(({ tag }) => tag))
  let tag = 'share'
  for (let number = 2; tags.has(tag); number += 1) tag = `share${String(number)}`
  return { id: freeId('share', hardware, running), tag, path: '', readOnly: true, driver: 'auto', slot: null }
}

export function newUsbDevice(hardware: MachineHardware, running: MachineHardware): UsbDevice {
  return { id: freeId('usb', hardware, running), vendorId: '', productId: '', name: '', port: null, slot: null }
}

export function newPciDevice(hardware: MachineHardware, running: MachineHardware): PciDevice {
  return { id: freeId('pci', hardware, running), address: '', name: '', slot: null }
}
