import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { MachineDefinition } from '@shared/model'
import { usbPorts } from '../../empty-places'
import { withLiveChange } from '../../live-change'
import { argvInput, desktop, fullQemu, image } from './argv.fixture'
import { wholeQemu } from '../limits/limits.fixture'
import { buildArgv, placeOfSlot } from './build-argv'
import type { ArgvInput } from './input'

const goldenFolder = join(import.meta.dirname, '../../../../../test/golden/argv')

/** One option a line, its value behind it. `UPDATE_GOLDEN=1` writes the files anew: read the difference before it is committed. */
function expectGolden(name: string, input: ArgvInput): string[] {
  const { argv } = buildArgv(input)
  const text = `${argv.join('\n').replaceAll(/\n(?!-)/gu, ' ')}\n`
  const path = join(goldenFolder, `${name}.argv`)
  if (process.env['UPDATE_GOLDEN'] !== undefined) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  expect(text).toBe(readFileSync(path, 'utf8'))
  return argv
}

const windows11 = {
  ...desktop, name: 'Windows 11', osId: 'windows-11', firmware: { type: 'uefi' as const, secureBoot: true }, clock: 'localtime' as const,
  processors: { sockets: 1, cores: 2, threads: 2 }, memoryMiB: 8192,
  disks: [{ ...desktop.disks?.[0], id: 'disk0', image: { kind: 'own' as const, path: 'disks/disk0.qcow2' }, format: 'qcow2' as const, bus: 'sata' as const }],
  nics: [{ id: 'net0', model: 'e1000e' as const, macAddress: '52:54:00:12:34:56', backend: { type: 'user' as const } }],
  display: { model: 'vga' as const },
}

test('a desktop Linux guest on Linux with KVM', () => { expectGolden('linux-kvm', argvInput(desktop, { accelerator: 'kvm' })) })

test('the same on macOS with HVF: no sandbox, no Linux I/O, QEMU\'s own firmware', () => {
  const firmware = fullQemu.firmware.slice(1).map((plain) => ({ ...plain, codePath: '/opt/homebrew/share/qemu/edk2-x86_64-code.fd', varsTemplatePath: '/opt/homebrew/share/qemu/edk2-i386-vars.fd' }))
  const base = argvInput(desktop, { accelerator: 'hvf', platform: 'darwin', qemu: { ...fullQemu, features: {}, firmware } })
  expectGolden('macos-hvf', { ...base, images: { disk0: image('/Users/me/disk0.qcow2', { directIo: false }), cd0: image('/Users/me/debian.iso', { directIo: false }) } })
})

test('the same on Windows with WHPX: guarded ports instead of sockets', () => {
  const firmware = fullQemu.firmware.slice(1).map((plain) => ({ ...plain, codePath: 'C:\\Program Files\\qemu\\share\\edk2-x86_64-code.fd' }))
  const base = argvInput(desktop, { accelerator: 'whpx', platform: 'win32', qemu: { ...fullQemu, features: {}, firmware } })
  const argv = expectGolden('windows-whpx', { ...base, images: { disk0: image('C:\\VMs\\disk0.qcow2', { directIo: false }), cd0: image('D:\\debian.iso', { directIo: false }) } })
  expect(argv.join(' ')).not.toContain('00112233')
})

test('the same in software', () => { expectGolden('linux-tcg', argvInput(desktop)) })

test('Windows 11 on KVM: secure boot, Hyper-V interfaces, local time, drivers that Windows brings', () => {
  expectGolden('windows-11-guest', argvInput(windows11, { accelerator: 'kvm' }))
})

test('a kernel booted directly', () => {
  expectGolden('kernel', argvInput({
    ...desktop, firmware: { type: 'bios' }, disks: [], cdroms: [], nics: [], display: { model: 'none' }, balloon: false, clipboard: false, guestAgent: false, randomNumbers: false,
    boot: { kernel: { kernel: { kind: 'external', path: '/boot/vmlinuz' }, initrd: { kind: 'external', path: '/boot/initrd.img' }, commandLine: 'console=ttyS0 panic=-1' } },
  }, { kernel: { kernel: '/boot/vmlinuz', initrd: '/boot/initrd.img' } }))
})

