import { RingsideError } from '@shared/errors'
import type { SharedFolder } from '@shared/model'
import { emptyPlacesOf, PlacesInOrder } from '../../empty-places'
import type { JsonObject } from '../qmp/qmp-types'
import { virtiofsDevice } from '../virtiofs/choose-driver'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'
import { option, options } from './options'
import type { PciBus } from './pci'

const plainDevice = 'virtio-9p-pci'

/** The 9p file systems that folders take which come while the machine runs: QEMU makes such only as it starts. */
const spareShares = { writable: 'sys-share', readOnly: 'sys-share-readonly' } as const

/** The one of these that a folder takes. */
export function spareShareOf({ readOnly }: Pick<SharedFolder, 'readOnly'>): string {
  return readOnly ? spareShares.readOnly : spareShares.writable
}

/** The chardev by which QEMU reaches what serves a folder through virtiofs. */
export function folderChardev(id: string): string {
  return `sys-fs-${id}`
}

/** Folders of the host that were there before anything was plugged in, through virtiofs or over 9p. */
export function addSharedFolders(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { definition } = input
  const places = new PlacesInOrder(emptyPlacesOf(definition, 'folder'), () => { pci.expressPlace() })
  for (const folder of definition.sharedFolders) {
    if (pci.isPlugged(folder, true)) continue
    if (folder.slot === null) places.take()
    addFolder(list, input, folder, () => pci.expressPlace())
  }
  places.close()
}

/** Folders that came while the machine ran, and what further ones take. */
export function addPluggedFolders(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  for (const folder of input.definition.sharedFolders) if (pci.isPlugged(folder, true)) addFolder(list, input, folder, () => pci.sparePlace(folder.slot))
  if (!pci.hasSparePorts || input.platform === 'win32' || !input.qemu.devices.includes(plainDevice)) return
  // Any number of devices can be made of each. The path is a link to the folder while QEMU makes one, which opens the folder then and stays with that [hw/9pfs/9p-local.c, local_init].
  for (const id of Object.values(spareShares)) list.add('-fsdev', plainShare(id, input.files.spareShare, id === spareShares.readOnly))
}

function addFolder(list: ArgumentList, { platform, virtiofs }: ArgvInput, folder: SharedFolder, place: () => JsonObject): void {
  const { id, path, readOnly } = folder
  const socket = virtiofs[id]
  if (socket !== undefined) {
    list.chardev(options('socket', option('id', folderChardev(id)), option('path', socket)))
    list.device(virtiofsFolder(folder, place()))
    return
  }
  if (platform === 'win32') throw new RingsideError('CAPABILITY_MISSING', 'Shared folders (9p) are not there on Windows.', { hint: 'Remove them from the machine’s hardware, and share the folder over the network.' })
  list.add('-fsdev', plainShare(id, path, readOnly))
  list.device(plainFolder(folder, id, place()))
}

/** What the guest says about owners and rights is kept beside the files and never given to them. */
function plainShare(id: string, path: string, readOnly: boolean): string {
  return options('local', option('id', id), option('path', path), 'security_model=mapped-xattr', 'multidevs=remap', option('readonly', readOnly))
}

/** As `-device` and `device_add` take it. */
export function virtiofsFolder({ id, tag }: Pick<SharedFolder, 'id' | 'tag'>, place: JsonObject): JsonObject & { driver: string; id: string } {
  return { driver: virtiofsDevice, id, chardev: folderChardev(id), tag, 'queue-size': 1024, ...place }
}

/** As `-device` and `device_add` take it. @param share the `-fsdev` that it is made of */
export function plainFolder({ id, tag }: Pick<SharedFolder, 'id' | 'tag'>, share: string, place: JsonObject): JsonObject & { driver: string; id: string } {
  return { driver: plainDevice, id, fsdev: share, mount_tag: tag, ...place }
}
