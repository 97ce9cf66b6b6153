import { type AcceleratorReport, type CreateMachineRequest, type HardwareOverrides, isEmulatedInstall, type OsEntry, type ProbeReport, usualNicModel } from '@shared/model'

/** One choice of a hardware field. `whyNot`: what speaks against it on this computer; then it can't be chosen. */
export interface HardwareChoice {
  value: string
  label: string
  explains: string
  whyNot: string | null
}
export interface HardwareField {
  key: keyof HardwareOverrides
  label: string
  /** What is used when nothing is chosen, in words. */
  usual: string
  choices: HardwareChoice[]
}

const acceleratorNames = { kvm: 'KVM', hvf: 'HVF (Hypervisor.framework)', whpx: 'WHPX (Windows Hypervisor Platform)', tcg: 'TCG (software emulation)' } as const
const buses = {
  'virtio-blk': ['VirtIO block', 'Fastest; the guest needs VirtIO drivers'],
  'virtio-scsi': ['VirtIO SCSI', 'Fast, for many disks; the guest needs VirtIO drivers'],
  nvme: ['NVMe', 'Fast; known to systems since about 2015'],
  sata: ['SATA (AHCI)', 'Known to nearly every system'],
  ide: ['IDE', 'For systems from before 2005'],
  usb: ['USB', 'As if plugged in'],
} as const
const cards = {
  'virtio-net': ['VirtIO', 'Fastest; the guest needs VirtIO drivers'],
  e1000e: ['Intel 82574L (e1000e)', 'Known to most systems since 2008'],
  e1000: ['Intel 82540EM (e1000)', 'For older systems'],
  vmxnet3: ['VMware vmxnet3', 'For guests that come from VMware'],
  igb: ['Intel 82576 (igb)', 'Known to server systems since about 2010'],
  rtl8139: ['Realtek RTL8139', 'For very old systems'],
  pcnet: ['AMD PCnet', 'For systems from before 2000'],
  ne2k_pci: ['NE2000 (PCI)', 'For systems from before 2000, where nothing else does'],
} as const
const displays = {
  'virtio-vga': ['VirtIO', 'Can follow the size of the window'],
  vga: ['Standard VGA', 'Works everywhere'],
  'qxl-vga': ['QXL', 'For older Linux and Windows guests with its driver'],
  'bochs-display': ['Bochs display', 'Simple; UEFI guests only'],
  none: ['None', 'Only the serial console'],
} as const
/** Names that QEMU's `-device` takes for the model's words; those that it has under another name only. */
const deviceNames: Readonly<Record<string, string>> = {
  'virtio-blk': 'virtio-blk-pci', 'virtio-scsi': 'virtio-scsi-pci', nvme: 'nvme', 'virtio-net': 'virtio-net-pci', e1000e: 'e1000e', e1000: 'e1000', vmxnet3: 'vmxnet3', igb: 'igb', rtl8139: 'rtl8139', pcnet: 'pcnet', ne2k_pci: 'ne2k_pci',
  'virtio-vga': 'virtio-vga', vga: 'VGA', 'qxl-vga': 'qxl-vga', 'bochs-display': 'bochs-display',
}

function devices(table: Readonly<Record<string, readonly [string, string]>>, probe: ProbeReport | null): HardwareChoice[] {
  return Object.entries(table).map(([value, [label, explains]]) => {
    const device = deviceNames[value]
    const missing = device !== undefined && probe?.qemu != null && !probe.qemu.devices.includes(device)
    return { value, label, explains, whyNot: missing ? `This QEMU was built without ${device}.` : null }
  })
}

function accelerators(reports: readonly AcceleratorReport[]): HardwareChoice[] {
  return reports
    .filter((report) => report.reason !== 'wrong-system')
    .map((report) => ({
      value: report.name,
      label: acceleratorNames[report.name],
      explains: report.works ? (report.selfTestMs === null ? 'Works' : `Works: a self-test guest ran in ${String(Math.round(report.selfTestMs))} ms`) : report.message,
      whyNot: report.works ? null : report.message,
    }))
}