test('an encrypted disk with a snapshot below: the key comes as a file without a name, and opens every layer', () => {
  const layered = { ...image('/home/me/Ringside/library/debian/disks/disk0.a1b2c3d4.qcow2'), backing: [{ path: '/home/me/Ringside/library/debian/disks/disk0.qcow2', format: 'qcow2' as const, driver: 'file' as const, own: true }] }
  const encrypted = { ...desktop, cdroms: [], disks: desktop.disks?.map((disk) => ({ ...disk, encrypted: true })) }
  const input = argvInput(encrypted, { qemu: { ...fullQemu, features: { ...fullQemu.features, luks: true } } })
  expectGolden('encrypted', { ...input, images: { disk0: layered } })
  expect(() => buildArgv({ ...input, qemu: fullQemu })).toThrow('built without encryption of disks')
})

test('the sample machine: BIOS, one raw disk on IDE', () => {
  expectGolden('sample', argvInput({
    ...desktop, name: 'Sample', osId: 'sample', firmware: { type: 'bios' }, memoryMiB: 16, processors: { sockets: 1, cores: 1, threads: 1 }, pointer: 'ps2', cdroms: [], nics: [],
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.img' }, format: 'raw', bus: 'ide' }], boot: { order: ['disk0'] },
    display: { model: 'vga' }, balloon: false, clipboard: false, guestAgent: false, randomNumbers: false,
  }))
})

test('many devices: every bus, every card, overlays, an empty drive', () => {
  const buses = ['virtio-blk', 'virtio-scsi', 'sata', 'nvme', 'ide', 'usb'] as const
  const models = ['virtio-net', 'e1000e', 'e1000', 'rtl8139', 'vmxnet3'] as const
  const base = argvInput({
    ...desktop, firmware: { type: 'bios' }, serialPorts: 4, display: { model: 'qxl-vga' },
    disks: [
      ...buses.map((bus, index) => ({ id: `disk${String(index)}`, image: { kind: 'own' as const, path: `disks/${bus}.qcow2` }, format: 'qcow2' as const, bus })),
      ...Array.from({ length: 7 }, (_, index) => ({ id: `sata${String(index)}`, image: { kind: 'own' as const, path: `disks/s${String(index)}.img` }, format: 'raw' as const, bus: 'sata' as const, readOnly: index === 0, discard: false, cache: 'writeback' as const })),
    ],
    cdroms: [
      ...(['sata', 'ide', 'virtio-scsi', 'usb'] as const).map((bus) => ({ id: `cd-${bus}`, image: { kind: 'external' as const, path: `/isos/${bus}.iso` }, bus })),
      { id: 'empty', image: null, bus: 'sata' },
    ],
    nics: models.map((model, index) => ({ id: `net${String(index)}`, model, macAddress: `52:54:00:12:34:0${String(index)}`, backend: { type: 'user' as const } })),
    boot: { order: ['net0', 'disk5', 'cd-usb'], menu: true },
  })
  const overlay = image('/library/top.qcow2', { backing: [{ path: '/library/middle.qcow2', format: 'qcow2', driver: 'file', own: true }, { path: '/base/base.img', format: 'raw', driver: 'file', own: false }] })
  expectGolden('many-devices', { ...base, images: { ...base.images, disk0: overlay, disk1: image('/dev/sdb', { driver: 'host_device' }) }, endpoints: { ...base.endpoints, debugMonitor: { kind: 'unix', path: '/run/user/1000/ringside/6f9619ff/hmp' } } })
})

test('an old board: one PCI bus, IDE of its own', () => {
  expectGolden('i440fx', argvInput({
    ...desktop, machineType: 'pc-i440fx-7.2', firmware: { type: 'bios' }, display: { model: 'vga' },
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'ide' }],
    cdroms: [{ id: 'cd0', image: null, bus: 'ide' }, { id: 'cd1', image: null, bus: 'sata' }],
    nics: [{ id: 'net0', model: 'rtl8139', macAddress: '52:54:00:12:34:56', backend: { type: 'user' } }],
  }))
})

