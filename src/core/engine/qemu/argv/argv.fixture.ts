import { MachineDefinition, machineSchemaVersion, type QemuReport } from '@shared/model'
import type { z } from 'zod'
import type { ArgvInput, ImageFacts } from './input'

type Definition = z.input<typeof MachineDefinition>

const preSharedKey = { identity: 'ringside', key: '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff' }

/** A QEMU that has everything. */
export const fullQemu: Pick<QemuReport, 'version' | 'machineTypes' | 'devices' | 'features' | 'firmware'> = {
  version: '7.2.22',
  machineTypes: ['pc-q35-7.2', 'pc-i440fx-7.2'].map((name) => ({ name, alias: null, isDefault: false, maxCpus: 288, deprecated: false })),
  devices: [
    'bochs-display', 'e1000', 'e1000e', 'ich9-ahci', 'ide-cd', 'ide-hd', 'isa-serial', 'nvme', 'pcie-root-port', 'piix3-ide', 'qemu-xhci', 'qxl-vga', 'rtl8139',
    'scsi-cd', 'scsi-hd', 'usb-bot', 'usb-storage', 'usb-tablet', 'VGA', 'virtio-balloon-pci', 'virtio-blk-pci', 'virtio-net-pci', 'virtio-rng-pci',
    'virtio-scsi-pci', 'virtio-serial-pci', 'virtio-vga', 'virtserialport', 'vmxnet3',
  ],
  features: { sandbox: true, ioUring: true, linuxAio: true },
  firmware: [
    { codePath: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd', codeFormat: 'raw', varsTemplatePath: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd', varsFormat: 'raw', secureBoot: true, enrolledKeys: true, requiresSmm: true, description: 'secure' },
    { codePath: '/usr/share/OVMF/OVMF_CODE_4M.fd', codeFormat: 'raw', varsTemplatePath: '/usr/share/OVMF/OVMF_VARS_4M.fd', varsFormat: 'raw', secureBoot: false, enrolledKeys: false, requiresSmm: false, description: 'plain' },
  ],
}

/** A desktop Linux guest as the wizard makes it. */
export const desktop: Definition = {
  schemaVersion: machineSchemaVersion,
  createdBy: 'ringside 0.1.0',
  id: '6f9619ff-8b86-4011-b42d-00c04fc964ff',
  name: 'Debian',
  createdAt: '2026-01-01T00:00:00.000Z',
  osId: 'debian-12',
  machineType: 'pc-q35-7.2',
  firmware: { type: 'uefi' },
  processors: { sockets: 1, cores: 4, threads: 1 },
  memoryMiB: 4096,
  boot: { order: ['cd0', 'disk0'] },
  disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }],
  cdroms: [{ id: 'cd0', image: { kind: 'external', path: '/isos/debian.iso' }, bus: 'sata' }],
  nics: [{ id: 'net0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' } }],
  display: { model: 'virtio-vga' },
}

export const image = (path: string, changes: Partial<ImageFacts> = {}): ImageFacts => ({ path, driver: 'file', directIo: true, backing: [], ...changes })

/** The input for a definition: sockets, logs and images in their usual places. */
export function argvInput(definition: Definition, changes: Partial<ArgvInput> = {}): ArgvInput {
  const parsed = MachineDefinition.parse(definition)
  const windows = changes.platform === 'win32'
  const folder = windows ? 'C:\\Users\\me\\AppData\\Roaming\\Ringside\\library\\debian-6f9619ff' : '/home/me/.local/share/Ringside/library/debian-6f9619ff'
  const runtime = windows ? 'C:\\Users\\me\\AppData\\Roaming\\Ringside\\runtime\\6f9619ff' : '/run/user/1000/ringside/6f9619ff'
  const separator = windows ? '\\' : '/'
  const at = (...names: string[]): string => [folder, ...names].join(separator)
  const ports = Array.from({ length: parsed.serialPorts + parsed.virtioConsoles }, (_, index) => index)
  const images = Object.fromEntries([...parsed.disks, ...parsed.cdroms].flatMap((drive) => {
    if (drive.image === null) return []
    return [[drive.id, image(drive.image.kind === 'own' ? at(...drive.image.path.split('/')) : drive.image.path)]]
  }))
  return {
    definition: parsed,
    qemu: fullQemu,
    accelerator: 'tcg',
    platform: 'linux',
    images,
    nvram: parsed.firmware.type === 'uefi' ? image(at(...parsed.firmware.nvram.split('/'))) : null,
    kernel: null,
    files: {
      pid: `${runtime}${separator}pid`,
      serialLogs: ports.map((index) => at('logs', `serial${String(index)}.log`)),
      diskKey: '/dev/fd/3', spareShare: `${runtime}${separator}share`, tlsFolder: windows ? `${runtime}\\tls` : null,
    },
    endpoints: windows
      ? {
          qmp: { kind: 'tcp', port: 49152, psk: preSharedKey }, debugMonitor: null, agent: { kind: 'tcp', port: 0, psk: preSharedKey },
          serial: ports.map(() => ({ kind: 'tcp', port: 0, psk: preSharedKey })), graphics: { kind: 'tcp', passwordFile: `${runtime}\\tls\\vnc-password` }, tpm: null,
        }
      : {
          qmp: { kind: 'unix', path: `${runtime}/qmp` }, debugMonitor: null, agent: { kind: 'unix', path: `${runtime}/agent` },
          serial: ports.map((index) => ({ kind: 'unix', path: `${runtime}/serial${String(index)}` })), graphics: { kind: 'unix', path: `${runtime}/vnc` }, tpm: `${runtime}/tpm`,
        },
    virtiofs: {},
    audioDriver: 'none',
    incoming: false,
    ...changes,
  }
}
