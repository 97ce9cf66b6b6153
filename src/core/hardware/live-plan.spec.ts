import { expect, test } from 'vitest'
import { type AcceleratorName, MachineDefinition, machineSchemaVersion, type MachineHardware } from '@shared/model'
import { usbPorts } from '../engine/empty-places'
import { isRepeatable, withLiveChange } from '../engine/live-change'
import { hardwareOf, presentAndNext, withHardware, withOwnAddresses } from './hardware'
import { planLive } from './live-plan'
import { planSaved, planWaiting, waitingForSaved } from './saved-plan'
import { differencesOfPaused, waitingFor } from './waiting'

const disk = (id: string, more: object = {}): MachineHardware['disks'][number] => MachineDefinition.shape.disks.parse([{ id, image: { kind: 'own', path: `disks/${id}.qcow2` }, format: 'qcow2', bus: 'virtio-blk', ...more }])[0] ?? expect.fail()
const nic = (id: string, more: object = {}): MachineHardware['nics'][number] => MachineDefinition.shape.nics.parse([{ id, model: 'virtio-net', macAddress: `52:54:00:00:00:0${id.at(-1) ?? ''}`, backend: { type: 'user' }, ...more }])[0] ?? expect.fail()

const machine = (more: Partial<MachineDefinition> = {}): MachineDefinition => ({
  ...MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: '11111111-1111-4111-8111-111111111111', name: 'web-01', createdAt: '2026-11-01T08:00:00.000Z', osId: 'debian', machineType: 'pc-q35-7.2',
    firmware: { type: 'uefi' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 1024, boot: {}, display: { model: 'vga' }, disks: [disk('disk0')], nics: [nic('net0')], cdroms: [{ id: 'cd0', image: null, bus: 'sata' }],
  }),
  ...more,
})
const plan = (running: MachineDefinition, wanted: Partial<MachineHardware>, stored = running, accelerator: AcceleratorName = 'tcg'): ReturnType<typeof planLive> => planLive(running, stored, { ...hardwareOf(stored), ...wanted }, accelerator)

test('what is plugged in gets free ports, disks and cards from the same ones; the fifth waits for the next start', () => {
  const { hardware, changes, differences } = plan(machine(), { disks: [disk('disk0'), disk('disk1'), disk('disk2'), disk('disk3')], nics: [nic('net0'), nic('net1'), nic('net2')] })
  expect(hardware.disks.map(({ slot }) => slot)).toEqual([null, 0, 1, 2])
  expect(hardware.nics.map(({ slot }) => slot)).toEqual([null, 3, null])
  expect(changes.map(({ kind }) => kind)).toEqual(['plugDisk', 'plugDisk', 'plugDisk', 'plugNic'])
  expect(differences.filter(({ when }) => when === 'nextStart')).toMatchObject([{ path: 'nics.net2', reason: expect.stringMatching(/^All 4 ports/u) as string }])
})

test('a port is taken for as long as its device runs, also while that is to go; one that is chosen by hand counts for nothing', () => {
  const running = machine({ disks: [disk('disk0'), disk('disk1', { slot: 0 })] })
  expect(plan(running, { disks: [disk('disk0'), disk('disk2', { slot: 0 })] }).hardware.disks).toMatchObject([{ slot: null }, { id: 'disk2', slot: 1 }])
})

test('USB devices come and go while the machine runs, as long as it is known where the others are', () => {
  const usb = (id: string, more: object = {}): MachineHardware['usbDevices'][number] => MachineDefinition.shape.usbDevices.parse([{ id, vendorId: '046d', productId: 'c52b', ...more }])[0] ?? expect.fail()
  const running = machine({ usbDevices: [usb('usb0'), usb('usb1')] })
  const added = plan(running, { usbDevices: [usb('usb0'), usb('usb1'), usb('usb2', { port: '1-4.2' })] })
  expect(added.changes).toEqual([{ kind: 'plugUsb', device: usb('usb2', { port: '1-4.2', slot: 0 }) }])
  expect(added.differences).toMatchObject([{ path: 'usbDevices.usb2', when: 'now' }])
  expect(plan(running, { usbDevices: [usb('usb0')] }).changes).toEqual([{ kind: 'unplugUsb', id: 'usb1' }])
  expect(plan(running, { usbDevices: [usb('usb1')] }).changes).toEqual([{ kind: 'unplugUsb', id: 'usb0' }])
  expect(plan({ ...running, usbController: 'ehci' }, { usbDevices: [usb('usb1')] }).differences).toMatchObject([{ path: 'usbDevices.usb0', when: 'nextStart', reason: expect.stringContaining('behind it') as string }])
  expect(plan(machine({ usbDevices: [usb('usb0'), usb('usb9', { slot: 0 })] }), { usbDevices: [usb('usb0')] }).changes).toEqual([{ kind: 'unplugUsb', id: 'usb9' }])
  // Without the pointer the controller is there for this device alone.
  const alone = machine({ pointer: 'ps2', usbDevices: [usb('usb0')], usbController: 'ehci' })
  expect(plan(alone, { usbDevices: [] }).differences).toMatchObject([{ when: 'nextStart', reason: expect.stringContaining('controller') as string }])
  expect(plan(machine({ pointer: 'ps2' }), { usbDevices: [usb('usb0')] }).differences).toMatchObject([{ when: 'nextStart', reason: expect.stringContaining('no USB controller') as string }])
  expect(plan(machine({ usbController: 'uhci' }), { usbDevices: [usb('usb0')] }).changes).toEqual([])
  expect(withLiveChange(running, { kind: 'unplugUsb', id: 'usb1' })).toMatchObject({ usbDevices: [usb('usb0')], emptyPlaces: [{ kind: 'usb', port: 3 }] })
})