test('hostile names reach QEMU as they are, and nothing of them becomes an option', () => {
  const evil = '-x,debug-threads=off,"quoted" \'$(reboot)\' ünïcödé 🖥,'
  const path = '/tmp/a,b=c "d" \\e ünï/,disk,.qcow2'
  const base = argvInput({ ...desktop, name: evil, firmware: { type: 'bios' } })
  const argv = expectGolden('hostile', {
    ...base, images: { disk0: image(path), cd0: image(path) },
    files: { ...base.files, pid: '/run/a,b/pid', serialLogs: ['/logs/a,b/serial0.log'] },
    endpoints: { ...base.endpoints, qmp: { kind: 'unix', path: '/run/a,b/qmp' }, graphics: { kind: 'unix', path: '/run/a,b/vnc' } },
  })
  expect(argv[argv.indexOf('-name') + 1]).toBe('guest=-x,,debug-threads=off,,"quoted" \'$(reboot)\' ünïcödé 🖥,,,debug-threads=on')
  const nodes = argv.filter((_, index) => argv[index - 1] === '-blockdev').map((text) => JSON.parse(text) as { filename?: string })
  expect(nodes.filter((node) => node.filename === path)).toHaveLength(2)
  expect(argv[argv.indexOf('-pidfile') + 1]).toBe('/run/a,b/pid')
})

test('processors that were put in take the places after those of the start, and the board is the same with and without them', () => {
  const build = (plugged: number): string[] => buildArgv(argvInput({ ...desktop, processors: { sockets: 2, cores: 2, threads: 2, maximum: 24, plugged } })).argv
  const argv = build(3)
  const processors = devices(argv).filter(({ driver }) => driver === 'max-x86_64-cpu')
  // The number in -smp decides over the queues of virtio devices, and stays.
  expect(argv[argv.indexOf('-smp') + 1]).toBe('8,sockets=6,cores=2,threads=2,maxcpus=24')
  expect(processors.map((place) => [place['id'], place['socket-id'], place['core-id'], place['thread-id']])).toEqual([['sys-processor8', 2, 0, 0], ['sys-processor9', 2, 0, 1], ['sys-processor10', 2, 1, 0]])
  expect(argv.filter((argument, index) => argument !== '-device' && argv[index - 1] !== '-device')).toEqual(build(0).filter((argument, index, all) => argument !== '-device' && all[index - 1] !== '-device'))
})

test('a restored machine waits for its state and is the same otherwise', () => {
  const { argv } = buildArgv(argvInput(desktop))
  const restored = buildArgv(argvInput(desktop, { incoming: true }))
  expect(restored.argv).toEqual([...argv, '-incoming', 'defer'])
})

test('secrets are never on the command line', () => {
  const { argv } = buildArgv(argvInput(desktop, { platform: 'win32' }))
  expect(argv.some((argument) => argument.includes('00112233445566'))).toBe(false)
})

test.each([
  ['a board that this QEMU does not know', { machineType: 'pc-q35-99.0' }, {}, 'CAPABILITY_MISSING', 'pc-q35-99.0'],
  ['more processors than the board takes', { processors: { sockets: 1, cores: 256, threads: 2 } }, {}, 'INVALID_INPUT', '512 processors'],
  ['UEFI without firmware', {}, { qemu: { ...fullQemu, firmware: [] } }, 'CAPABILITY_MISSING', 'UEFI'],
  ['secure boot without its firmware', { firmware: { type: 'uefi' as const, secureBoot: true } }, { qemu: { ...fullQemu, firmware: fullQemu.firmware.slice(1) } }, 'CAPABILITY_MISSING', 'secure boot'],
  ['a device that was left out of the build', {}, { qemu: { ...fullQemu, devices: fullQemu.devices.filter((name) => name !== 'virtio-vga') } }, 'CAPABILITY_MISSING', 'virtio-vga'],
  ['two devices of one id', { nics: [{ id: 'disk0', model: 'e1000' as const, macAddress: '52:54:00:12:34:56', backend: { type: 'user' as const } }] }, {}, 'INVALID_INPUT', '“disk0”'],
  ['an id that is not free', { cdroms: [{ id: 'sys-usb', image: null, bus: 'sata' as const }] }, {}, 'INVALID_INPUT', '“sys-usb”'],
  ['five drives on IDE', { cdroms: Array.from({ length: 5 }, (_, n) => ({ id: `cd${String(n)}`, image: null, bus: 'ide' as const })) }, {}, 'INVALID_INPUT', 'four'],
])('%s is refused in words', (_name, definition, changes, code, words) => {
  const thrown = (() => {
    try {
      return buildArgv(argvInput({ ...desktop, ...definition }, changes))
    } catch (error) {
      return error
    }
  })()
  expect(thrown).toMatchObject({ code })
  expect((thrown as Error).message).toContain(words)
})

