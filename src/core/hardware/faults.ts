import type { Issue } from '@shared/errors'
import type { MachineDefinition, MachineHardware } from '@shared/model'
import { nvramLayer } from '../engine/engine'
import { hasLayers } from '../snapshot/definition-layers'

/** What is wrong with hardware whatever QEMU there is: with its devices among each other, and beside what the machine has now. */
export function faultsAmongDevices(hardware: MachineHardware, stored: MachineDefinition): Issue[] {
  return [...idFaults(hardware), ...imageFaults(hardware, stored), ...bootFaults(hardware), ...addressFaults(hardware)]
}

type Device = { id: string; path: string }

function devicesOf({ disks, cdroms, nics, usbDevices, sharedFolders, pciDevices }: MachineHardware): Device[] {
  return Object.entries({ disks, cdroms, nics, usbDevices, sharedFolders, pciDevices }).flatMap(([list, devices]) => devices.map(({ id }, index) => ({ id, path: `${list}.${String(index)}` })))
}

function idFaults(hardware: MachineHardware): Issue[] {
  const seen = new Set<string>()
  return devicesOf(hardware).flatMap(({ id, path }): Issue[] => {
    const taken = seen.has(id)
    seen.add(id)
    if (id === nvramLayer || id.startsWith('sys-')) return [{ path: `${path}.id`, message: `The device id “${id}” is not free: Ringside itself has it.`, received: id, severity: 'error' }]
    return taken ? [{ path: `${path}.id`, message: `Two devices of the machine have the id “${id}”; each needs its own.`, received: id, severity: 'error' }] : []
  })
}

/** A disk that is there both times keeps its file: snapshots and what was written since hang on it. */
function imageFaults({ disks }: MachineHardware, stored: MachineDefinition): Issue[] {
  const seen = new Map<string, string>()
  return disks.flatMap((disk, index): Issue[] => {
    const path = `disks.${String(index)}`
    const faults: Issue[] = []
    const now = stored.disks.find(({ id }) => id === disk.id)
    const isOther = now !== undefined && (now.format !== disk.format || now.image.kind !== disk.image.kind || now.image.path !== disk.image.path)
    if (isOther && now !== undefined) {
      const whose = hasLayers(now) ? ', with its snapshots' : ''
      faults.push({ path: `${path}.image`, message: `The disk “${disk.id}” keeps its file${whose}. Take the disk out and add another one instead.`, received: disk.image.path, severity: 'error' })
    }
    if (now !== undefined && now.encrypted !== disk.encrypted) {
      faults.push({ path: `${path}.encrypted`, message: `Whether “${disk.id}” is encrypted is decided when it is made. Add another disk instead.`, received: String(disk.encrypted), severity: 'error' })
    }
    if (disk.encrypted && (disk.image.kind !== 'own' || disk.format !== 'qcow2')) {
      faults.push({ path: `${path}.encrypted`, message: `“${disk.id}” can’t be encrypted: only qcow2 disks in the machine’s own folder can.`, received: 'true', severity: 'error' })
    }
    const file = `${disk.image.kind}:${disk.image.path}`
    const other = seen.get(file)
    if (other !== undefined) faults.push({ path: `${path}.image`, message: `“${other}” and “${disk.id}” are the same file; each disk needs its own.`, received: disk.image.path, severity: 'error' })
    seen.set(file, disk.id)
    return faults
  })
}

/** One that a machine has already may come from a newer catalogue. */
export function systemFaults({ osId }: Pick<MachineHardware, 'osId'>, stored: Pick<MachineDefinition, 'osId'>, known: ReadonlySet<string>): Issue[] {
  return osId === stored.osId || known.has(osId) ? [] : [{ path: 'osId', message: `There is no operating system “${osId}” in the catalogue; “other” stands for any that is not in it.`, received: osId, severity: 'error' }]
}

/** A disk that is written to now goes on to be so in every layer that a snapshot puts on top of it, and can't become another kind of disk behind its back. */
export function faultsWhileRunning({ disks }: MachineHardware, running: MachineDefinition): Issue[] {
  return disks.flatMap((disk, index): Issue[] => {
    const now = running.disks.find(({ id }) => id === disk.id)
    if (now === undefined || now.readOnly === disk.readOnly) return []
    return [{ path: `disks.${String(index)}.readOnly`, message: `Whether “${disk.id}” can be written to is not changed while the machine runs; shut it down first.`, received: String(disk.readOnly), severity: 'error' }]
  })
}

function bootFaults(hardware: MachineHardware): Issue[] {
  const { order } = hardware.boot
  const ids = new Set(devicesOf(hardware).map(({ id }) => id))
  return order.flatMap((id, index): Issue[] => {
    const path = `boot.order.${String(index)}`
    if (!ids.has(id)) return [{ path, message: `There is no device “${id}” to start from.`, received: id, severity: 'error' }]
    return order.indexOf(id) < index ? [{ path, message: `“${id}” stands in the order twice.`, received: id, severity: 'error' }] : []
  })
}

const noAddress = '00:00:00:00:00:00'

function addressFaults({ nics }: MachineHardware): Issue[] {
  return nics.flatMap(({ macAddress }, index): Issue[] => {
    const path = `nics.${String(index)}.macAddress`
    if (macAddress === noAddress) return [{ path, message: 'This address stands for none: QEMU would choose another at each start.', received: macAddress, severity: 'error' }]
    const isSecond = nics.findIndex((nic) => nic.macAddress === macAddress) < index
    return isSecond ? [{ path, message: 'Two network cards of the machine have this address; each needs its own.', received: macAddress, severity: 'error' }] : []
  })
}