test('the tablet comes and goes on USB 3, into its own port or another that is free, and takes none from what comes with it; else it waits with the reason', () => {
  const running = machine()
  const goes = plan(running, { pointer: 'ps2' })
  expect(goes).toMatchObject({ changes: [{ kind: 'unplugTablet' }], differences: [{ path: 'pointer', when: 'now' }] })
  const left = goes.changes.reduce(withLiveChange, running)
  expect(left).toMatchObject({ pointer: 'ps2', emptyPlaces: [{ kind: 'usb', port: 1 }] })
  const comes = plan(left, { pointer: 'tablet' })
  expect(comes).toMatchObject({ changes: [{ kind: 'plugTablet', port: 1 }], differences: [{ path: 'pointer', when: 'now' }] })
  const back = comes.changes.reduce(withLiveChange, left)
  expect([back, withLiveChange(back, { kind: 'unplugTablet' })]).toEqual([{ ...running, emptyPlaces: [], tabletPort: 1 }, left])
  expect(hardwareOf(back)).toEqual(hardwareOf(running))
  // What was to go already is not pulled out twice.
  expect(plan(running, { pointer: 'ps2', clock: 'localtime' }, { ...running, pointer: 'ps2' }).changes).toEqual([])

  const sticks = (from: number, count: number): MachineHardware['disks'] => Array.from({ length: count }, (_, index) => disk(`disk${String(from + index)}`, { bus: 'usb' }))
  const others = machine({ pointer: 'ps2', disks: sticks(0, 2) })
  const second = plan(others, { pointer: 'tablet', disks: sticks(0, 4) })
  expect(second.changes).toMatchObject([{ disk: { slot: 0 } }, { disk: { slot: 1 } }, { kind: 'plugTablet', port: 3 }])
  expect(usbPorts(second.changes.reduce(withLiveChange, others))).toEqual(new Map([['sys-tablet', 3], ['disk0', 1], ['disk1', 2], ['disk2', 8], ['disk3', 7]]))
  // One port stays free, and none is known where there is a hub.
  expect(plan(machine({ pointer: 'ps2', disks: sticks(0, 6) }), { pointer: 'tablet', disks: sticks(0, 7) }).changes).toMatchObject([{ disk: { slot: 0 } }])
  const waits = (of: MachineDefinition, pointer: MachineHardware['pointer']): unknown => {
    const { changes, differences } = plan(of, { pointer })
    return [changes, differences.map(({ path, when, reason }) => [path, when, reason])]
  }
  const waiting = (reason: string): unknown => [[], [['pointer', 'nextStart', expect.stringContaining(reason)]]]
  expect(waits(machine({ pointer: 'ps2', disks: sticks(0, 8) }), 'tablet')).toEqual(waiting('All USB ports'))
  expect(waits(machine({ disks: sticks(0, 8) }), 'ps2')).toEqual(waiting('behind it'))
  expect(waits(machine({ pointer: 'ps2' }), 'tablet')).toEqual(waiting('no USB controller'))
  expect(waits(machine({ pointer: 'ps2', usbController: 'ehci', disks: sticks(0, 1) }), 'tablet')).toEqual(waiting('Only the USB 3'))
  expect(waits(machine({ usbController: 'uhci' }), 'ps2')).toEqual(waiting('Only the USB 3'))
  for (const [now, then] of [['ps2', 'tablet'], ['tablet', 'ps2']] as const) expect(waits(machine({ pointer: now, display: { model: 'none', heads: 1, resolution: null, acceleration3d: false } }), then)).toEqual(waiting('no display'))
  expect(planSaved({ definition: left, accelerator: 'tcg' }, left, { ...hardwareOf(left), pointer: 'tablet' })).toMatchObject({ changes: [], differences: [{ path: 'pointer', when: 'goesOn' }] })
  expect(differencesOfPaused(goes, running)).toMatchObject([{ path: 'pointer', when: 'now' }])
})

