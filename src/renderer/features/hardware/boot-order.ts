import type { MachineHardware } from '@shared/model'
import { deviceLabel } from './device-tree'

/** A device that a machine can start from. */
export interface BootDevice { readonly id: string; readonly label: string; readonly icon: string; readonly isUsed: boolean }

const icons = { disks: 'i-lucide-hard-drive', cdroms: 'i-lucide-disc-3', nics: 'i-lucide-ethernet-port' } as const

/** All devices to start from: those that are tried in their order, then the others. A name in the order that is no device is left in, so that it can be taken out. */
export function bootDevices(hardware: MachineHardware): BootDevice[] {
  const all = (['disks', 'cdroms', 'nics'] as const).flatMap((list) => hardware[list].map(({ id }) => ({ id, label: deviceLabel(hardware, list, id), icon: icons[list] })))
  const used = hardware.boot.order.map((id) => ({ ...(all.find((device) => device.id === id) ?? { id, label: 'No such device', icon: 'i-lucide-circle-help' }), isUsed: true }))
  return [...used, ...all.filter(({ id }) => !hardware.boot.order.includes(id)).map((device) => ({ ...device, isUsed: false }))]
}

/** The order with one of its devices moved by one place; the same where there is no place. */
export function movedInOrder(order: readonly string[], id: string, by: -1 | 1): string[] {
  const from = order.indexOf(id)
  return from === -1 ? [...order] : movedTo(order, id, from + by)
}
export function movedTo(order: readonly string[], id: string, to: number): string[] {
  if (to < 0 || to >= order.length || !order.includes(id)) return [...order]
  const next = order.filter((each) => each !== id)
  next.splice(to, 0, id)
  return next
}
