import type { MachineDefinition, Nic, NicModel } from '@shared/model'
import { emptyPlacesOf, PlacesInOrder } from '../../empty-places'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import { bootProperties } from './firmware'
import { json } from './options'
import type { PciBus } from './pci'

const drivers: Record<NicModel, { driver: string; express: boolean }> = {
  'virtio-net': { driver: 'virtio-net-pci', express: true },
  'e1000e': { driver: 'e1000e', express: true },
  'vmxnet3': { driver: 'vmxnet3', express: true },
  'e1000': { driver: 'e1000', express: false },
  'rtl8139': { driver: 'rtl8139', express: false },
  'igb': { driver: 'igb', express: true },
  'pcnet': { driver: 'pcnet', express: false },
  'ne2k_pci': { driver: 'ne2k_pci', express: false },
}

/** Cards that were there before anything was plugged in. */
export function addNics(list: ArgumentList, pci: PciBus, definition: Pick<MachineDefinition, 'nics' | 'boot' | 'emptyPlaces'>): void {
  const { nics, boot } = definition
  let left = 0
  const places = new PlacesInOrder(emptyPlacesOf(definition, 'nic'), () => {
    // QEMU counts user-mode networks as they come, and saved memory knows each by its number [net/slirp.c: register_savevm_live].
    list.add('-netdev', json({ type: 'user', id: `sys-left${String(left++)}` }))
    pci.expressPlace()
  })
  for (const nic of nics) {
    if (pci.isPlugged(nic, isExpressNic(nic))) continue
    if (nic.slot === null) places.take()
    addNic(list, nic, boot.order, () => (isExpressNic(nic) ? pci.expressPlace() : pci.plainPlace()))
  }
  places.close()
}

/** Cards that were plugged in while the machine ran. */
export function addPluggedNics(list: ArgumentList, pci: PciBus, { nics, boot }: Pick<MachineDefinition, 'nics' | 'boot'>): void {
  for (const nic of nics) if (pci.isPlugged(nic, isExpressNic(nic))) addNic(list, nic, boot.order, () => pci.sparePlace(nic.slot))
}

function addNic(list: ArgumentList, nic: Nic, order: readonly string[], place: () => JsonObject): void {
  list.add('-netdev', json(nicBackend(nic)))
  list.device(nicDevice(nic, order, place()))
}

/** As `-netdev` and `netdev_add` take it. */
export function nicBackend(nic: Nic): JsonObject {
  return { type: nic.backend.type, id: nic.id }
}

/** As `-device` and `device_add` take it. */
export function nicDevice(nic: Nic, order: readonly string[], place: JsonObject): JsonObject & { driver: string } {
  // A card that is not booted from needs no boot ROM, which would only delay the boot.
  const booted = order.includes(nic.id) ? bootProperties(nic.id, order) : { romfile: '' }
  return { driver: drivers[nic.model].driver, id: nic.id, netdev: nic.id, mac: nic.macAddress, ...booted, ...place }
}

/** Whether a card takes a PCI Express port, and so can come and go while the machine runs. */
export function isExpressNic({ model }: Pick<Nic, 'model'>): boolean {
  return drivers[model].express
}