test('folders come and go at once, those of the start as well; virtiofs waits for memory that is shared', () => {
  const folder = (id: string, more: object = {}): MachineHardware['sharedFolders'][number] => MachineDefinition.shape.sharedFolders.parse([{ id, tag: id, path: `/srv/${id}`, ...more }])[0] ?? expect.fail()
  const running = machine({ nics: [nic('net0', { slot: 0 })], sharedFolders: [folder('a'), folder('b', { slot: 2 })] })
  const { hardware, changes, differences } = plan(running, { sharedFolders: [folder('b'), folder('c', { driver: 'auto', slot: 2 }), folder('d')] })
  expect(changes).toEqual([{ kind: 'unplugFolder', id: 'a' }, { kind: 'plugFolder', folder: folder('c', { driver: 'auto', slot: 1 }) }, { kind: 'plugFolder', folder: folder('d', { slot: 3 }) }])
  expect(hardware.sharedFolders.map(({ slot }) => slot)).toEqual([2, 1, 3])
  expect(new Set(differences.map(({ when }) => when))).toEqual(new Set(['now']))
  expect(withLiveChange(running, { kind: 'unplugFolder', id: 'a' })).toMatchObject({ sharedFolders: [folder('b', { slot: 2 })], emptyPlaces: [{ kind: 'folder', at: 0 }] })
  expect(plan(running, { sharedFolders: [folder('a', { readOnly: false }), folder('b')] })).toMatchObject({ changes: [], differences: [{ path: 'sharedFolders.a', when: 'nextStart', reason: expect.stringContaining('share it anew') as string }] })

  const fast = { sharedFolders: [folder('a'), folder('b'), folder('fast', { driver: 'virtiofs' })] }
  expect(plan(running, fast)).toMatchObject({ changes: [], differences: [{ path: 'sharedFolders.fast', when: 'nextStart', reason: expect.stringContaining('By 9p the folder comes now') as string }] })
  // Shared by wish, perhaps for a folder of the start, and perhaps for one that has left: QEMU is asked.
  for (const more of [{ memory: { ...running.memory, shared: true } }, { sharedFolders: [folder('a', { driver: 'auto' }), folder('b', { slot: 2 })] }, { emptyPlaces: [{ kind: 'folder' as const, at: 1 }] }]) {
    const here = { ...running, ...more }
    expect(plan(here, { sharedFolders: [...here.sharedFolders, folder('fast', { driver: 'virtiofs' })] }).changes).toMatchObject([{ kind: 'plugFolder', folder: { id: 'fast', slot: 1 } }])
  }
  expect(plan({ ...running, machineType: 'pc-i440fx-7.2' }, { sharedFolders: [folder('c')] }).differences.every(({ when, reason }) => when === 'nextStart' && reason?.includes('board') === true)).toBe(true)
  expect(planSaved({ definition: running, accelerator: 'tcg' }, running, { ...hardwareOf(running), sharedFolders: [] })).toMatchObject({ changes: [], differences: [{ when: 'goesOn' }, { when: 'goesOn' }] })
})

test('sockets to the host and devices of its PCI buses come and go at once, on the same ports; what is another one waits', () => {
  const running = machine({ vsock: { cid: 5, slot: null }, sharedFolders: [], pciDevices: [{ id: 'pci0', address: '0000:01:00.0', name: '', slot: 1 }] })
  const none = machine()
  expect(plan(running, { vsock: null, pciDevices: [] }, running, 'kvm').changes).toEqual([{ kind: 'unplugPci', id: 'pci0' }, { kind: 'unplugVsock' }])
  const [card] = running.pciDevices
  const wanted = { vsock: { cid: 7, slot: 3 }, pciDevices: [card ?? expect.fail()] }
  const { changes, hardware, differences } = plan(none, wanted, none, 'kvm')
  expect(changes).toEqual([{ kind: 'plugPci', device: { ...card, slot: 0 } }, { kind: 'plugVsock', vsock: { cid: 7, slot: 1 } }])
  expect([hardware.vsock, hardware.pciDevices.map(({ slot }) => slot), differences.map(({ path, when }) => [path, when])]).toEqual([{ cid: 7, slot: 1 }, [0], [['vsock', 'now'], ['pciDevices.pci0', 'now']]])
  expect(plan(none, wanted)).toMatchObject({ changes: [{ kind: 'plugVsock', vsock: { slot: 0 } }], differences: [{ path: 'vsock', when: 'now' }, { path: 'pciDevices.pci0', when: 'nextStart', reason: expect.stringContaining('without KVM') as string }] })
  expect(plan(running, { vsock: { cid: 6, slot: 2 } }, running, 'kvm')).toMatchObject({ changes: [], hardware: { vsock: { cid: 6, slot: null } }, differences: [{ path: 'vsock', when: 'nextStart', reason: expect.stringContaining('off and on') as string }] })
  expect(plan({ ...running, machineType: 'pc-i440fx-7.2' }, { vsock: null }, running, 'kvm').differences).toMatchObject([{ path: 'vsock', when: 'nextStart', reason: expect.stringContaining('board') as string }])
  // What was to go already is not asked for twice, and stays when it is wanted again.
  expect(plan(running, { vsock: null }, { ...running, vsock: null }, 'kvm').changes).toEqual([])
  expect(plan(running, { vsock: { cid: 5, slot: null } }, { ...running, vsock: null }, 'kvm')).toMatchObject({ changes: [], differences: [{ path: 'vsock', when: 'now' }] })
  expect(withLiveChange(withLiveChange(running, { kind: 'unplugVsock' }), { kind: 'unplugPci', id: 'pci0' })).toMatchObject({ vsock: null, pciDevices: [], emptyPlaces: [{ kind: 'vsock' }] })
})

