import { posix } from 'node:path'
import { type Cdrom, type DefinitionDifference, type Disk, type ImageLocation, type MachineDefinition, type Nic, type PciDevice, processorsAtStart, type SharedFolder, type UsbDevice } from '@shared/model'
import { capitalised } from '@shared/words'
import { tpmLine } from '../library'
import { hasLayers } from './definition-layers'

/** A thing about a machine that can be told in words. */
interface Fact {
  readonly path: string
  readonly label: string
  /** null: there is none. */
  readonly value: string | null
}

const number = new Intl.NumberFormat('en-US')
const yesNo = (value: boolean): string => (value ? 'Yes' : 'No')

/**
 * What would be another one if the machine went back: hardware in words, in the order in which people look at it. What stays the machine's own on the way back (its name, notes, origin,
 * policy) is no difference, and neither is in which layers its disks lie.
 */
export function compareDefinitions(then: MachineDefinition, now: MachineDefinition): DefinitionDifference[] {
  const before = new Map(factsOf(then).map((fact) => [fact.path, fact]))
  const after = new Map(factsOf(now).map((fact) => [fact.path, fact]))
  const differences: DefinitionDifference[] = []
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [old, young] = [before.get(path), after.get(path)]
    const label = (young ?? old)?.label ?? path
    // What a device is like is only told where it is there both times.
    if ((old === undefined || young === undefined) && path.split('.').length > 2) continue
    if ((old?.value ?? null) !== (young?.value ?? null)) differences.push({ path, label, then: old?.value ?? null, now: young?.value ?? null })
  }
  return differences
}

