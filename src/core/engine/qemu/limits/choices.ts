import type { HardwareChoice, MachineDefinition } from '@shared/model'
import { virtiofsObstacle } from '../virtiofs'
import type { HardwareSurroundings } from './surroundings'

/** A value, what people call it, and the devices that QEMU must have for it. */
type Entry = readonly [value: string, label: string, ...devices: string[]]

export const diskBuses: readonly Entry[] = [
  ['virtio-blk', 'VirtIO', 'virtio-blk-pci'], ['virtio-scsi', 'VirtIO SCSI', 'virtio-scsi-pci', 'scsi-hd'], ['sata', 'SATA', 'ide-hd'], ['nvme', 'NVMe', 'nvme'], ['ide', 'IDE', 'ide-hd'],
  ['usb', 'USB', 'usb-storage'], ['sd', 'SD card', 'sdhci-pci', 'sd-card'], ['floppy', 'Floppy', 'isa-fdc', 'floppy'],
]
export const cdromBuses: readonly Entry[] = [['sata', 'SATA', 'ide-cd'], ['ide', 'IDE', 'ide-cd'], ['virtio-scsi', 'VirtIO SCSI', 'virtio-scsi-pci', 'scsi-cd'], ['usb', 'USB', 'usb-bot', 'scsi-cd']]
export const nicModels: readonly Entry[] = [
  ['virtio-net', 'VirtIO', 'virtio-net-pci'], ['e1000e', 'Intel 82574L', 'e1000e'], ['e1000', 'Intel 82540EM', 'e1000'], ['igb', 'Intel 82576', 'igb'], ['rtl8139', 'Realtek RTL8139', 'rtl8139'],
  ['vmxnet3', 'VMware vmxnet3', 'vmxnet3'], ['pcnet', 'AMD PCnet', 'pcnet'], ['ne2k_pci', 'NE2000', 'ne2k_pci'],
]
export const displayModels: readonly Entry[] = [
  ['virtio-vga', 'VirtIO graphics', 'virtio-vga'], ['vga', 'Standard VGA', 'VGA'], ['qxl-vga', 'QXL graphics', 'qxl-vga'], ['bochs-display', 'Bochs display', 'bochs-display'], ['none', 'None'],
]
export const soundModels: readonly Entry[] = [
  ['intel-hda', 'Intel HD Audio (ICH6)', 'intel-hda', 'hda-duplex'], ['ich9-intel-hda', 'Intel HD Audio (ICH9)', 'ich9-intel-hda', 'hda-duplex'], ['ac97', 'Intel AC’97', 'AC97'],
  ['es1370', 'Ensoniq ES1370', 'ES1370'], ['virtio-sound', 'VirtIO sound', 'virtio-sound-pci'], ['usb-audio', 'USB sound', 'usb-audio'],
]
export const watchdogModels: readonly Entry[] = [['i6300esb', 'Intel 6300ESB (PCI)', 'i6300esb'], ['ib700', 'iBASE 700 (ISA)', 'ib700']]
export const watchdogActions: readonly Entry[] = [
  ['reset', 'Restart the machine'], ['shutdown', 'Ask the guest to shut down'], ['poweroff', 'Switch it off'], ['pause', 'Pause it'], ['inject-nmi', 'Send the guest an interrupt (NMI)'], ['none', 'Only tell of it'],
]
export const tpmVersions: readonly Entry[] = [['2.0', '2.0']]
export const tpmModels: readonly Entry[] = [['tpm-crb', 'CRB, today’s way', 'tpm-crb'], ['tpm-tis', 'TIS, the older way', 'tpm-tis']]
export const usbControllers: readonly Entry[] = [
  ['xhci', 'USB 3 (xHCI)', 'qemu-xhci'], ['ehci', 'USB 2 (EHCI)', 'ich9-usb-ehci1', 'ich9-usb-uhci1', 'ich9-usb-uhci2', 'ich9-usb-uhci3'], ['uhci', 'USB 1.1 (UHCI)', 'piix3-usb-uhci'],
]
export const caches: readonly Entry[] = [['auto', 'What suits the file system'], ['none', 'Past the host’s cache'], ['writeback', 'Through the host’s cache']]
export const zeroes: readonly Entry[] = [['auto', 'Holes, where freed space is given back'], ['off', 'Written like other data'], ['on', 'Written as zeroes, quickly'], ['unmap', 'Holes']]
export const ioThreads: readonly Entry[] = [['auto', 'Where the processor is not emulated'], ['on', 'Always'], ['off', 'Never']]
export const formats: readonly Entry[] = [['qcow2', 'qcow2'], ['raw', 'Raw'], ['vmdk', 'VMware (vmdk)'], ['vdi', 'VirtualBox (vdi)'], ['vhdx', 'Hyper-V (vhdx)'], ['vpc', 'Virtual PC (vhd)']]
export const priorities: readonly Entry[] = [['low', 'Low: others first'], ['normal', 'Normal'], ['high', 'High: before others']]
export const clocks: readonly Entry[] = [['utc', 'Universal time'], ['localtime', 'Local time, as Windows wants it']]
export const pointers: readonly Entry[] = [['tablet', 'Tablet: follows the pointer of this computer'], ['ps2', 'PS/2 mouse']]
export const backends: readonly Entry[] = [['user', 'Through this computer (NAT)']]