test('virtio-scsi disks take targets where the controller stays, and other buses wait', () => {
  const withController = machine({ cdroms: [{ id: 'cd0', image: null, bus: 'virtio-scsi' }] })
  expect(plan(withController, { disks: [disk('disk0'), disk('disk1', { bus: 'virtio-scsi' })] }).changes).toMatchObject([{ kind: 'plugDisk', disk: { id: 'disk1', slot: 0 } }])
  for (const bus of ['virtio-scsi', 'sata', 'ide', 'floppy', 'sd']) {
    const { changes, differences } = plan(machine(), { disks: [disk('disk0'), disk('disk1', { bus })] })
    expect(changes).toEqual([])
    expect(differences).toMatchObject([{ path: 'disks.disk1', when: 'nextStart', reason: expect.stringMatching(/\.$/u) as string }])
  }
})

test('disks and cards go at once, also those of the start, and are asked to only once; what has no port of its own waits', () => {
  const running = machine({ disks: [disk('disk0'), disk('disk1', { slot: 0 }), disk('disk2', { bus: 'nvme' }), disk('disk3', { bus: 'virtio-scsi' }), disk('disk4', { bus: 'sata' })], nics: [nic('net0'), nic('net1', { model: 'e1000' })] })
  const { changes, differences } = plan(running, { disks: [], nics: [] })
  expect(changes).toEqual([...['disk0', 'disk1', 'disk2', 'disk3'].map((id) => ({ kind: 'unplugDisk', id })), { kind: 'unplugNic', id: 'net0' }])
  expect(differences.filter(({ when }) => when === 'nextStart')).toMatchObject([{ path: 'disks.disk4', reason: expect.stringContaining('on this bus') as string }, { path: 'nics.net1', reason: expect.stringContaining('of this model') as string }])
  expect(plan(running, { clock: 'localtime' }, machine({ disks: [disk('disk0')] })).changes).toEqual([])
  const old = plan(machine({ machineType: 'pc-i440fx-7.2' }), { disks: [], nics: [] })
  expect([old.changes, old.differences.map(({ when, reason }) => [when, reason?.includes('board')])]).toEqual([[], [['nextStart', true], ['nextStart', true]]])
})

test('what goes is booted from no more, at once', () => {
  const running = machine({ boot: { ...machine().boot, order: ['disk0', 'net0', 'cd0'] } })
  const { differences } = plan(running, { disks: [], boot: { ...running.boot, order: ['net0', 'cd0'] } })
  expect(differences.map(({ path, when }) => [path, when])).toEqual([['boot.order', 'now'], ['disks.disk0', 'now']])
  expect(withLiveChange(running, { kind: 'unplugDisk', id: 'disk0' }).boot.order).toEqual(['net0', 'cd0'])
})

test('USB disks come and go at once, on ports that nothing else has', () => {
  const stick = (id: string, more: object = {}): MachineHardware['disks'][number] => disk(id, { bus: 'usb', ...more })
  const usb = MachineDefinition.shape.usbDevices.parse([{ id: 'usb0', vendorId: '046d', productId: 'c52b', slot: 0 }])
  const running = machine({ usbDevices: usb, disks: [disk('disk0'), stick('disk1'), stick('disk2', { slot: 2 })] })
  const { hardware, changes } = plan(running, { disks: [disk('disk0'), stick('disk3')] })
  expect(changes).toEqual([{ kind: 'unplugDisk', id: 'disk1' }, { kind: 'unplugDisk', id: 'disk2' }, { kind: 'plugDisk', disk: stick('disk3', { slot: 1 }) }])
  expect(hardware.disks.at(-1)?.slot).toBe(1)
  // Ports that others of the start have are no places, and one is never taken: QEMU would put a hub into it when memory is loaded.
  const sticks = [disk('disk0'), stick('disk1'), stick('disk2'), stick('disk3')]
  const full = (count: number): ReturnType<typeof plan> => plan(machine({ cdroms: Array.from({ length: count }, (_, index) => ({ id: `cd${String(index)}`, image: null, bus: 'usb' as const })) }), { disks: sticks })
  expect(full(4).changes).toMatchObject([{ disk: { slot: 0 } }, { disk: { slot: 1 } }])
  expect(full(4).differences).toMatchObject([{ when: 'now' }, { when: 'now' }, { path: 'disks.disk3', when: 'nextStart', reason: expect.stringContaining('All USB ports') as string }])
  expect([full(5).changes.length, full(6).changes.length, full(7).changes.length]).toEqual([1, 0, 0])
  // One that was left is taken again.
  expect(plan(machine({ emptyPlaces: [1, 2, 3, 4, 5, 6, 7].map((port) => ({ kind: 'usb', port })), pointer: 'ps2' }), { disks: sticks }).changes).toMatchObject([{ disk: { slot: 1 } }, { disk: { slot: 2 } }, { disk: { slot: 3 } }])
  // Its place is one on its bus.
  const moved = plan(running, { disks: [disk('disk0'), stick('disk1'), disk('disk2')] })
  expect([moved.hardware.disks[2]?.slot, moved.changes]).toEqual([null, []])
})

