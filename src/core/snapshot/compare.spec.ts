import { expect, test } from 'vitest'
import { DiskLimits, MachineDefinition } from '@shared/model'
import { compareDefinitions, factsOf } from './compare'
import { definitionOf } from './snapshot.fixture'

const own = (path: string) => ({ kind: 'own' as const, path })

/** With something in every list. */
const machine: MachineDefinition = definitionOf({ disk0: 'disks/disk0.qcow2' }, {
  cdroms: [{ id: 'cd0', image: { kind: 'external', path: '/isos/debian.iso' }, bus: 'sata' }],
  nics: [{ id: 'nic0', model: 'virtio-net', macAddress: '52:54:00:00:00:01', backend: { type: 'user' }, linkUp: true, slot: null }],
  usbDevices: [{ id: 'usb0', vendorId: '046d', productId: 'c52b', name: 'Receiver', port: null, slot: null }],
  sharedFolders: [{ id: 'share0', tag: 'music', path: '/music', readOnly: true, driver: '9p', slot: null }], pciDevices: [{ id: 'card', address: '0000:01:00.0', name: 'I350', slot: null }],
})

const noLimits = DiskLimits.parse({})

function difference(changes: Partial<MachineDefinition>): string[] {
  return compareDefinitions(machine, { ...machine, ...changes }).map(({ label, then, now }) => `${label}: ${then ?? '-'} → ${now ?? '-'}`)
}

test('hardware is compared in words', () => {
  expect(difference({ memoryMiB: 4096 })).toEqual(['Memory: 2,048 MiB → 4,096 MiB'])
  expect(difference({ processors: { sockets: 1, cores: 4, threads: 2, model: 'host', features: [], priority: 'normal', limitPercent: null, maximum: null, plugged: 0 } })).toEqual(['Processors: 2 (1 socket, 2 cores, 1 thread) → 8 (1 socket, 4 cores, 2 threads)', 'Processor model: Best available → host'])
  expect(difference({ firmware: { type: 'uefi', secureBoot: true, nvram: 'firmware/nvram.qcow2' } })).toEqual(['Firmware: BIOS → UEFI with Secure Boot'])
  expect(difference({ boot: { order: ['cd0', 'disk0'], menu: true, kernel: { kernel: own('vmlinuz'), initrd: null, commandLine: 'quiet' } } })).toEqual([
    'Starts from: Nothing → cd0, disk0', 'Boot menu: No → Yes', 'Kernel: - → vmlinuz',
  ])
  expect(difference({ display: { model: 'none', heads: 1, resolution: null, acceleration3d: false }, serialPorts: 2, guestAgent: false })).toEqual(['Display: virtio-vga → None', 'Serial ports: 1 → 2', 'Guest agent: Yes → No'])
})

test('what was added later is told too', () => {
  expect(difference({ memory: { maximumMiB: 8192, pluggedMiB: 1024, targetMiB: null, hugePages: true, shared: true } })).toEqual(
    ['Memory that can be plugged in: - → Up to 8,192 MiB', 'Memory plugged in: 0 MiB → 1,024 MiB', 'Huge pages: No → Yes', 'Shared memory: No → Yes'])
  expect(difference({ processors: { ...machine.processors, features: ['+aes', '-avx2'], priority: 'low' } })).toEqual(['Processor features: Those of the model → +aes -avx2', 'Priority: Normal → Low'])
  expect(difference({ display: { model: 'virtio-vga', heads: 2, resolution: { width: 1280, height: 800 }, acceleration3d: false } })).toEqual(['Screens: 1 → 2', 'Resolution: The device’s own → 1280 × 800'])
  expect(difference({ virtioConsoles: 1, sound: { model: 'ac97' }, watchdog: { model: 'i6300esb', action: 'reset' }, panicDevice: true, vsock: { cid: 7, slot: null }, usbController: 'ehci', rawArguments: ['-msg', 'guest-name=on'] })).toEqual([
    'VirtIO consoles: 0 → 1', 'Sound: - → ac97', 'Watchdog: - → i6300esb, reset', 'Panic device: No → Yes', 'Sockets between guest and host: - → Guest number 7', 'USB controller: XHCI → EHCI',
    'Arguments of your own: - → -msg guest-name=on',
  ])
  expect(difference({ usbDevices: [], sharedFolders: [{ id: 'share0', tag: 'songs', path: '/music', readOnly: false, driver: 'auto', slot: null }] })).toEqual(
    ['USB device “usb0”: 046d:c52b Receiver → -', 'Shared folder “share0”: Read-only, /music → /music', 'Shared folder “share0”: tag: music → songs', 'Shared folder “share0”: way: 9p → Best available'])
})