/** Entries as choices, those without their device with the reason. */
export function choicesOf(entries: readonly Entry[], { qemu }: Pick<HardwareSurroundings, 'qemu'>): HardwareChoice[] {
  return entries.map(([value, label, ...devices]) => {
    const missing = devices.filter((device) => !qemu.devices.includes(device))
    return { value, label, obstacle: missing.length === 0 ? null : `QEMU ${qemu.version} on this computer was built without ${missing.join(', ')}.` }
  })
}

/** How a shared folder can be reached here. */
export function folderDriverChoices(surroundings: HardwareSurroundings): HardwareChoice[] {
  const { qemu, host } = surroundings
  const plain = host.platform === 'win32' ? 'Not on Windows.' : (choicesOf([['9p', '9p', 'virtio-9p-pci']], surroundings)[0]?.obstacle ?? null)
  const virtiofs = virtiofsObstacle(host.virtiofs, qemu, host.platform)
  return [
    { value: 'auto', label: 'The best that works: virtiofs, else 9p', obstacle: plain === null ? null : virtiofs },
    { value: 'virtiofs', label: 'virtiofs: fast; keeps memory out of snapshots', obstacle: virtiofs },
    { value: '9p', label: '9p: slower, needs nothing else', obstacle: plain },
  ]
}

export function firmwareChoices({ qemu }: HardwareSurroundings): HardwareChoice[] {
  const uefi = qemu.firmware.length > 0
  return [
    { value: 'bios', label: 'BIOS', obstacle: null },
    { value: 'uefi', label: 'UEFI', obstacle: uefi ? null : 'No UEFI firmware was found on this computer; it is often a package named ovmf or edk2.' },
  ]
}

export function acceleratorChoices({ accelerators }: HardwareSurroundings): HardwareChoice[] {
  const names = { kvm: 'KVM', hvf: 'Hypervisor.framework', whpx: 'Windows Hypervisor Platform', tcg: 'Software emulation' } as const
  return [
    { value: 'auto', label: 'The best that works', obstacle: null },
    ...accelerators.filter(({ reason }) => reason !== 'wrong-system').map(({ name, works, message }) => ({ value: name, label: names[name], obstacle: works ? null : message })),
  ]
}

export function cpuModelChoices({ qemu, accelerator }: HardwareSurroundings): HardwareChoice[] {
  const models = qemu.cpuModels.map(({ name, deprecated }) => ({
    value: name, label: deprecated ? `${name} (out of use)` : name,
    obstacle: name === 'host' && accelerator !== 'kvm' && accelerator !== 'hvf' ? 'This computer’s own processor can only be given with KVM or Hypervisor.framework.' : null,
  }))
  return [{ value: 'auto', label: 'The best available', obstacle: null }, ...models]
}

/** Boards that Ringside knows how to fill. */
export function machineTypeChoices({ qemu }: HardwareSurroundings): HardwareChoice[] {
  return qemu.machineTypes
    .filter(({ name }) => /^(pc-)?(q35|i440fx)|^pc$/u.test(name))
    .map(({ name, deprecated }) => ({ value: name, label: `${name.includes('q35') ? 'Modern PC (Q35)' : 'Older PC (i440FX)'}, ${name}${deprecated ? ' (out of use)' : ''}`, obstacle: null }))
}

export function aioChoices({ qemu, host }: HardwareSurroundings): HardwareChoice[] {
  const lacks = (feature: string): string | null => (host.platform !== 'linux' ? 'Only on Linux.' : qemu.features[feature] === true ? null : 'This QEMU, or this computer’s kernel, does not have it.')
  return [
    { value: 'auto', label: 'The best available', obstacle: null }, { value: 'threads', label: 'Threads', obstacle: null },
    { value: 'native', label: 'Linux AIO', obstacle: lacks('linuxAio') }, { value: 'io_uring', label: 'io_uring', obstacle: lacks('ioUring') },
  ]
}

/** Processors at most, by the board; as many as any has when it is not known. */
export function maxProcessors({ machineType }: Pick<MachineDefinition, 'machineType'>, { qemu }: HardwareSurroundings): number {
  return qemu.machineTypes.find(({ name, alias }) => name === machineType || alias === machineType)?.maxCpus ?? 256
}