test('limits, cables, discs, priority and pluggable memory are live; anything else of a device waits with it', () => {
  const memory = { maximumMiB: 2048, pluggedMiB: 0, targetMiB: null, hugePages: false, shared: false }
  const running = machine({ memory })
  const limits = { bytesPerSecond: 1000, bytesReadPerSecond: 0, bytesWrittenPerSecond: 0, requestsPerSecond: 0, readsPerSecond: 0, writesPerSecond: 0 }
  const image = { kind: 'external' as const, path: '/isos/a.iso' }
  const { changes, differences } = plan(running, {
    disks: [disk('disk0', { limits })], nics: [nic('net0', { linkUp: false })], cdroms: [{ id: 'cd0', image, bus: 'sata' }], processors: { ...running.processors, priority: 'low', limitPercent: 50 }, memory: { ...memory, pluggedMiB: 256 },
  })
  expect(changes).toEqual([
    { kind: 'limitDisk', id: 'disk0', limits }, { kind: 'setLink', id: 'net0', up: false }, { kind: 'changeMedium', id: 'cd0', image }, { kind: 'plugMemory', pluggedMiB: 256 }, { kind: 'limitProcessorTime', percent: 50 }, { kind: 'prioritise', priority: 'low' },
  ])
  expect(differences.map(({ when }) => when)).toEqual(differences.map(() => 'now'))
  expect(plan(running, { disks: [disk('disk0', { limits, cache: 'writeback' })], memoryMiB: 512, memory: { ...memory, pluggedMiB: 256 } }).changes).toEqual([])
})

test('processors come one by one; they go one by one where that is safe, and wait where it is not or where the board changes with them', () => {
  const processors = { ...machine().processors, maximum: 8, plugged: 1 }
  const running = machine({ processors })
  expect(plan(running, { processors: { ...processors, plugged: 3 } })).toMatchObject({ changes: [{ kind: 'plugProcessor', plugged: 2 }, { kind: 'plugProcessor', plugged: 3 }], differences: [{ path: 'processors.plugged', then: '1', now: '3', when: 'now' }] })
  const fewer = { processors: { ...processors, plugged: 0 } }
  expect(plan(running, fewer)).toMatchObject({ changes: [], differences: [{ when: 'nextStart', reason: expect.stringContaining('QEMU crashes') as string }] })
  expect(plan(running, fewer, running, 'kvm')).toMatchObject({ changes: [{ kind: 'unplugProcessor', plugged: 0 }], differences: [{ when: 'now' }] })
  expect(plan(running, { processors: { ...processors, cores: 4, plugged: 2 } }).changes).toEqual([])
  expect(plan(running, { processors: { ...processors, plugged: 2 } }, running, 'whpx')).toMatchObject({ changes: [], differences: [{ reason: expect.stringContaining('at the start') as string }] })
})

test('the balloon is set at once where the machine has one and that much memory', () => {
  const target = { ...machine().memory, targetMiB: 512 }
  expect(plan(machine(), { memory: target })).toMatchObject({ changes: [{ kind: 'setMemoryTarget', targetMiB: 512 }], differences: [{ path: 'memory.targetMiB', then: 'All', now: '512 MiB', when: 'now' }] })
  for (const [running, wanted] of [[machine({ balloon: false, machineType: 'pc-i440fx-7.2' }), { balloon: true }], [machine(), { memoryMiB: 4096, memory: { ...target, targetMiB: 2048 } }]] as const) {
    const { changes, differences } = plan(running, { memory: target, ...wanted })
    expect([changes, differences.find(({ path }) => path === 'memory.targetMiB')]).toMatchObject([[], { when: 'nextStart', reason: expect.stringMatching(/[a-z]\.$/u) as string }])
  }
})

test('the balloon, random numbers and the agent’s channel come and go at once where the board keeps places for them; a target comes and goes with the balloon', () => {
  const bare = { balloon: false, randomNumbers: false, guestAgent: false, clipboard: false }
  const all = { balloon: true, randomNumbers: true, guestAgent: true }
  const memory = { ...machine().memory, targetMiB: 512 }
  const comes = plan(machine(bare), { ...all, memory })
  expect(comes.changes).toEqual([
    { kind: 'plugSystem', part: 'balloon' }, { kind: 'setMemoryTarget', targetMiB: 512 }, { kind: 'plugSystem', part: 'randomNumbers' }, { kind: 'plugChannels' }, { kind: 'plugSystem', part: 'guestAgent' },
  ])
  expect(comes.differences.map(({ path, when }) => [path, when])).toEqual([['memory.targetMiB', 'now'], ['guestAgent', 'now'], ['randomNumbers', 'now'], ['balloon', 'now']])
  const running = comes.changes.reduce(withLiveChange, machine(bare))
  expect(running).toMatchObject({ ...all, memory, emptyPlaces: [{ kind: 'channelController' }] })
  const goes = plan(running, { ...bare, memory: { ...memory, targetMiB: null } })
  expect(goes.changes).toEqual(['balloon', 'randomNumbers', 'guestAgent'].map((part) => ({ kind: 'unplugSystem', part })))
  expect(goes.differences.map(({ when }) => when)).toEqual(['now', 'now', 'now', 'now'])
  // What the guest keeps waits, and so does what goes along; a channel is not the guest’s to keep.
  expect(waitingFor({ definition: running, accelerator: 'tcg', isSaved: false }, withHardware(running, goes.hardware)).map(({ path, reason }) => [path, reason?.includes('let go') ?? null])).toEqual(expect.arrayContaining([['memory.targetMiB', true], ['balloon', true], ['randomNumbers', true]]))
  expect(differencesOfPaused(goes, running).map(({ path, when }) => [path, when])).toEqual([['memory.targetMiB', 'nextStart'], ['guestAgent', 'now'], ['randomNumbers', 'nextStart'], ['balloon', 'nextStart']])
  expect(withLiveChange(running, { kind: 'unplugSystem', part: 'balloon' }).memory.targetMiB).toBeNull()
  // Its controller stays, and takes the channel when that comes again.
  const left = goes.changes.reduce(withLiveChange, running)
  expect(left).toMatchObject({ ...bare, memory: { targetMiB: null }, emptyPlaces: [{ kind: 'channelController' }] })
  expect(plan(left, { guestAgent: true }).changes).toEqual([{ kind: 'plugSystem', part: 'guestAgent' }])
  expect(withLiveChange(machine(), { kind: 'unplugSystem', part: 'guestAgent' }).emptyPlaces).toBeUndefined()
  // What was to go already is not asked for twice.
  expect(plan(machine(), { balloon: false, clock: 'localtime' }, machine({ balloon: false })).changes).toEqual([])
})