/** Everything about a machine that a snapshot takes back. */
export function factsOf(definition: MachineDefinition): Fact[] {
  const { firmware, processors, memory, boot, display } = definition
  const { sockets, cores, threads } = processors
  return [
    { path: 'osId', label: 'Operating system', value: definition.osId },
    { path: 'engine', label: 'Engine', value: definition.engine },
    { path: 'memoryMiB', label: 'Memory', value: mebibytes(definition.memoryMiB) },
    { path: 'memory.maximumMiB', label: 'Memory that can be plugged in', value: memory.maximumMiB === null ? null : `Up to ${mebibytes(memory.maximumMiB)}` },
    { path: 'memory.pluggedMiB', label: 'Memory plugged in', value: mebibytes(memory.pluggedMiB) },
    { path: 'memory.targetMiB', label: 'Memory left by the balloon', value: memory.targetMiB === null ? 'All' : mebibytes(memory.targetMiB) },
    { path: 'memory.hugePages', label: 'Huge pages', value: yesNo(memory.hugePages) },
    { path: 'memory.shared', label: 'Shared memory', value: yesNo(memory.shared) },
    { path: 'processors', label: 'Processors', value: `${number.format(processorsAtStart(processors))} (${count(sockets, 'socket')}, ${count(cores, 'core')}, ${count(threads, 'thread')})` },
    { path: 'processors.model', label: 'Processor model', value: processors.model === 'auto' ? 'Best available' : processors.model },
    { path: 'processors.features', label: 'Processor features', value: processors.features.length === 0 ? 'Those of the model' : processors.features.join(' ') },
    { path: 'processors.priority', label: 'Priority', value: capitalised(processors.priority) },
    { path: 'processors.limitPercent', label: 'Processor time at most', value: processors.limitPercent === null ? 'No limit' : `${number.format(processors.limitPercent)} % of a processor` },
    { path: 'processors.maximum', label: 'Processors that can be put in', value: processors.maximum === null ? null : `Up to ${number.format(processors.maximum)}` },
    { path: 'processors.plugged', label: 'Processors put in', value: number.format(processors.plugged) },
    { path: 'accelerator', label: 'Acceleration', value: definition.accelerator === 'auto' ? 'Best available' : definition.accelerator.toUpperCase() },
    { path: 'machineType', label: 'Machine type', value: definition.machineType },
    { path: 'firmware', label: 'Firmware', value: firmware.type === 'bios' ? 'BIOS' : firmware.secureBoot ? 'UEFI with Secure Boot' : 'UEFI' },
    { path: 'clock', label: 'Clock', value: definition.clock === 'utc' ? 'UTC' : 'Local time' },
    { path: 'boot.order', label: 'Starts from', value: boot.order.length === 0 ? 'Nothing' : boot.order.join(', ') },
    { path: 'boot.menu', label: 'Boot menu', value: yesNo(boot.menu) },
    { path: 'boot.kernel', label: 'Kernel', value: boot.kernel === null ? null : fileName(boot.kernel.kernel) },
    ...(boot.kernel === null ? [] : [
      { path: 'boot.kernel.initrd', label: 'Initial ramdisk', value: boot.kernel.initrd === null ? null : fileName(boot.kernel.initrd) },
      { path: 'boot.kernel.commandLine', label: 'Kernel’s command line', value: boot.kernel.commandLine },
    ]),
    ...definition.disks.flatMap(factsOfDisk),
    { path: 'ioThread', label: 'I/O thread of the disks', value: { auto: 'Where the processor is not emulated', on: 'Yes', off: 'No' }[definition.ioThread] },
    ...definition.cdroms.flatMap(factsOfCdrom),
    ...definition.nics.flatMap(factsOfNic),
    { path: 'display', label: 'Display', value: display.model === 'none' ? 'None' : display.model },
    { path: 'display.heads', label: 'Screens', value: String(display.heads) },
    { path: 'display.resolution', label: 'Resolution', value: display.resolution === null ? 'The device’s own' : `${String(display.resolution.width)} × ${String(display.resolution.height)}` },
    { path: 'display.acceleration3d', label: '3D acceleration', value: yesNo(display.acceleration3d) },
    { path: 'pointer', label: 'Pointer', value: definition.pointer === 'tablet' ? 'Tablet' : 'PS/2 mouse' },
    { path: 'serialPorts', label: 'Serial ports', value: String(definition.serialPorts) },
    { path: 'virtioConsoles', label: 'VirtIO consoles', value: String(definition.virtioConsoles) },
    { path: 'sound', label: 'Sound', value: definition.sound === null ? null : definition.sound.model },
    { path: 'watchdog', label: 'Watchdog', value: definition.watchdog === null ? null : `${definition.watchdog.model}, ${definition.watchdog.action}` },
    { path: 'tpm', label: 'TPM', value: definition.tpm === null ? null : `${definition.tpm.version}, ${definition.tpm.model}` },
    ...(definition.tpm === null ? [] : [{ path: 'tpm.state.folder', label: 'TPM: its keys', value: `Those of ${tpmLine(definition.tpm.state)}` }]),
    { path: 'panicDevice', label: 'Panic device', value: yesNo(definition.panicDevice) },
    { path: 'vsock', label: 'Sockets between guest and host', value: definition.vsock === null ? null : `Guest number ${String(definition.vsock.cid)}` },
    { path: 'usbController', label: 'USB controller', value: definition.usbController.toUpperCase() },
    ...definition.usbDevices.flatMap(factsOfUsbDevice),
    ...definition.sharedFolders.flatMap(factsOfSharedFolder),
    ...definition.pciDevices.flatMap(factsOfPciDevice),
    { path: 'rawArguments', label: 'Arguments of your own', value: definition.rawArguments.length === 0 ? null : definition.rawArguments.join(' ') },
    { path: 'guestAgent', label: 'Guest agent', value: yesNo(definition.guestAgent) },
    { path: 'clipboard', label: 'Shared clipboard', value: yesNo(definition.clipboard) },
    { path: 'randomNumbers', label: 'Random numbers from the host', value: yesNo(definition.randomNumbers) },
    { path: 'balloon', label: 'Memory balloon', value: yesNo(definition.balloon) },
  ]
}

