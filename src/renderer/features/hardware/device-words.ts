import { type Cdrom, type Disk, type DiskFormat, type ImageLocation, type MachineHardware, type Nic, processorCount, type SharedFolder, type UsbDevice } from '@shared/model'
import { capitalised } from '@shared/words'
import { countOf, formatMiB, formatRate } from '../../lib/format'

const formats: Readonly<Record<DiskFormat, string>> = { qcow2: 'qcow2', raw: 'raw', vmdk: 'VMware (vmdk)', vdi: 'VirtualBox (vdi)', vhdx: 'Hyper-V (vhdx)', vpc: 'Virtual PC (vhd)' }
const buses: Readonly<Record<Disk['bus'], string>> = { 'virtio-blk': 'VirtIO', 'virtio-scsi': 'VirtIO SCSI', sata: 'SATA', nvme: 'NVMe', ide: 'IDE', usb: 'USB', sd: 'SD card', floppy: 'Floppy' }
const cards: Readonly<Record<Nic['model'], string>> = {
  'virtio-net': 'VirtIO', e1000e: 'Intel 82574L', e1000: 'Intel 82540EM', rtl8139: 'Realtek RTL8139', vmxnet3: 'VMware vmxnet3', igb: 'Intel 82576', pcnet: 'AMD PCnet', ne2k_pci: 'NE2000',
}
const displays: Readonly<Record<MachineHardware['display']['model'], string>> = { 'virtio-vga': 'VirtIO graphics', vga: 'Standard VGA', 'qxl-vga': 'QXL graphics', 'bochs-display': 'Bochs display', none: 'No display' }
const sounds: Readonly<Record<NonNullable<MachineHardware['sound']>['model'], string>> = {
  'intel-hda': 'Intel HD Audio (ICH6)', 'ich9-intel-hda': 'Intel HD Audio (ICH9)', ac97: 'AC ’97', es1370: 'Ensoniq ES1370', 'virtio-sound': 'VirtIO sound', 'usb-audio': 'USB audio',
}

/** A path’s last part, for both kinds of separators. */
export function fileNameOf(path: string): string {
  return path.split(/[\\/]/u).findLast((part) => part !== '') ?? path
}

/** The absolute path of an image: a machine's own files lie in its folder. */
export function imagePath(folder: string, image: ImageLocation): string {
  if (image.kind === 'external') return image.path
  const separator = folder.includes('\\') ? '\\' : '/'
  return `${folder.replace(/[\\/]$/u, '')}${separator}${image.path.split('/').join(separator)}`
}

export function systemWords(hardware: MachineHardware, osName: string): string {
  const board = hardware.machineType.includes('q35') ? 'modern PC' : hardware.machineType.includes('i440fx') ? 'older PC' : hardware.machineType
  return `${osName}, ${board}`
}
export function processorWords({ processors }: MachineHardware): string {
  return `${countOf(processorCount(processors), 'processor')}${processors.maximum === null ? '' : `, up to ${String(processors.maximum)}`}${processors.model === 'auto' ? '' : `, ${processors.model}`}`
}
export function memoryWords({ memoryMiB, memory }: MachineHardware): string {
  return `${formatMiB(memoryMiB)}${memory.pluggedMiB > 0 ? ` and ${formatMiB(memory.pluggedMiB)} plugged in` : ''}${memory.targetMiB === null ? '' : `, ${formatMiB(memory.targetMiB)} left by the balloon`}`
}
export function firmwareWords({ firmware, boot }: MachineHardware): string {
  const name = firmware.type === 'bios' ? 'BIOS' : firmware.secureBoot ? 'UEFI with Secure Boot' : 'UEFI'
  return boot.kernel === null ? name : `${name}, a kernel of its own`
}
/** The disk with its file, by which people tell disks apart. */
export function diskFileWords(disk: Disk): string {
  return `${fileNameOf(disk.image.path)} on ${buses[disk.bus]}${traits(disk)}`
}
export function diskWords(disk: Disk): string {
  return `${formats[disk.format]} on ${buses[disk.bus]}${traits(disk)}`
}
function traits(disk: Disk): string {
  const limited = disk.limits === null ? '' : disk.limits.bytesPerSecond > 0 ? `, at most ${formatRate(disk.limits.bytesPerSecond)}` : ', limited'
  return `${disk.readOnly ? ', read-only' : ''}${disk.encrypted ? ', encrypted' : ''}${limited}`
}
export function cdromWords(cdrom: Cdrom): string {
  return cdrom.image === null ? 'Empty' : fileNameOf(cdrom.image.path) || 'No file yet'
}
export function nicWords(nic: Nic): string {
  return `${cards[nic.model]}${nic.linkUp ? '' : ', cable pulled out'}`
}
export function displayWords({ display }: MachineHardware): string {
  return `${displays[display.model]}${display.heads > 1 ? `, ${countOf(display.heads, 'screen')}` : ''}${display.acceleration3d ? ', 3D' : ''}`
}
export function soundWords({ sound }: MachineHardware): string {
  return sound === null ? 'None' : sounds[sound.model]
}
export function usbWords(device: UsbDevice): string {
  return device.vendorId === '' ? 'Not named yet' : `${device.vendorId}:${device.productId}${device.port === null ? '' : `, in port ${device.port} only`}`
}
export function folderWords(folder: SharedFolder): string {
  return `${folder.path === '' ? 'No folder yet' : folder.path}${folder.readOnly ? ', read-only' : ''}`
}
export function serialWords({ serialPorts, virtioConsoles }: MachineHardware): string {
  const parts = [serialPorts > 0 ? countOf(serialPorts, 'serial port') : '', virtioConsoles > 0 ? countOf(virtioConsoles, 'VirtIO console') : ''].filter(Boolean)
  return parts.join(', ') || 'None'
}
export function guestWords(hardware: MachineHardware): string {
  const parts = [hardware.guestAgent ? 'Guest agent' : '', hardware.clipboard ? 'clipboard' : '', hardware.randomNumbers ? 'random numbers' : '', hardware.vsock ? 'sockets' : ''].filter(Boolean).join(', ')
  return parts === '' ? 'None' : capitalised(parts)
}
export function tpmWords({ tpm }: MachineHardware): string {
  return tpm === null ? 'None' : `Version ${tpm.version}`
}
export function watchdogWords({ watchdog, panicDevice }: MachineHardware): string {
  return [watchdog === null ? '' : watchdog.model, panicDevice ? 'panic device' : ''].filter(Boolean).join(', ') || 'None'
}
/** `ide`, as the schema has it, the way people write it. */
export function busName(bus: Disk['bus']): string {
  return buses[bus]
}
