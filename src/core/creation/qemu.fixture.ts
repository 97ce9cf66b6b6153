import type { ProbeReport, QemuReport } from '@shared/model'

/** A QEMU that has everything. */
export const fullQemu: QemuReport = {
  systemPath: '/usr/bin/qemu-system-x86_64',
  imgPath: '/usr/bin/qemu-img',
  version: '7.2.22',
  package: '',
  machineTypes: [
    { name: 'pc-q35-7.1', alias: null, isDefault: false, maxCpus: 288, deprecated: false },
    { name: 'pc-q35-7.2', alias: 'q35', isDefault: false, maxCpus: 288, deprecated: false },
    { name: 'pc-i440fx-7.2', alias: 'pc', isDefault: true, maxCpus: 255, deprecated: false },
  ],
  cpuModels: [{ name: 'Haswell', migrationSafe: true, deprecated: false, unavailableFeatures: [] }],
  devices: [
    'virtio-blk-pci',
    'virtio-scsi-pci',
    'ide-hd',
    'nvme',
    'usb-storage',
    'virtio-net-pci',
    'e1000e',
    'e1000',
    'rtl8139',
    'vmxnet3',
    'virtio-vga',
    'VGA',
    'qxl-vga',
    'bochs-display',
  ],
  builtInAccelerators: ['tcg'],
  firmware: [
    {
      codePath: '/usr/share/OVMF/OVMF_CODE_4M.fd',
      codeFormat: 'raw',
      varsTemplatePath: '/usr/share/OVMF/OVMF_VARS_4M.fd',
      varsFormat: 'raw',
      secureBoot: false,
      enrolledKeys: false,
      requiresSmm: false,
      description: '',
    },
  ],
  features: {},
}

/** A computer where it works, without hardware acceleration. */
export const fullProbe: ProbeReport = {
  probedAt: '2026-01-01T00:00:00.000Z',
  qemu: fullQemu,
  qemuProblem: null,
  accelerators: [
    {
      name: 'kvm',
      works: false,
      selfTestMs: null,
      reason: 'no-permission',
      message: 'You may not use /dev/kvm.',
      remedy: 'Join the group “kvm”.',
      detail: '',
    },
    { name: 'tcg', works: true, selfTestMs: 300, reason: 'ok', message: 'Works.', remedy: null, detail: '' },
  ],
  bestAccelerator: 'tcg',
}
