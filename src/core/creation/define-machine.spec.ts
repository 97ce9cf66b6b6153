import { describe, expect, test } from 'vitest'
import { CreateMachineRequest, DiskBus, DisplayModel, HardwareOverrides, MachineDefinition, machineSchemaVersion, NicModel, type QemuReport } from '@shared/model'
import { loadCatalog, osEntry } from '../catalog'
import {
  type MachineBlueprint,
  type MachinePlan,
  defineMachine,
  diskDevices,
  displayDevices,
  nicDevices,
  versionedMachineType,
} from './define-machine'
import { fullQemu } from './qemu.fixture'

const catalog = loadCatalog()

function define(osId: string, request: object = {}, more: Partial<MachineBlueprint> = {}): MachinePlan {
  return defineMachine({
    request: CreateMachineRequest.parse({
      name: 'm',
      osId,
      source: { type: 'cdrom', path: '/iso/x.iso' },
      processors: 2,
      memoryMiB: 2048,
      newDiskGiB: 20,
      network: 'user',
      ...request,
    }),
    os: osEntry(catalog, osId),
    qemu: fullQemu,
    bestAccelerator: 'kvm',
    id: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    macAddress: '52:54:00:12:34:56',
    createdAt: '2026-01-02T03:04:05.000Z',
    createdBy: 'ringside test',
    bootable: null,
    ...more,
  })
}

test('a modern Linux from a disc gets the paravirtual devices that it has drivers for', () => {
  const { definition, disks } = define('debian-13')
  expect(definition).toEqual({
    schemaVersion: machineSchemaVersion,
    createdBy: 'ringside test',
    id: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    name: 'm',
    notes: '',
    createdAt: '2026-01-02T03:04:05.000Z',
    osId: 'debian-13',
    engine: 'qemu',
    accelerator: 'auto',
    machineType: 'pc-q35-7.2',
    firmware: { type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.qcow2' },
    processors: { sockets: 1, cores: 2, threads: 1, model: 'auto', features: [], priority: 'normal', limitPercent: null, maximum: null, plugged: 0 },
    memoryMiB: 2048,
    memory: { maximumMiB: null, pluggedMiB: 0, targetMiB: null, hugePages: false, shared: false },
    clock: 'utc',
    boot: { order: ['disk0', 'cdrom0'], menu: false, kernel: null },
    disks: [
      {
        id: 'disk0',
        image: { kind: 'own', path: 'disks/disk0.qcow2' },
        format: 'qcow2',
        bus: 'virtio-blk',
        readOnly: false,
        cache: 'auto',
        discard: true,
        detectZeroes: 'auto',
        aio: 'auto',
        serial: null,
        limits: null,
        slot: null,
        encrypted: false,
      },
    ],
    ioThread: 'auto',
    cdroms: [{ id: 'cdrom0', image: { kind: 'external', path: '/iso/x.iso' }, bus: 'sata' }],
    nics: [{ id: 'nic0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' }, linkUp: true, slot: null }],
    display: { model: 'virtio-vga', heads: 1, resolution: null, acceleration3d: false },
    pointer: 'tablet',
    serialPorts: 1,
    virtioConsoles: 0,
    sound: null,
    watchdog: null,
    panicDevice: false,
    vsock: null,
    usbController: 'xhci',
    usbDevices: [],
    sharedFolders: [],
    pciDevices: [],
    tpm: null,
    rawArguments: [],
    guestAgent: true,
    clipboard: true,
    randomNumbers: true,
    balloon: true,
    snapshotParentId: null,
    template: false,
    origin: null,
    snapshotPolicy: null,
    backupPolicy: null,
  })
  expect(disks).toEqual([{ id: 'disk0', how: 'new', to: 'disks/disk0.qcow2', format: 'qcow2', bytes: 20 * 2 ** 30 }])
})

test('a system that comes from its own medium onto an emulated processor gets a card that makes checksums itself', () => {
  const modelOf = (osId: string, request: object, bestAccelerator: 'kvm' | 'tcg' = 'tcg'): string | undefined => define(osId, request, { bestAccelerator }).definition.nics[0]?.model
  expect(modelOf('debian-13', {})).toBe('e1000e')
  expect(modelOf('debian-13', { source: { type: 'blank' } })).toBe('e1000e')
  expect(modelOf('debian-13', { hardware: { accelerator: 'tcg' } }, 'kvm')).toBe('e1000e')
  expect(modelOf('debian-13', { hardware: { nicModel: 'virtio-net' } })).toBe('virtio-net')
  // A disk from elsewhere may hold a kernel for clouds, without a driver for it.
  expect(modelOf('debian-13', { source: { type: 'disk', path: '/x.qcow2', format: 'qcow2', mode: 'copy' } })).toBe('virtio-net')
  expect(modelOf('haiku', {})).toBe('virtio-net')
})

