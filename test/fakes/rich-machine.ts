import { MachineHardware, type HostDevices, type MachineView } from '@shared/model'
import { fakeDefinition, fakeIds, fakeView } from './fake-data'

const name = 'ERP staging, database and reporting (keep it on until the quarter is closed)'
const disk = (n: number, more: object = {}): object => ({ id: `disk${String(n)}`, image: { kind: 'own', path: `disks/disk${String(n)}.qcow2` }, format: 'qcow2', bus: n < 4 ? 'virtio-blk' : 'virtio-scsi', ...more })
const mac = (n: number): string => `52:54:00:12:34:${(n + 16).toString(16)}`

/** A machine with much of everything and long names, some of which comes or goes only at its next start; a disc is to be taken out that the guest keeps. */
export function richMachine(): MachineView {
  const definition = fakeDefinition(fakeIds.running, name)
  const hardware = MachineHardware.parse({
    ...definition, memoryMiB: 6144, memory: { maximumMiB: 12_288, pluggedMiB: 1024, targetMiB: 4096 }, processors: { sockets: 1, cores: 2, threads: 1, maximum: 8, plugged: 1, limitPercent: 150 },
    firmware: { type: 'uefi', secureBoot: true, nvram: 'firmware/nvram-1f2e3d4c.qcow2' }, tpm: { state: 'tpm/1f2e3d4c' },
    disks: [
      ...[0, 1, 2].map((n) => disk(n)), disk(3, { image: { kind: 'external', path: '/mnt/archive/virtual machines/2025/quarterly closing/erp-staging-data-with-a-very-long-name.qcow2' }, readOnly: true }),
      ...Array.from({ length: 9 }, (_, n) => disk(n + 4, n === 2 ? { limits: { bytesPerSecond: 52_428_800, writesPerSecond: 500 } } : {})),
    ],
    cdroms: [{ id: 'cd0', image: { kind: 'external', path: '/home/ada/Downloads/en-us_windows_server_2025_updated_november_2026_x64_dvd_6dcd7a9f.iso' }, bus: 'sata' }, { id: 'cd1', image: null, bus: 'sata' }, { id: 'cd2', image: { kind: 'external', path: '/home/ada/Downloads/debian-12.8.0-amd64-netinst.iso' }, bus: 'sata' }],
    nics: [0, 1, 2].map((n) => ({ id: `net${String(n)}`, model: n === 2 ? 'e1000e' : 'virtio-net', macAddress: mac(n), backend: { type: 'user' }, linkUp: n !== 1 })),
    usbDevices: [{ id: 'usb0', vendorId: '046d', productId: 'c52b', name: 'Logitech USB Receiver' }, { id: 'usb1', vendorId: '1050', productId: '0407', name: 'Yubico YubiKey OTP+FIDO+CCID', port: '1-3' }],
    pciDevices: [{ id: 'pci0', address: '0000:01:00.0', name: 'NVIDIA Corporation GA104 [GeForce RTX 3070]' }],
    sharedFolders: [
      { id: 'share0', tag: 'reports', path: '/home/ada/Documents/Quarterly reports and everything that belongs to them', readOnly: false, driver: 'auto' }, { id: 'share1', tag: 'music', path: '/home/ada/Music', driver: '9p' },
    ],
    sound: { model: 'intel-hda' }, watchdog: { model: 'i6300esb', action: 'reset' }, boot: { order: ['disk0', 'cd0', 'net0'], menu: true },
  })
  const next = MachineHardware.parse({
    ...hardware, memoryMiB: 8192, disks: hardware.disks.filter(({ id }) => id !== 'disk5'), sharedFolders: [...hardware.sharedFolders, { id: 'share2', tag: 'new', path: '/srv/new', readOnly: true, driver: 'auto' }],
    display: { ...hardware.display, model: 'vga' }, cdroms: hardware.cdroms.filter(({ id }) => id !== 'cd1').map((drive) => (drive.id === 'cd2' ? { ...drive, image: null } : drive)),
  })
  return fakeView({ ...definition, ...hardware }, 'running', { next })
}

/** A computer that can pass no PCI device on, and whose USB devices can't be listed. */
export const closedDevices: HostDevices = {
  usb: [], usbProblem: { message: 'This computer’s USB devices can’t be listed: /sys/bus/usb/devices can’t be read.', remedy: null },
  pci: [], pciProblem: { message: 'This computer’s IOMMU is off, so no PCI device can be passed on.', remedy: 'Switch on “VT-d” or “AMD-Vi” in the firmware set-up of this computer, and add intel_iommu=on to the kernel’s command line.' },
}