test('devices of the host are told by what they are', () => {
  expect(difference({ usbDevices: [{ id: 'usb0', vendorId: '046d', productId: 'c52b', name: '', port: '1-4.2', slot: null }], pciDevices: [] })).toEqual(['USB device “usb0”: 046d:c52b Receiver → 046d:c52b, in port 1-4.2 only', 'Device of this computer “card”: 0000:01:00.0 I350 → -'])
})

test('devices that came, went or changed are told once each', () => {
  const [disk] = machine.disks
  const [cdrom] = machine.cdroms
  const [nic] = machine.nics
  if (disk === undefined || cdrom === undefined || nic === undefined) throw new Error('The machine has no devices.')
  expect(difference({ disks: [disk, { ...disk, id: 'disk1', readOnly: true }] })).toEqual(['Disk “disk1”: - → Read-only, virtio-blk'])
  expect(difference({ disks: [] })).toEqual(['Disk “disk0”: virtio-blk → -'])
  expect(difference({ disks: [{ ...disk, bus: 'sata', cache: 'none' }] })).toEqual(['Disk “disk0”: virtio-blk → sata', 'Disk “disk0”: cache: Best available → none'])
  expect(difference({ cdroms: [{ ...cdrom, image: null }] })).toEqual(['CD drive “cd0”: disc: /isos/debian.iso → Empty'])
  expect(difference({ disks: [{ ...disk, detectZeroes: 'on', aio: 'threads', serial: 'WD-1', limits: { ...noLimits, bytesPerSecond: 1_000_000, writesPerSecond: 50 } }] })).toEqual([
    'Disk “disk0”: zeroes: As space is given back → on', 'Disk “disk0”: access: Best available → threads', 'Disk “disk0”: serial number: disk0 → WD-1',
    'Disk “disk0”: limits: None → 1,000,000 bytes a second, writes 50 requests a second',
  ])
  expect(difference({ nics: [{ ...nic, linkUp: false, slot: 2 }] })).toEqual(['Network card “nic0”: cable: Plugged in → Pulled out'])
  expect(difference({ nics: [{ ...nic, macAddress: '52:54:00:00:00:02' }] })).toEqual(['Network card “nic0”: address: 52:54:00:00:00:01 → 52:54:00:00:00:02'])
})

test('a disk in other layers is the same disk, and one that was converted is not', () => {
  const [disk] = machine.disks
  if (disk === undefined) throw new Error('The machine has no disk.')
  expect(difference({ disks: [{ ...disk, image: own('disks/disk0.1a2b3c4d.qcow2') }] })).toEqual([])
  expect(difference({ disks: [{ ...disk, image: { kind: 'external', path: '/old/disk.vmdk' }, format: 'vmdk' }] })).toEqual(['Disk “disk0”: file: The machine’s own → /old/disk.vmdk', 'Disk “disk0”: format: qcow2 → vmdk'])
})

test('who the machine is makes no difference', () => {
  expect(difference({ name: 'other', notes: 'new', createdBy: 'ringside 9', snapshotParentId: machine.id, template: true, snapshotPolicy: { every: 'day', keep: { hourly: 0, daily: 1, weekly: 0 }, memory: false } })).toEqual([])
})

test('every part of a definition is compared, or stays the machine’s own', () => {
  // Places that devices left empty are the run's, and what they stood for is told by the devices.
  const staysOwn = ['emptyPlaces', 'tabletPort', 'schemaVersion', 'createdBy', 'id', 'name', 'notes', 'createdAt', 'snapshotParentId', 'template', 'origin', 'snapshotPolicy', 'backupPolicy']
  const compared = new Set(factsOf(machine).map(({ path }) => path.split('.')[0]))
  expect(Object.keys(MachineDefinition.shape).filter((field) => !staysOwn.includes(field) && !compared.has(field))).toEqual([])
})
