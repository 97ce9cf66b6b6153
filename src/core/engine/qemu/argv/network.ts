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

/**
 * Cards that were there before anything was plugged in. QEMU counts user-mode networks as they come and saves each by its number [net/slirp.c: register_savevm_live],
 * so that a network is there for as long as the machine runs: that of a card which has left stays, as its place does.
 */
export function addNics(list: ArgumentList, pci: PciBus, definition: Pick<MachineDefinition, 'nics' | 'boot' | 'emptyPlaces'>): void {
  const { nics, boot } = definition
  let networks = 0
  const addNetwork = (nic: Pick<Nic, 'backend'>): string => {
    const id = `sys-net${String(networks++)}`
    list.add('-netdev', json({ ...nic.backend, id }))
    return id
  }
  const places = new PlacesInOrder(emptyPlacesOf(definition, 'nic'), () => {
    addNetwork({ backend: { type: 'user' } })
    pci.expressPlace()
  })
  for (const nic of nics) {
    if (pci.isPlugged(nic, isExpressNic(nic))) continue
    if (nic.slot === null) places.take()
    const network = addNetwork(nic)
    list.device(nicDevice(nic, network, boot.order, isExpressNic(nic) ? pci.expressPlace() : pci.plainPlace()))
  }
  places.close()
}

/** Cards that were plugged in while the machine ran, with the networks of the spare ports up to theirs. */
export function addPluggedNics(list: ArgumentList, pci: PciBus, { nics, boot }: Pick<MachineDefinition, 'nics' | 'boot'>): void {
  const plugged = nics.filter((nic) => pci.isPlugged(nic, isExpressNic(nic)))
  for (const network of spareNetworks(Math.max(-1, ...plugged.map(({ slot }) => slot ?? -1)))) list.add('-netdev', json(network))
  for (const nic of plugged) list.device(nicDevice(nic, spareNetworkId(nic.slot ?? 0), boot.order, pci.sparePlace(nic.slot ?? 0)))
}

/**
 * The networks of the spare ports up to one, as `-netdev` and `netdev_add` take them. They come in this order, so that each has the same number whatever was plugged in and has left, and none ever goes.
 * @param slot -1: none
 */
export function spareNetworks(slot: number): (JsonObject & { type: string; id: string })[] {
  return Array.from({ length: slot + 1 }, (_, port) => ({ type: 'user', id: spareNetworkId(port) }))
}

export function spareNetworkId(slot: number): string {
  return `sys-spare-net${String(slot)}`
}

/** As `-device` and `device_add` take it. */
export function nicDevice(nic: Nic, network: string, order: readonly string[], place: JsonObject): JsonObject & { driver: string; id: string } {
  // A card that is not booted from needs no boot ROM, which would only delay the boot.
  const booted = order.includes(nic.id) ? bootProperties(nic.id, order) : { romfile: '' }
  return { driver: drivers[nic.model].driver, id: nic.id, netdev: network, mac: nic.macAddress, ...booted, ...place }
}

/** Whether a card takes a PCI Express port, and so can come and go while the machine runs. */
export function isExpressNic({ model }: Pick<Nic, 'model'>): boolean {
  return drivers[model].express
}
