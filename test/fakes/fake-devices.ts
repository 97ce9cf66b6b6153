import type { HostDevices } from '@shared/model'

/** A computer with a few things at its ports: one of each kind that the pages tell apart. */
export function fakeDevices(): HostDevices {
  return {
    usb: [
      { vendorId: '046d', productId: 'c52b', vendor: 'Logitech', product: 'USB Receiver', serial: null, port: '1-4.2', obstacle: null },
      { vendorId: '0781', productId: '5567', vendor: 'SanDisk', product: 'Cruzer Blade', serial: '4C530001', port: '2-1', obstacle: null },
      { vendorId: '1050', productId: '0407', vendor: 'Yubico', product: 'YubiKey OTP+FIDO+CCID', serial: null, port: '1-3', obstacle: { message: 'You may not use this device: /dev/bus/usb/001/007 is not yours to write to.', remedy: 'Give it to whoever sits at this computer: a rule of udev does that.' } },
    ],
    usbProblem: null,
    pci: [
      { address: '0000:01:00.0', kind: 'VGA compatible controller', name: 'NVIDIA Corporation GA104 [GeForce RTX 3070]', vendorId: '10de', deviceId: '2484', driver: 'vfio-pci', group: 15, companions: ['0000:01:00.1'], obstacle: null, warnings: ['This computer can’t use the device while the machine runs.', 'The machine can’t be saved to disk, and its snapshots are of the disks only.'] },
      { address: '0000:02:00.0', kind: 'Ethernet controller', name: 'Intel Corporation I350 Gigabit Network Connection', vendorId: '8086', deviceId: '1521', driver: 'igb', group: 16, companions: [], obstacle: { message: 'This computer uses it, with the driver igb.', remedy: 'Hand it over until this computer starts again: sudo modprobe vfio-pci' }, warnings: ['This computer’s network over it ends.'] },
    ],
    pciProblem: null,
  }
}