test('a board without PCI Express has the agent’s channel at once where it has the controller; the rest waits, with the reason', () => {
  const old = { machineType: 'pc-i440fx-7.2' }
  const parts = ['guestAgent', 'randomNumbers', 'balloon'] as const
  const on = { guestAgent: true, randomNumbers: true, balloon: true }
  const off = { guestAgent: false, randomNumbers: false, balloon: false }
  for (const [running, wanted] of [[off, on], [on, off]] as const) {
    const { changes, differences } = plan(machine({ ...old, ...running, clipboard: true }), wanted)
    expect(changes).toEqual([{ kind: wanted.guestAgent ? 'plugSystem' : 'unplugSystem', part: 'guestAgent' }])
    expect(differences.map(({ path, when, reason }) => [path, when, reason?.includes('board') ?? null])).toEqual(parts.map((part) => [part, part === 'guestAgent' ? 'now' : 'nextStart', part === 'guestAgent' ? null : true]))
  }
  const { changes, differences } = plan(machine({ ...old, ...off, clipboard: false }), { guestAgent: true })
  expect([changes, differences]).toMatchObject([[], [{ path: 'guestAgent', when: 'nextStart', reason: expect.stringContaining('controller') as string }]])
})

test('the shared clipboard and VirtIO consoles come and go at once, with their controller where there is none; the last consoles go', () => {
  const bare = { guestAgent: false, clipboard: false }
  const comes = plan(machine(bare), { clipboard: true, virtioConsoles: 2, serialPorts: 2 })
  expect(comes.changes).toEqual([{ kind: 'plugChannels' }, { kind: 'plugSystem', part: 'clipboard' }, { kind: 'plugConsole', consoles: 1 }, { kind: 'plugConsole', consoles: 2 }])
  expect(comes.differences.map(({ path, when }) => [path, when])).toEqual([['serialPorts', 'nextStart'], ['virtioConsoles', 'now'], ['clipboard', 'now']])
  expect(plan(machine(bare), { virtioConsoles: 1, guestAgent: true }).changes.map(({ kind }) => kind)).toEqual(['plugChannels', 'plugSystem', 'plugConsole'])
  const running = comes.changes.reduce(withLiveChange, machine(bare))
  expect(running).toMatchObject({ clipboard: true, virtioConsoles: 2, emptyPlaces: [{ kind: 'channelController' }] })
  const goes = plan(running, { clipboard: false, virtioConsoles: 0 })
  expect(goes.changes).toEqual([{ kind: 'unplugSystem', part: 'clipboard' }, { kind: 'unplugConsole', consoles: 1 }, { kind: 'unplugConsole', consoles: 0 }])
  // A guest that is paused lets go of nothing, and is not asked for these.
  expect(differencesOfPaused(goes, running).map(({ path, when }) => [path, when])).toEqual([['virtioConsoles', 'now'], ['clipboard', 'now']])
  expect(waitingFor({ definition: running, accelerator: 'tcg', isSaved: false }, withHardware(running, goes.hardware)).map(({ reason }) => reason?.includes('let go'))).toEqual([false, false])
  expect(goes.changes.reduce(withLiveChange, running)).toMatchObject({ ...bare, virtioConsoles: 0, emptyPlaces: [{ kind: 'channelController' }] })
  expect(withLiveChange(machine(bare), { kind: 'unplugConsole', consoles: 0 }).emptyPlaces).toBeUndefined()
  // The clipboard’s channel is away for as long as memory is written: it is made as recorded, and QEMU is asked for the others.
  expect([...comes.changes, ...goes.changes].filter(isRepeatable)).toEqual([{ kind: 'plugSystem', part: 'clipboard' }, { kind: 'unplugSystem', part: 'clipboard' }])
})

