import type { Disk, MachineDefinition, Nic } from '@shared/model'
import { hasUsbController, usbPorts } from '../engine/empty-places'
import { boardOf, isExpressNic, takesPort } from '../engine/qemu/argv'
import { staysOnBoard } from './places'

export const othersBehind = 'Others were plugged in behind it at the start, and would be elsewhere without it: it is taken out at the next start.'

/** Why what is on a port of the board’s own stays in the machine as long as it runs, a sentence; null: it can go. */
export function unplugObstacle({ machineType }: Pick<MachineDefinition, 'machineType'>): string | null {
  return boardOf(machineType).pcie ? null : staysOnBoard
}

/** The same of a disk. */
export function unplugDiskObstacle(running: MachineDefinition, disk: Disk): string | null {
  if (disk.bus === 'virtio-scsi') return null
  if (disk.bus === 'usb') return unplugUsbObstacle(running, disk)
  if (!takesPort(disk)) return 'Disks on this bus stay while the machine runs, and go at the next start; VirtIO, NVMe and USB disks can go at once.'
  return unplugObstacle(running)
}

/** The same of a network card. */
export function unplugNicObstacle(running: MachineDefinition, nic: Nic): string | null {
  if (!isExpressNic(nic)) return 'Network cards of this model stay while the machine runs, and go at the next start; VirtIO cards can go at once. Its cable can be pulled out now.'
  return unplugObstacle(running)
}

/** The same of what is on USB. Ports of the controller are given in order: what comes behind a device that goes keeps its own only where it is known which that is. */
export function unplugUsbObstacle(running: MachineDefinition, { id, slot }: { id: string; slot: number | null }): string | null {
  if (running.usbController === 'xhci' && (slot !== null || usbPorts(running).has(id))) return null
  const rest = { ...running, usbDevices: running.usbDevices.filter((device) => device.id !== id), disks: running.disks.filter((disk) => disk.id !== id) }
  if (!hasUsbController(rest)) return 'The USB controller goes with it: both are taken out at the next start.'
  const last = [...running.usbDevices.filter((device) => device.slot === null).map((device) => device.id), ...running.disks.filter(({ bus }) => bus === 'usb').map((disk) => disk.id)].at(-1)
  const isLast = last === id && !running.cdroms.some(({ bus }) => bus === 'usb') && running.sound?.model !== 'usb-audio'
  return isLast ? null : othersBehind
}