test('Windows 11 gets what is in its box: AHCI, e1000e, UEFI, local time', () => {
  expect(define('windows-11').definition).toMatchObject({
    firmware: { type: 'uefi' },
    clock: 'localtime',
    disks: [{ bus: 'sata' }],
    cdroms: [{ bus: 'sata' }],
    nics: [{ model: 'e1000e' }],
    display: { model: 'vga' },
    pointer: 'tablet',
  })
})

test('Windows XP and DOS get a board of their time', () => {
  expect(define('windows-xp').definition).toMatchObject({
    machineType: 'pc-i440fx-7.2',
    firmware: { type: 'bios' },
    disks: [{ bus: 'ide' }],
    cdroms: [{ bus: 'ide' }],
    nics: [{ model: 'rtl8139' }],
    guestAgent: false,
    balloon: false,
  })
  expect(define('freedos').definition).toMatchObject({ machineType: 'pc-i440fx-7.2', pointer: 'ps2', clock: 'localtime' })
})

describe('the source', () => {
  test('a kernel is loaded directly, with BIOS, and boots first', () => {
    const { definition } = define('debian-13', { source: { type: 'kernel', kernel: '/k', initrd: '/i', commandLine: 'console=ttyS0' } })
    expect(definition).toMatchObject({
      firmware: { type: 'bios' },
      cdroms: [],
      boot: {
        order: ['disk0'],
        kernel: { kernel: { kind: 'external', path: '/k' }, initrd: { kind: 'external', path: '/i' }, commandLine: 'console=ttyS0' },
      },
    })
    expect(
      define('debian-13', { source: { type: 'kernel', kernel: '/k', initrd: null, commandLine: '' } }).definition.boot.kernel?.initrd,
    ).toBeNull()
  })

  test('the network is tried after the empty disk', () => {
    expect(define('debian-13', { source: { type: 'network' } }).definition.boot.order).toEqual(['disk0', 'nic0'])
    expect(define('debian-13', { source: { type: 'network' }, network: 'none' }).definition).toMatchObject({
      nics: [],
      boot: { order: ['disk0'] },
    })
  })

  test('a blank machine has an empty drive for a disc', () => {
    expect(define('debian-13', { source: { type: 'blank' } }).definition.cdroms).toEqual([{ id: 'cdrom0', image: null, bus: 'sata' }])
  })

  test.each([
    [
      'inPlace',
      { id: 'disk0', how: 'inPlace', path: '/d/x.vmdk', format: 'vmdk' },
      { image: { kind: 'external', path: '/d/x.vmdk' }, format: 'vmdk' },
    ],
    [
      'copy',
      { id: 'disk0', how: 'copy', from: '/d/x.vmdk', fromFormat: 'vmdk', to: 'disks/disk0.vmdk', format: 'vmdk' },
      { image: { kind: 'own', path: 'disks/disk0.vmdk' }, format: 'vmdk' },
    ],
    [
      'convert',
      { id: 'disk0', how: 'convert', from: '/d/x.vmdk', fromFormat: 'vmdk', to: 'disks/disk0.qcow2', format: 'qcow2' },
      { image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2' },
    ],
  ])('an existing disk is used by %s, with a new one beside it when asked for', (mode, plan, disk) => {
    const source = { type: 'disk', path: '/d/x.vmdk', format: 'vmdk', mode }
    expect(define('debian-13', { source, newDiskGiB: null })).toMatchObject({
      disks: [plan],
      definition: { disks: [disk], boot: { order: ['disk0'] } },
    })
    expect(define('debian-13', { source, newDiskGiB: 1.5 }).disks[1]).toEqual({
      id: 'disk1',
      how: 'new',
      to: 'disks/disk1.qcow2',
      format: 'qcow2',
      bytes: 1.5 * 2 ** 30,
    })
  })

  test('a size that is no whole number of mebibytes is rounded, never to nothing', () => {
    expect(define('other', { newDiskGiB: 0.00001 }).disks).toMatchObject([{ bytes: 2 ** 20 }])
    expect(define('other', { newDiskGiB: 1 / 3 }).disks).toMatchObject([{ bytes: 341 * 2 ** 20 }])
  })
})

describe('the firmware', () => {
  const none: QemuReport = { ...fullQemu, firmware: [] }

  test.each([
    ['as chosen', 'debian-13', { hardware: { firmware: 'bios' } }, { bios: false, uefi: true }, fullQemu, 'bios'],
    ['what the disc starts with', 'debian-13', {}, { bios: true, uefi: false }, fullQemu, 'bios'],
    ['what the disc starts with', 'freebsd', {}, { bios: false, uefi: true }, fullQemu, 'uefi'],
    ['what suits the system when the disc starts with both', 'debian-13', {}, { bios: true, uefi: true }, fullQemu, 'uefi'],
    ['BIOS where there is no UEFI', 'debian-13', {}, { bios: true, uefi: true }, none, 'bios'],
    ['UEFI where nothing else will do', 'windows-11', {}, { bios: true, uefi: false }, none, 'uefi'],
    ['BIOS on an old board', 'windows-xp', {}, { bios: false, uefi: true }, fullQemu, 'bios'],
  ] as const)('is %s', (_why, osId, request, bootable, qemu, expected) => {
    expect(define(osId, request, { bootable, qemu }).definition.firmware.type).toBe(expected)
  })
})

test('Windows 11 gets Secure Boot and a TPM where this computer has them, and others where they are asked for', () => {
  const able: QemuReport = {
    ...fullQemu, features: { tpmEmulator: true }, devices: [...fullQemu.devices, 'tpm-crb'], tpm: { program: { path: '/usr/bin/swtpm', version: '0.7.1', versions: ['2.0'] }, obstacle: null, remedy: null },
    firmware: [...fullQemu.firmware, ...fullQemu.firmware.map((image) => ({ ...image, secureBoot: true, enrolledKeys: true, requiresSmm: true }))],
  }
  const made = define('windows-11', {}, { qemu: able }).definition
  expect(made).toMatchObject({ firmware: { type: 'uefi', secureBoot: true }, tpm: { version: '2.0', model: 'tpm-crb', state: `tpm/${made.id.slice(0, 8)}` } })
  expect(define('windows-11').definition).toMatchObject({ firmware: { type: 'uefi', secureBoot: false }, tpm: null })
  expect(define('debian-13', {}, { qemu: able }).definition).toMatchObject({ firmware: { secureBoot: false }, tpm: null })
  expect(define('debian-13', { hardware: { tpm: 'on', secureBoot: 'on' } }, { qemu: able }).definition).toMatchObject({ firmware: { secureBoot: true }, tpm: { version: '2.0' } })
  expect(define('windows-11', { hardware: { tpm: 'off', secureBoot: 'off' } }, { qemu: able }).definition).toMatchObject({ firmware: { secureBoot: false }, tpm: null })
})

test('what the person changed wins over what suits the system', () => {
  const hardware: Required<HardwareOverrides> = {
    accelerator: 'tcg',
    firmware: 'bios',
    secureBoot: 'off',
    tpm: 'off',
    diskBus: 'nvme',
    nicModel: 'vmxnet3',
    display: 'none',
    cpuModel: 'Haswell',
  }
  expect(Object.keys(hardware).sort()).toEqual(Object.keys(HardwareOverrides.shape).sort())
  expect(define('windows-11', { hardware, processors: 3 }).definition).toMatchObject({
    accelerator: 'tcg',
    firmware: { type: 'bios' },
    disks: [{ bus: 'nvme' }],
    nics: [{ model: 'vmxnet3' }],
    display: { model: 'none' },
    processors: { sockets: 1, cores: 3, threads: 1, model: 'Haswell' },
  })
  expect(define('debian-13', { hardware: { diskBus: 'ide' } }).definition).toMatchObject({
    machineType: 'pc-q35-7.2',
    disks: [{ bus: 'ide' }],
  })
})

test('every choice of the model has the device that QEMU must have for it', () => {
  expect(Object.keys(diskDevices).sort()).toEqual([...DiskBus.options].sort())
  expect(Object.keys(nicDevices).sort()).toEqual([...NicModel.options].sort())
  expect([...Object.keys(displayDevices), 'none'].sort()).toEqual([...DisplayModel.options].sort())
})

test('a default that this QEMU lacks gives way to one that every QEMU has', () => {
  const qemu: QemuReport = { ...fullQemu, devices: ['ide-hd', 'e1000', 'VGA'] }
  expect(define('debian-13', {}, { qemu }).definition).toMatchObject({
    disks: [{ bus: 'sata' }],
    nics: [{ model: 'e1000' }],
    display: { model: 'vga' },
  })
})

test('the machine type is versioned: the alias, else the newest; and none is said in words', () => {
  expect(versionedMachineType(fullQemu, 'q35')).toBe('pc-q35-7.2')
  const type = (name: string): QemuReport['machineTypes'][number] => ({
    name,
    alias: null,
    isDefault: false,
    maxCpus: 1,
    deprecated: false,
  })
  expect(versionedMachineType({ machineTypes: ['pc-q35-9.2', 'pc-q35-10.1', 'pc-i440fx-10.2'].map(type) }, 'q35')).toBe('pc-q35-10.1')
  expect(() => versionedMachineType({ machineTypes: [type('microvm')] }, 'q35')).toThrow('This QEMU has no “q35” machine.')
})

test.each(catalog.entries.map((entry) => entry.id))('%s makes a definition that can be stored', (osId) => {
  const { definition } = define(osId)
  expect(MachineDefinition.parse(JSON.parse(JSON.stringify(definition)))).toEqual(definition)
})