test('a clipboard without a display waits, with the reason, and goes at once; consoles of a board without PCI Express wait where there is no controller', () => {
  const dark = machine({ display: { ...machine().display, model: 'none' }, clipboard: false })
  expect(plan(dark, { clipboard: true })).toMatchObject({ changes: [], differences: [{ path: 'clipboard', when: 'nextStart', reason: expect.stringContaining('display') as string }] })
  expect(plan({ ...dark, clipboard: true }, { clipboard: false }).differences).toMatchObject([{ path: 'clipboard', when: 'now' }])
  const old = machine({ machineType: 'pc-i440fx-7.2', guestAgent: false, clipboard: false })
  for (const wanted of [{ virtioConsoles: 1 }, { clipboard: true }]) expect(plan(old, wanted)).toMatchObject({ changes: [], differences: [{ when: 'nextStart', reason: expect.stringContaining('controller') as string }] })
  expect(plan({ ...old, virtioConsoles: 1 }, { virtioConsoles: 3, clipboard: true }).changes.map(({ kind }) => kind)).toEqual(['plugSystem', 'plugConsole', 'plugConsole'])
  expect(plan({ ...old, virtioConsoles: 1 }, { virtioConsoles: 0 }).changes).toEqual([{ kind: 'unplugConsole', consoles: 0 }])
})

test('what the watchdog does is changed at once; another watchdog waits', () => {
  const running = machine({ watchdog: { model: 'i6300esb', action: 'reset' } })
  expect(plan(running, { watchdog: { model: 'i6300esb', action: 'pause' } })).toMatchObject({ changes: [{ kind: 'setWatchdogAction', action: 'pause' }], differences: [{ path: 'watchdog', when: 'now' }] })
  for (const watchdog of [null, { model: 'ib700', action: 'pause' }] as const) expect(plan(running, { watchdog })).toMatchObject({ changes: [], differences: [{ path: 'watchdog', when: 'nextStart' }] })
  expect(plan(machine(), { watchdog: { model: 'i6300esb', action: 'pause' } }).changes).toEqual([])
  expect(withLiveChange(running, { kind: 'setWatchdogAction', action: 'none' }).watchdog).toEqual({ model: 'i6300esb', action: 'none' })
})

test('what a saved guest has in its memory stays as it is: what is around it changes at once, what can be live when it goes on, and the rest after its next shut down', () => {
  const image = { kind: 'external' as const, path: '/isos/a.iso' }
  const saved = machine({ cdroms: [{ id: 'cd0', image, bus: 'sata' }, { id: 'cd1', image: null, bus: 'sata' }] })
  const limits = { bytesPerSecond: 1000, bytesReadPerSecond: 0, bytesWrittenPerSecond: 0, requestsPerSecond: 0, readsPerSecond: 0, writesPerSecond: 0 }
  const { hardware, changes, differences } = planSaved({ definition: saved, accelerator: 'tcg' }, saved, {
    ...hardwareOf(saved), disks: [disk('disk0', { limits }), disk('disk1'), disk('disk2', { bus: 'sata' })], nics: [nic('net0', { linkUp: false }), nic('net1')], memoryMiB: 2048, memory: { ...saved.memory, targetMiB: 512 },
    cdroms: [{ id: 'cd0', image: null, bus: 'sata' }, { id: 'cd1', image, bus: 'sata' }],
  })
  expect(changes).toEqual([{ kind: 'limitDisk', id: 'disk0', limits }, { kind: 'setLink', id: 'net0', up: false }, { kind: 'changeMedium', id: 'cd0', image: null }, { kind: 'setMemoryTarget', targetMiB: 512 }])
  expect(differences.filter(({ when }) => when === 'now').map(({ path }) => path)).toEqual(['memory.targetMiB', 'disks.disk0.limits', 'cdroms.cd0.image', 'nics.net0.linkUp'])
  expect(differences.filter(({ when }) => when === 'goesOn')).toMatchObject([{ path: 'cdroms.cd1.image', reason: null }, { path: 'disks.disk1' }, { path: 'nics.net1' }])
  expect(differences.filter(({ when }) => when === 'nextStart')).toMatchObject([{ path: 'memoryMiB', reason: expect.stringContaining('next shut down') as string }, { path: 'disks.disk2' }])
  // Nothing is plugged in, so nothing has a port of its own.
  expect([hardware.disks, hardware.nics].map((devices) => devices.map(({ slot }) => slot))).toEqual([[null, null, null], [null, null]])
  // What is the same for the guest again waits for nothing.
  expect(waitingForSaved({ definition: saved, accelerator: 'tcg' }, saved)).toEqual([])
})