function onOff(on: string, off: string, whyNot: string | null): HardwareChoice[] {
  return [{ value: 'on', label: 'On', explains: on, whyNot }, { value: 'off', label: 'Off', explains: off, whyNot: null }]
}

const labelOf = (choices: readonly HardwareChoice[], value: string): string => choices.find((choice) => choice.value === value)?.label ?? value

/** The hardware that can be set before the first start, with what this computer's QEMU has and what the system is given otherwise. Pure. @param request as far as it is filled in */
export function hardwareFields(os: OsEntry | null, probe: ProbeReport | null, request: Pick<CreateMachineRequest, 'source' | 'hardware'> | null = null): HardwareField[] {
  const engines = accelerators(probe?.accelerators ?? [])
  const disk = devices(buses, probe)
  const nic = devices(cards, probe)
  const display = devices(displays, probe)
  const hasUefi = probe?.qemu == null || probe.qemu.firmware.length > 0
  const firmware: HardwareChoice[] = [
    { value: 'uefi', label: 'UEFI', explains: 'For systems since about 2012', whyNot: hasUefi ? null : 'No UEFI firmware was found beside QEMU; it is often a package named ovmf or edk2.' },
    { value: 'bios', label: 'BIOS', explains: 'For older systems', whyNot: null },
  ]
  const qemu = probe?.qemu ?? null
  const hasKeys = qemu === null || qemu.firmware.some((image) => image.secureBoot && image.enrolledKeys)
  const secureBoot = onOff('Starts only systems that are signed, as Windows 11 wants it; with UEFI', 'Starts whatever is on the disk', hasKeys ? null : 'No UEFI firmware with Secure Boot and its keys was found beside QEMU; it is often a package named ovmf or edk2.')
  const noTpm = qemu?.tpm?.program === null ? [qemu.tpm.obstacle, qemu.tpm.remedy].filter(Boolean).join(' ') : null
  const tpm = onOff('A chip that keeps keys, as Windows 11 wants it', 'No chip for keys', noTpm)
  const best = probe?.bestAccelerator ?? null
  const accelerated = best !== null && best !== 'tcg'
  const cpuModels: HardwareChoice[] = (probe?.qemu?.cpuModels ?? []).map((model) => ({
    value: model.name,
    label: model.name,
    explains: [model.deprecated ? 'Out of use in QEMU' : '', model.unavailableFeatures.length > 0 ? `Lacks here: ${model.unavailableFeatures.slice(0, 4).join(', ')}${model.unavailableFeatures.length > 4 ? ' …' : ''}` : ''].filter(Boolean).join('. '),
    whyNot: null,
  }))
  const usual = (choices: readonly HardwareChoice[], value: string | undefined): string => (value === undefined ? 'Best for the system' : `Best for the system: ${labelOf(choices, value)}`)
  return [
    { key: 'accelerator', label: 'Accelerator', usual: best === null ? 'Best that works' : `Best that works: ${acceleratorNames[best]}`, choices: engines },
    { key: 'cpuModel', label: 'Processor model', usual: accelerated ? 'Same as this computer' : 'All that can be emulated (max)', choices: cpuModels },
    { key: 'firmware', label: 'Firmware', usual: usual(firmware, os?.defaults.firmware), choices: firmware },
    { key: 'secureBoot', label: 'Secure Boot', usual: usual(secureBoot, os?.defaults.secureBoot === true && hasKeys ? 'on' : 'off'), choices: secureBoot },
    { key: 'tpm', label: 'TPM 2.0', usual: usual(tpm, os?.defaults.tpm === true && noTpm === null ? 'on' : 'off'), choices: tpm },
    { key: 'diskBus', label: 'Disk controller', usual: usual(disk, os?.defaults.diskBus), choices: disk },
    { key: 'nicModel', label: 'Network card', usual: usual(nic, os === null ? undefined : usualNicModel(os, request !== null && isEmulatedInstall(request, best))), choices: nic },
    { key: 'display', label: 'Display', usual: usual(display, os?.defaults.display), choices: display },
  ]
}