test('all the hardware that a machine can have', () => {
  expectGolden('all-hardware', argvInput({
    ...desktop, memory: { maximumMiB: 8192, pluggedMiB: 512, hugePages: true, shared: true }, processors: { sockets: 1, cores: 2, threads: 1, model: 'qemu64', features: ['+aes', '-svm'], priority: 'high', maximum: 8, plugged: 2 },
    display: { model: 'qxl-vga', heads: 2, resolution: { width: 1280, height: 720 } }, serialPorts: 1, virtioConsoles: 2, sound: { model: 'ich9-intel-hda' }, watchdog: { model: 'i6300esb', action: 'pause' }, tpm: { model: 'tpm-tis' }, panicDevice: true, vsock: { cid: 42 },
    ioThread: 'on', usbController: 'ehci', usbDevices: [{ id: 'receiver', vendorId: '046d', productId: 'c52b' }], sharedFolders: [{ id: 'music', tag: 'music', path: '/srv/a,b', readOnly: true }, { id: 'work', tag: 'work', path: '/work', readOnly: false }, { id: 'fast', tag: 'fast', path: '/fast', readOnly: false, driver: 'virtiofs' }],
    disks: [
      { id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', serial: 'WD-1', aio: 'threads', detectZeroes: 'on', limits: { bytesPerSecond: 1000 } },
      { id: 'card', image: { kind: 'own', path: 'disks/card.img' }, format: 'raw', bus: 'sd', aio: 'native', detectZeroes: 'off' },
      { id: 'floppy0', image: { kind: 'own', path: 'disks/floppy.img' }, format: 'raw', bus: 'floppy', aio: 'io_uring', discard: false, detectZeroes: 'unmap' },
    ],
    nics: (['igb', 'pcnet', 'ne2k_pci'] as const).map((model, index) => ({ id: `net${String(index)}`, model, macAddress: `52:54:00:12:34:0${String(index)}`, backend: { type: 'user' as const }, linkUp: index > 0 })),
    boot: { order: ['floppy0', 'disk0'] }, rawArguments: ['-msg-of-mine', 'x=y', '-s'],
  }, { qemu: wholeQemu, audioDriver: 'pa', virtiofs: { fast: '/run/user/1000/ringside/6f9619ff/fs2' } }))
})

test('the thread of the disks is there where it is wanted', () => {
  const linesOf = (ioThread: 'auto' | 'on' | 'off', accelerator: 'kvm' | 'tcg'): string[] => buildArgv(argvInput({ ...desktop, ioThread }, { accelerator })).argv.flatMap((word) => (word.includes('virtio-serial') ? [] : /iothread|ioeventfd/u.exec(word) ?? []))
  for (const accelerator of ['kvm', 'tcg'] as const) expect(linesOf('on', accelerator)).toEqual(['iothread', 'iothread'])
  expect([linesOf('auto', 'kvm'), linesOf('off', 'kvm'), linesOf('auto', 'tcg'), linesOf('off', 'tcg')]).toEqual([['iothread', 'iothread'], [], ['ioeventfd'], ['ioeventfd']])
})

test('an emulated processor serves the channels itself', () => {
  const controller = (accelerator: 'kvm' | 'tcg'): unknown => buildArgv(argvInput(desktop, { accelerator })).argv.flatMap((word) => (word.includes('virtio-serial') ? [JSON.parse(word) as unknown] : []))
  expect(controller('tcg')).toEqual([expect.objectContaining({ ioeventfd: false })])
  expect(controller('kvm')).toEqual([expect.not.objectContaining({ ioeventfd: false })])
})

test('a network keeps its number when a card leaves, so that saved memory finds the others', () => {
  const [card] = desktop.nics ?? []
  const networksOf = (change: Partial<MachineDefinition>): string[] => buildArgv(argvInput({ ...desktop, ...change })).argv.flatMap((word) => /"id":"(sys-[a-z-]*net\d+)"/u.exec(word)?.[1] ?? [])
  const plugged = (id: string, slot: number): object => ({ ...card, id, slot })
  expect(networksOf({})).toEqual(['sys-net0'])
  expect(networksOf({ emptyPlaces: [{ kind: 'nic', at: 0 }] })).toEqual(['sys-net0', 'sys-net1'])
  expect(networksOf({ nics: [card, plugged('net9', 2)] as MachineDefinition['nics'] })).toEqual(['sys-net0', 'sys-spare-net0', 'sys-spare-net1', 'sys-spare-net2'])
  expect(networksOf({ nics: [card, plugged('net9', 1), plugged('net8', 0)] as MachineDefinition['nics'] })).toEqual(['sys-net0', 'sys-spare-net0', 'sys-spare-net1'])
})

test('graphics that this computer’s processor draws', () => {
  expectGolden('accelerated-graphics', argvInput({ ...desktop, display: { model: 'virtio-vga', acceleration3d: true } }, { qemu: wholeQemu }))
})

test.each([
  ['intel-hda', ['intel-hda', 'hda-duplex']], ['ac97', ['AC97']], ['es1370', ['ES1370']], ['virtio-sound', ['virtio-sound-pci']], ['usb-audio', ['usb-audio']],
] as const)('the sound card %s has its devices, and its sound goes somewhere', (model, drivers) => {
  const { argv, notes } = buildArgv(argvInput({ ...desktop, sound: { model } }, { qemu: wholeQemu }))
  for (const driver of drivers) expect(devices(argv).map((device) => device['driver'])).toContain(driver)
  expect(argv[argv.indexOf('-audiodev') + 1]).toBe('driver=none,id=sys-audio')
  expect(devices(argv).find((device) => device['driver'] === drivers.at(-1))).toMatchObject({ audiodev: 'sys-audio' })
  expect(notes).toEqual([expect.stringContaining('sound')])
})

test('devices of the host’s PCI buses come last of all, and only with KVM', () => {
  const definition = { ...desktop, usbDevices: [{ id: 'plugged', vendorId: '0781', productId: '5567', slot: 0 }, { id: 'key', vendorId: '1050', productId: '0407', port: '1-4.2' }], pciDevices: [{ id: 'gpu', address: '0000:01:00.0' }] }
  expectGolden('passed-devices', argvInput(definition, { qemu: wholeQemu, accelerator: 'kvm' }))
  expect(() => buildArgv(argvInput(definition, { qemu: wholeQemu }))).toThrow('with KVM on Linux only')
  expect(() => placeOfSlot(argvInput(definition, { qemu: wholeQemu }), 1)).not.toThrow()
})

test('an old controller for USB, a watchdog on the old bus, and memory that is shared only', () => {
  const { argv } = buildArgv(argvInput({ ...desktop, usbController: 'uhci', watchdog: { model: 'ib700' }, memory: { shared: true } }, { qemu: wholeQemu }))
  expect(devices(argv)).toContainEqual({ driver: 'piix3-usb-uhci', id: 'sys-usb', bus: 'pcie.0', addr: '0x1d.0x0' })
  expect(devices(argv)).toContainEqual({ driver: 'ib700', id: 'sys-watchdog' })
  expect(argv).toContain('watchdog=reset')
  expect(argv).toContain(JSON.stringify({ 'qom-type': 'memory-backend-memfd', share: true, id: 'pc.ram', size: 4096 * 2 ** 20 }))
})

test('what was plugged in while the machine ran moves nothing else, and is where it was', () => {
  const more = { image: { kind: 'own' as const, path: 'disks/more.qcow2' }, format: 'qcow2' as const }
  const scsi = { ...more, id: 'scsi0', bus: 'virtio-scsi' as const }
  const before = { ...desktop, disks: [...(desktop.disks ?? []), scsi] }
  const plugged = {
    ...before,
    disks: [{ ...more, id: 'hot0', bus: 'virtio-blk' as const, slot: 2 }, ...before.disks, { ...scsi, id: 'hot1', slot: 5 }],
    nics: [{ id: 'hotnet', model: 'virtio-net' as const, macAddress: '52:54:00:12:34:99', backend: { type: 'user' as const }, slot: 0 }, ...(desktop.nics ?? [])],
    vsock: { cid: 9, slot: 1 }, sharedFolders: [{ id: 'hotfolder', tag: 'songs', path: '/music', slot: 3 }],
  }
  const was = devices(buildArgv(argvInput(before, { qemu: wholeQemu })).argv)
  const is = devices(buildArgv(argvInput(plugged, { qemu: wholeQemu })).argv)
  const hot = ['hot0', 'hot1', 'hotnet', 'sys-vsock', 'hotfolder']
  expect(is.filter(({ id }) => !hot.includes(String(id)))).toEqual(was)
  const { id: first } = was.filter(({ driver }) => driver === 'pcie-root-port').at(-4) ?? {}
  expect(is.find(({ id }) => id === 'hotnet')).toMatchObject({ bus: first })
  for (const [id, slot] of [['hotnet', 0], ['sys-vsock', 1], ['hot0', 2], ['hotfolder', 3]] as const) {
    // The same place as while the machine ran, with and without it.
    const { bus } = is.find((device) => device['id'] === id) ?? {}
    expect(placeOfSlot(argvInput(before), slot)).toEqual({ bus })
    expect(placeOfSlot(argvInput(plugged), slot)).toEqual({ bus })
  }
  expect(is.find(({ id }) => id === 'hot1')).toMatchObject({ bus: 'sys-scsi.0', 'scsi-id': 69 })
})

test('what leaves while the machine runs, in whatever order, moves nothing else; without memory the gaps are closed', () => {
  const more = { image: { kind: 'own' as const, path: 'disks/more.qcow2' }, format: 'qcow2' as const }
  const buses = ['virtio-blk', 'virtio-scsi', 'sata', 'nvme', 'usb', 'virtio-scsi', 'virtio-blk'] as const
  const start = argvInput({
    ...desktop, sound: { model: 'usb-audio' }, usbDevices: [{ id: 'usb0', vendorId: '046d', productId: 'c52b' }, { id: 'usb1', vendorId: '046d', productId: 'c52b', slot: 1 }],
    cdroms: [{ id: 'cd0', image: null, bus: 'usb' }, { id: 'cd1', image: null, bus: 'virtio-scsi' }],
    nics: (['virtio-net', 'e1000', 'e1000e', 'virtio-net'] as const).map((model, index) => ({ id: `net${String(index)}`, model, macAddress: `52:54:00:12:34:0${String(index)}`, backend: { type: 'user' as const } })),
    vsock: { cid: 7 }, pciDevices: [{ id: 'pci0', address: '0000:01:00.0' }, { id: 'pci1', address: '0000:02:00.0' }],
    sharedFolders: [{ id: 'fold0', tag: 'a', path: '/a' }, { id: 'fold1', tag: 'b', path: '/b' }, { id: 'fold2', tag: 'c', path: '/c', slot: 3 }, { id: 'fold3', tag: 'd', path: '/d' }],
    disks: [...buses.map((bus, index) => ({ ...more, id: `disk${String(index)}`, bus })), { ...more, id: 'hot0', bus: 'virtio-blk', slot: 1 }, { ...more, id: 'hot1', bus: 'virtio-scsi', slot: 0 }, { ...more, id: 'hot2', bus: 'usb', slot: 0 }],
  }, { qemu: wholeQemu, accelerator: 'kvm' })
  // QEMU gives ports of USB in order; where one is empty, the others are told theirs.
  const places = (definition: MachineDefinition): Map<string, unknown> => new Map(devices(buildArgv({ ...start, definition }).argv).map((device) => {
    const id = String(device['id'])
    return [id, device['bus'] === 'sys-usb.0' ? { ...device, port: String(usbPorts(definition).get(id.replace('sys-bot-', ''))) } : device]
  }))
  const was = places(start.definition)
  const unplug = (kind: 'unplugDisk' | 'unplugNic' | 'unplugUsb' | 'unplugFolder' | 'unplugPci') => (id: string) => ({ kind, id })
  const vsock = { kind: 'unplugVsock', id: 'sys-vsock' } as const
  const changes = [...['disk6', 'disk0', 'disk5', 'disk1', 'disk4', 'disk3', 'hot0', 'hot1'].map(unplug('unplugDisk')), ...['net2', 'net0', 'net3'].map(unplug('unplugNic')), ...['usb0', 'usb1'].map(unplug('unplugUsb')), ...['fold1', 'fold2', 'fold0'].map(unplug('unplugFolder')), vsock, unplug('unplugPci')('pci0')]
  let definition = start.definition
  for (const order of [changes, changes.toReversed()]) {
    definition = start.definition
    const gone = new Set<string>()
    for (const change of order) {
      definition = withLiveChange(definition, change)
      gone.add(change.id)
      expect(places(definition)).toEqual(new Map([...was].filter(([id]) => !gone.has(id))))
      expect(placeOfSlot({ ...start, definition }, 2)).toEqual(placeOfSlot(start, 2))
    }
  }
  expect(definition.emptyPlaces).toContainEqual({ kind: 'disk', bus: 'virtio-scsi', at: 1 })
  const { emptyPlaces: _, ...cold } = definition
  expect(places(cold).size).toBeLessThan(places(definition).size)
})

test('a tablet that came while the machine ran has its port, and so have all others; without memory it is the first', () => {
  const stick = (id: string, slot: number | null = null) => ({ id, image: { kind: 'own' as const, path: `disks/${id}.qcow2` }, format: 'qcow2' as const, bus: 'usb' as const, slot })
  const start = argvInput({ ...desktop, pointer: 'ps2', disks: [stick('disk0'), stick('disk1'), stick('disk2', 0)], cdroms: [], usbDevices: [{ id: 'usb0', vendorId: '046d', productId: 'c52b' }] }, { qemu: wholeQemu })
  const onUsb = (definition: MachineDefinition): Record<string, unknown> => Object.fromEntries(devices(buildArgv({ ...start, definition }).argv).filter(({ bus }) => bus === 'sys-usb.0').map(({ id, port }) => [String(id), port]))
  expect(onUsb(start.definition)).toEqual({ usb0: undefined, disk0: undefined, disk1: undefined, disk2: '8' })
  const there = { usb0: '1', disk0: '2', disk1: '3', disk2: '8' }
  let definition = withLiveChange(start.definition, { kind: 'plugTablet', port: 4 })
  expect(onUsb(definition)).toEqual({ ...there, 'sys-tablet': '4' })
  expectGolden('tablet-plugged', { ...start, definition })
  // Into one that another device has left, and out again.
  definition = withLiveChange(withLiveChange(definition, { kind: 'unplugTablet' }), { kind: 'unplugDisk', id: 'disk0' })
  expect(definition.emptyPlaces).toEqual([{ kind: 'usb', port: 4 }, { kind: 'usb', port: 2 }])
  const { disk0: _, ...rest } = there
  for (const port of [2, 4, 1]) {
    const gone = port === 1 ? withLiveChange(definition, { kind: 'unplugUsb', id: 'usb0' }) : definition
    const plugged = withLiveChange(gone, { kind: 'plugTablet', port })
    const { usb0, ...others } = rest
    expect(onUsb(plugged)).toEqual({ ...(port === 1 ? others : { usb0, ...others }), 'sys-tablet': String(port) })
    expect(onUsb(withLiveChange(plugged, { kind: 'unplugTablet' }))).toEqual(onUsb(gone))
  }
  const { emptyPlaces: __, tabletPort: ___, ...cold } = withLiveChange(definition, { kind: 'plugTablet', port: 2 })
  expect(onUsb(cold)).toEqual({ 'sys-tablet': undefined, usb0: undefined, disk1: undefined, disk2: '8' })
})

test('a board with spare ports has file systems for the folders that come; each is a link to none until then', () => {
  const shares = (more: object, changes: Parameters<typeof argvInput>[1] = {}): string[] => buildArgv(argvInput({ ...desktop, ...more }, { qemu: wholeQemu, ...changes })).argv.filter((text) => text.startsWith('local,'))
  expect(shares({})).toEqual(['off', 'on'].map((readOnly) => `local,id=sys-share${readOnly === 'on' ? '-readonly' : ''},path=/run/user/1000/ringside/6f9619ff/share,security_model=mapped-xattr,multidevs=remap,readonly=${readOnly}`))
  expect(shares({ machineType: 'pc-i440fx-7.2', firmware: { type: 'bios' } })).toEqual([])
  expect(shares({}, { platform: 'win32' })).toEqual([])
  expect(shares({}, { qemu: fullQemu })).toEqual([])
})

test('a controller stays on the board of what ran when nothing is on it any more', () => {
  const one = (bus: 'usb' | 'virtio-scsi', slot: number | null): MachineDefinition => argvInput({ ...desktop, pointer: 'ps2', disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus, slot }] }).definition
  for (const [bus, controller] of [['usb', 'qemu-xhci'], ['virtio-scsi', 'virtio-scsi-pci']] as const) {
    for (const slot of [null, 1]) {
      const before = one(bus, slot)
      const after = withLiveChange(before, { kind: 'unplugDisk', id: 'disk0' })
      const of = (definition: MachineDefinition): unknown => devices(buildArgv({ ...argvInput(desktop), definition }).argv).filter(({ driver }) => driver === controller || driver === 'pcie-root-port')
      expect(of(after)).toEqual(of(before))
    }
  }
})