test('what waits for a saved guest is made as soon as it goes on, as if it were changed then, also what waited before it was saved', () => {
  const processors = { ...machine().processors, maximum: 4, plugged: 1 }
  const saved = machine({ disks: [disk('disk0'), disk('disk1', { slot: 0 })], nics: [nic('net0')], processors })
  const wanted = { disks: [disk('disk0'), disk('disk2')], nics: [nic('net1')], processors: { ...processors, plugged: 3 }, memoryMiB: 4096 }
  const stored = { ...saved, ...wanted }
  const { hardware, changes } = planWaiting({ definition: saved, accelerator: 'tcg' }, stored)
  expect(changes).toEqual([
    { kind: 'unplugDisk', id: 'disk1' }, { kind: 'unplugNic', id: 'net0' }, { kind: 'plugDisk', disk: disk('disk2', { slot: 1 }) }, { kind: 'plugNic', nic: nic('net1', { slot: 2 }) },
    { kind: 'plugProcessor', plugged: 2 }, { kind: 'plugProcessor', plugged: 3 },
  ])
  expect(presentAndNext(withHardware(stored, hardware), changes.reduce(withLiveChange, saved)).next).toMatchObject({ memoryMiB: 4096 })
  expect(waitingForSaved({ definition: saved, accelerator: 'tcg' }, stored).map(({ path, when }) => [path, when])).toEqual(expect.arrayContaining([
    ['memoryMiB', 'nextStart'], ['processors.plugged', 'goesOn'], ['disks.disk1', 'goesOn'], ['disks.disk2', 'goesOn'], ['nics.net0', 'goesOn'], ['nics.net1', 'goesOn'],
  ]))
  // What could be changed while it is saved, and was not then, is not forgotten.
  const limits = { bytesPerSecond: 1000, bytesReadPerSecond: 0, bytesWrittenPerSecond: 0, requestsPerSecond: 0, readsPerSecond: 0, writesPerSecond: 0 }
  expect(waitingForSaved({ definition: saved, accelerator: 'tcg' }, { ...saved, disks: [disk('disk0', { limits }), disk('disk1', { slot: 0 })] })).toMatchObject([{ path: 'disks.disk0.limits', when: 'goesOn' }])
})

test('what waits for a machine that runs is told with its reason at any time, also when the guest has had its say', () => {
  const image = { kind: 'external', path: '/iso/a.iso' } as const
  const running = machine({ disks: [disk('disk0'), disk('disk1', { bus: 'sata' })], nics: [nic('net0')], boot: { order: ['net0', 'disk0'], menu: false, kernel: null } })
  const stored = { ...running, disks: [disk('disk0')], nics: [], memoryMiB: 2048, cdroms: [{ id: 'cd0', image, bus: 'sata' as const }], boot: { ...running.boot, order: ['disk0'] } }
  const waiting = waitingFor({ definition: running, accelerator: 'tcg', isSaved: false }, stored)
  expect(new Set(waiting.map(({ when }) => when))).toEqual(new Set(['nextStart']))
  expect(Object.fromEntries(waiting.map(({ path, reason }) => [path, reason]))).toMatchObject({
    memoryMiB: expect.stringContaining('while the machine runs') as string, 'disks.disk1': expect.stringContaining('on this bus') as string, 'nics.net0': expect.stringContaining('has not let go of it') as string,
    'cdroms.cd0.image': expect.stringContaining('locked') as string, 'boot.order': expect.stringContaining('has not let go') as string,
  })
  expect([waitingFor(null, stored), waitingFor({ definition: running, accelerator: 'tcg', isSaved: false }, running)]).toEqual([[], []])
})

test('a guest that is paused lets go of nothing, and all else is as ever', () => {
  const running = machine({ nics: [nic('net0'), nic('net1')] })
  const paused = differencesOfPaused(plan(running, { nics: [nic('net1', { linkUp: false })] }), running)
  expect(paused).toMatchObject([{ path: 'nics.net0', when: 'nextStart', reason: expect.stringContaining('paused') as string }, { path: 'nics.net1.linkUp', when: 'now' }])
})

test('changes come to what the plan promises, and what is left is what waits', () => {
  const running = machine({ disks: [disk('disk0'), disk('disk1', { slot: 1 })] })
  const { hardware, changes } = plan(running, { disks: [disk('disk0'), disk('disk2')], nics: [nic('net0', { linkUp: false }), nic('net1')], memoryMiB: 4096 })
  const after = changes.reduce(withLiveChange, running)
  const { definition, next } = presentAndNext(withHardware(running, hardware), after)
  expect(definition).toMatchObject({ memoryMiB: 1024, disks: [{ id: 'disk0' }, { id: 'disk2', slot: 0 }], nics: [{ linkUp: false }, { id: 'net1', slot: 2 }] })
  expect(next).toEqual({ ...hardwareOf(definition), memoryMiB: 4096 })
})

test('a layer more is no difference, in what waits or in what is changed', () => {
  const running = machine()
  const stored = machine({ disks: [disk('disk0', { image: { kind: 'own', path: 'disks/disk0.0a1b2c3d.qcow2' } })], firmware: { type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.0a1b2c3d.qcow2' } })
  expect(presentAndNext(stored, running)).toEqual({ definition: stored, next: null })
  expect(plan(running, {}, stored).differences).toEqual([])
})

test('a clone that goes on from memory has its own network address, whatever its guest has borrowed', () => {
  const definition = machine({ nics: [nic('nic1')] })
  const own = '52:54:00:00:00:0f'
  const stored = machine({ nics: [{ ...nic('nic1'), macAddress: own }] })
  expect(presentAndNext(stored, withOwnAddresses({ definition, ownAddresses: { nic1: own } })).next).toBeNull()
  // One that was changed since waits for the next start, as in any other machine.
  const changed = machine({ nics: [{ ...nic('nic1'), macAddress: '52:54:00:00:00:0e' }] })
  expect(presentAndNext(changed, withOwnAddresses({ definition, ownAddresses: { nic1: own } })).next?.nics[0]?.macAddress).toBe('52:54:00:00:00:0e')
  expect(presentAndNext(stored, withOwnAddresses({ definition, ownAddresses: {} })).next).not.toBeNull()
})
