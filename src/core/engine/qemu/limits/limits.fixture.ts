import type { HostPciDevice, QemuReport } from '@shared/model'
import { fullQemu } from '../argv/argv.fixture'
import { cdromBuses, diskBuses, displayModels, nicModels, soundModels, tpmModels, usbControllers, watchdogModels } from './choices'
import type { HardwareSurroundings } from './surroundings'

const tables = [diskBuses, cdromBuses, nicModels, displayModels, soundModels, watchdogModels, tpmModels, usbControllers]

/** A QEMU that has every device there is. */
export const wholeQemu: QemuReport = {
  ...fullQemu, systemPath: '/usr/bin/qemu-system-x86_64', imgPath: '/usr/bin/qemu-img', package: '', builtInAccelerators: ['kvm', 'tcg'], audioDrivers: ['none', 'pa'], cpuFeatures: ['aes', 'avx2', 'smep'],
  cpuModels: ['host', 'max', 'qemu64'].map((name) => ({ name, migrationSafe: null, deprecated: false, unavailableFeatures: [] })),
  devices: [...new Set([
    ...fullQemu.devices, ...tables.flatMap((table) => table.flatMap(([, , ...devices]) => devices)),
    'virtio-mem-pci', 'pvpanic', 'vhost-vsock-pci', 'virtio-9p-pci', 'usb-host', 'vhost-user-fs-pci', 'vfio-pci', 'virtconsole', 'virtserialport', 'isa-serial', 'virtio-vga-gl', 'virtio-gpu-gl-device',
  ])],
  features: { sandbox: true, ioUring: true, linuxAio: true, memfd: true, vdagent: true, eglHeadless: true, tpmEmulator: true, luks: true },
  tpm: { program: { path: '/usr/bin/swtpm', version: '0.7.1', versions: ['1.2', '2.0'] }, obstacle: null, remedy: null },
}

/** A card that was handed over. */
export const passableCard: HostPciDevice = {
  address: '0000:01:00.0', kind: 'Ethernet controller', name: 'Intel Corporation I350', vendorId: '8086', deviceId: '1521', driver: 'vfio-pci', group: 12, companions: [], obstacle: null, warnings: ['This computer can’t use the device while the machine runs.'],
}

/** A Linux computer that has everything, with software emulation. */
export const wholeSurroundings: HardwareSurroundings = {
  qemu: wholeQemu, accelerator: 'tcg',
  accelerators: [{ name: 'tcg', works: true, selfTestMs: 400, reason: 'ok', message: 'Works.', remedy: null, detail: '' }, { name: 'kvm', works: false, selfTestMs: null, reason: 'no-device', message: 'There is no /dev/kvm.', remedy: null, detail: '' }],
  host: { platform: 'linux', logicalProcessors: 8, memoryMiB: 16_384, hugePages: { pageMiB: 2, free: 4096 }, vhostVsock: true, renderNode: 'usable', processorTimeObstacle: null, virtiofs: { virtiofsd: { path: '/usr/libexec/virtiofsd', dialect: 'rust', sandbox: 'namespace', readOnly: true, translatesIds: true }, obstacle: null }, pci: [passableCard], pciProblem: null, lockableMiB: null },
}