test('a board without ports puts what was plugged in where all devices are', () => {
  const { argv } = buildArgv(argvInput({ ...desktop, machineType: 'pc-i440fx-7.2', firmware: { type: 'bios' }, nics: [{ id: 'net0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' }, slot: 1 }] }))
  expect(devices(argv).find(({ id }) => id === 'net0')).toMatchObject({ bus: 'pci.0' })
})

test.each([
  ['-qmp', 'tcp:0.0.0.0:1,server=on'], ['--qmp', 'stdio'], ['-S'], ['-incoming', 'defer'], ['-daemonize'], ['-sandbox', 'off'], ['-pidfile', '/p'], ['-drive', 'file=x'], ['-machine', 'pc'], ['-readconfig', 'f'], ['-cpu', 'host'],
  ['-device', 'e1000,id=sys-net'], ['-device', '{"driver":"e1000","id":"disk0"}'], ['-netdev', 'user,id=net0'], ['disk.img'], ['-s', 'disk.img'], ['-'], ['-device'], ['-device', '-s'],
])('an argument of one’s own that does not go with Ringside’s is refused: %s %s', (...rawArguments) => {
  expect(() => buildArgv(argvInput({ ...desktop, rawArguments: rawArguments.filter((argument) => (argument as string | undefined) !== undefined) }))).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }) as Error)
})