function factsOfDisk(disk: Disk): Fact[] {
  const path = `disks.${disk.id}`
  const label = `Disk “${disk.id}”`
  return [
    { path, label, value: `${disk.readOnly ? 'Read-only, ' : ''}${disk.bus}` },
    // Its layers are other ones after every snapshot, and the disk is the same.
    { path: `${path}.image`, label: `${label}: file`, value: hasLayers(disk) ? 'The machine’s own' : fileName(disk.image) },
    { path: `${path}.format`, label: `${label}: format`, value: disk.format },
    { path: `${path}.cache`, label: `${label}: cache`, value: disk.cache === 'auto' ? 'Best available' : disk.cache },
    { path: `${path}.discard`, label: `${label}: gives space back`, value: yesNo(disk.discard) },
    { path: `${path}.detectZeroes`, label: `${label}: zeroes`, value: disk.detectZeroes === 'auto' ? 'As space is given back' : disk.detectZeroes },
    { path: `${path}.aio`, label: `${label}: access`, value: disk.aio === 'auto' ? 'Best available' : disk.aio },
    { path: `${path}.serial`, label: `${label}: serial number`, value: disk.serial ?? disk.id },
    { path: `${path}.limits`, label: `${label}: limits`, value: limitsInWords(disk.limits) },
  ]
}

/** In whole numbers as they were set, so that two that differ are told differently. */
function limitsInWords(limits: Disk['limits']): string {
  if (limits === null) return 'None'
  const words = [
    ['', 'bytes', limits.bytesPerSecond], ['reads ', 'bytes', limits.bytesReadPerSecond], ['writes ', 'bytes', limits.bytesWrittenPerSecond],
    ['', 'requests', limits.requestsPerSecond], ['reads ', 'requests', limits.readsPerSecond], ['writes ', 'requests', limits.writesPerSecond],
  ] as const
  return words.flatMap(([which, what, amount]) => (amount === 0 ? [] : [`${which}${number.format(amount)} ${what} a second`])).join(', ') || 'None'
}

function factsOfCdrom(cdrom: Cdrom): Fact[] {
  const path = `cdroms.${cdrom.id}`
  const label = `CD drive “${cdrom.id}”`
  return [
    { path, label, value: cdrom.bus },
    { path: `${path}.image`, label: `${label}: disc`, value: cdrom.image === null ? 'Empty' : fileName(cdrom.image) },
  ]
}

function factsOfNic(nic: Nic): Fact[] {
  const path = `nics.${nic.id}`
  const label = `Network card “${nic.id}”`
  return [
    { path, label, value: nic.model },
    { path: `${path}.macAddress`, label: `${label}: address`, value: nic.macAddress },
    { path: `${path}.backend`, label: `${label}: network`, value: networkInWords(nic.backend) },
    { path: `${path}.linkUp`, label: `${label}: cable`, value: nic.linkUp ? 'Plugged in' : 'Pulled out' },
  ]
}

function factsOfUsbDevice({ id, vendorId, productId, name, port }: UsbDevice): Fact[] {
  return [{ path: `usbDevices.${id}`, label: `USB device “${id}”`, value: `${vendorId}:${productId}${name === '' ? '' : ` ${name}`}${port === null ? '' : `, in port ${port} only`}` }]
}

function factsOfPciDevice({ id, address, name }: PciDevice): Fact[] {
  return [{ path: `pciDevices.${id}`, label: `Device of this computer “${id}”`, value: `${address}${name === '' ? '' : ` ${name}`}` }]
}

function factsOfSharedFolder({ id, tag, path, readOnly, driver }: SharedFolder): Fact[] {
  const label = `Shared folder “${id}”`
  return [
    { path: `sharedFolders.${id}`, label, value: `${readOnly ? 'Read-only, ' : ''}${path}` },
    { path: `sharedFolders.${id}.tag`, label: `${label}: tag`, value: tag },
    { path: `sharedFolders.${id}.driver`, label: `${label}: way`, value: driver === 'auto' ? 'Best available' : driver },
  ]
}

function networkInWords(backend: Nic['backend']): string {
  switch (backend.type) {
    case 'user':
      return 'NAT'
  }
}

/** Files elsewhere can have one name in different folders. */
function fileName(image: ImageLocation): string {
  return image.kind === 'own' ? posix.basename(image.path) : image.path
}

function mebibytes(amount: number): string {
  return `${number.format(amount)} MiB`
}

function count(amount: number, what: string): string {
  return `${number.format(amount)} ${what}${amount === 1 ? '' : 's'}`
}