test.each([
  ['two devices on one port', { nics: [0, 1].map((n) => ({ id: `net${String(n)}`, model: 'virtio-net' as const, macAddress: `52:54:00:12:34:5${String(n)}`, backend: { type: 'user' as const }, slot: 3 })) }, {}, 'INVALID_INPUT', 'port 3'],
  ['a port that is not there', { nics: [{ id: 'net0', model: 'virtio-net' as const, macAddress: '52:54:00:12:34:56', backend: { type: 'user' as const }, slot: 9 }] }, {}, 'INVALID_INPUT', 'port 9'],
  ['two SD cards', { disks: [0, 1].map((n) => ({ id: `sd${String(n)}`, image: { kind: 'own' as const, path: `d${String(n)}` }, format: 'raw' as const, bus: 'sd' as const })) }, {}, 'INVALID_INPUT', 'one SD card'],
  ['three floppy drives', { disks: [0, 1, 2].map((n) => ({ id: `fd${String(n)}`, image: { kind: 'own' as const, path: `d${String(n)}` }, format: 'raw' as const, bus: 'floppy' as const })) }, {}, 'INVALID_INPUT', 'two floppy'],
  ['3D on standard VGA', { display: { model: 'vga' as const, acceleration3d: true } }, {}, 'INVALID_INPUT', '3D'],
  ['two screens on standard VGA', { display: { model: 'vga' as const, heads: 2 } }, {}, 'INVALID_INPUT', 'one screen'],
  ['more plugged in than may be', { memory: { maximumMiB: 5000, pluggedMiB: 2000 } }, {}, 'INVALID_INPUT', '5000 MiB at most'],
  ['more processors than may be', { processors: { sockets: 1, cores: 2, threads: 1, maximum: 4, plugged: 3 } }, {}, 'INVALID_INPUT', '4 at most'],
  ['half a socket', { processors: { sockets: 1, cores: 2, threads: 1, maximum: 5 } }, {}, 'INVALID_INPUT', 'multiple of 2'],
  ['huge pages outside Linux', { memory: { hugePages: true } }, { platform: 'darwin' as const }, 'CAPABILITY_MISSING', 'Linux'],
  ['vsock outside Linux', { vsock: { cid: 3 } }, { platform: 'darwin' as const }, 'CAPABILITY_MISSING', 'Linux'],
  ['shared folders on Windows', { sharedFolders: [{ id: 'a', tag: 'a', path: 'C:\\' }] }, { platform: 'win32' as const }, 'CAPABILITY_MISSING', 'Windows'],
  ['too many old cards', { nics: Array.from({ length: 14 }, (_, n) => ({ id: `net${String(n)}`, model: 'rtl8139' as const, macAddress: `52:54:00:12:34:${String(n + 10)}`, backend: { type: 'user' as const } })) }, {}, 'INVALID_INPUT', '13 devices'],
])('%s: refused in words', (_name, definition, changes, code, words) => {
  expect(() => buildArgv(argvInput({ ...desktop, ...definition }, { qemu: wholeQemu, ...changes }))).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) as string }) as Error)
})

function devices(argv: readonly string[]): Record<string, unknown>[] {
  return argv.filter((_, index) => argv[index - 1] === '-device').map((text) => JSON.parse(text) as Record<string, unknown>)
}
