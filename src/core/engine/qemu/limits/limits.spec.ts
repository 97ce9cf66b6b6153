import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { MachineDefinition, MachineHardware, type HardwareProperty } from '@shared/model'
import { argvInput, desktop } from '../argv/argv.fixture'
import { buildArgv } from '../argv'
import { hardwareIssues } from './hardware-issues'
import { hardwareProperties } from './hardware-properties'
import { passableCard, wholeQemu, wholeSurroundings } from './limits.fixture'
import { findRenderNode, hugePagesOf, lockableMiBOf, type HardwareSurroundings } from './surroundings'

const machine = MachineDefinition.parse(desktop)
const properties = (surroundings: HardwareSurroundings = wholeSurroundings, definition = machine): Map<string, HardwareProperty> => new Map(hardwareProperties(definition, surroundings).map((property) => [property.path, property]))
const issues = (changes: Partial<z.input<typeof MachineDefinition>>, surroundings: HardwareSurroundings = wholeSurroundings): string[] =>
  hardwareIssues(MachineDefinition.parse({ ...desktop, ...changes }), surroundings).map(({ path, message, severity }) => `${severity === 'warning' ? '(' : ''}${path}: ${message}`)

/** Places of values in a schema; what is one thing to people, such as where an image lies, is one. */
function leavesOf(schema: z.core.$ZodType, path: string): string[] {
  if (path.endsWith('.image') || path.endsWith('.kernel.kernel') || path.endsWith('.initrd')) return [path]
  const { def } = schema as z.ZodType & { def: { type: string; innerType?: z.ZodType; element?: z.ZodType; options?: z.ZodType[]; shape?: Record<string, z.ZodType> } }
  if (def.innerType !== undefined) return leavesOf(def.innerType, path)
  if (def.element !== undefined) return def.element.def.type === 'object' ? leavesOf(def.element, `${path}.*`) : [path]
  if (def.shape !== undefined) return Object.entries(def.shape).flatMap(([name, part]) => leavesOf(part, path === '' ? name : `${path}.${name}`))
  if (def.options?.every((option) => option.def.type === 'object') === true) return [...new Set(def.options.flatMap((option) => leavesOf(option, path)))]
  return [path]
}
const leaves = leavesOf(MachineHardware, '')

describe('every property of the schema', () => {
  test('has a label, a term and a line of help, and none is told of that is not there', () => {
    expect([...properties().keys()].sort()).toEqual([...leaves].sort())
    for (const { path, label, term, help, kind, choices } of properties().values()) {
      expect([path, label !== '', term !== '', /^[A-Z].*\.$/su.test(help)]).toEqual([path, true, true, true])
      expect([path, kind === 'choice']).toEqual([path, choices.length > 0])
    }
  })

  test('has a default, or must be given', () => {
    const given = ['osId', 'machineType', 'firmware', 'processors', 'memoryMiB', 'boot', 'display']
    const without = MachineHardware.safeParse({})
    expect(without.error?.issues.map((issue) => issue.path[0])).toEqual(given)
  })

  test('offers every value that the schema takes', () => {
    const enumOf = (path: string): string[] | null => {
      let at: z.core.$ZodType = MachineHardware
      for (const name of path.split('.')) {
        let { def } = at as z.ZodType & { def: { innerType?: z.ZodType; element?: z.ZodType; shape?: Record<string, z.ZodType> } }
        while (def.innerType !== undefined) ({ def } = def.innerType as typeof at & { def: typeof def })
        const next = name === '*' ? def.element : def.shape?.[name]
        if (next === undefined) return null
        at = next
      }
      let { def } = at as z.ZodType & { def: { innerType?: z.ZodType; entries?: Record<string, string> } }
      while (def.innerType !== undefined) ({ def } = def.innerType as typeof at & { def: typeof def })
      return def.entries === undefined ? null : Object.values(def.entries)
    }
    for (const { path, kind, choices } of properties().values()) {
      const values = enumOf(path)
      if (values !== null) expect([path, kind, choices.map(({ value }) => value).sort()]).toEqual([path, 'choice', values.sort()])
    }
  })

  test('survives a round trip through text', () => {
    const whole = MachineDefinition.parse({ ...desktop, ...everything })
    expect(MachineDefinition.parse(JSON.parse(JSON.stringify(whole)))).toEqual(whole)
  })

  test('reaches the command line', () => {
    const golden = ['all-hardware', 'linux-tcg', 'kernel', 'accelerated-graphics', 'passed-devices', 'encrypted'].map((name) => readFileSync(join(import.meta.dirname, '../../../../../test/golden/argv', `${name}.argv`), 'utf8')).join('\n')
    const missing = [...properties().keys()].filter((path) => !(reached[path] ?? []).every((words) => golden.includes(words)) || reached[path] === undefined)
    expect(missing.filter((path) => !outsideArgv.includes(path))).toEqual([])
  })
})

/** What is not on the command line: names for people, what is set over QMP before the guest runs (see the specs with guests), and what the golden of plugged devices shows. */
const outsideArgv = [
  'osId', 'usbDevices.*.name', 'usbDevices.*.slot', 'sharedFolders.*.slot', 'vsock.slot', 'pciDevices.*.slot', 'pciDevices.*.name', 'nics.*.linkUp', 'memory.targetMiB', 'processors.priority', 'processors.limitPercent', 'nics.*.slot', 'disks.*.slot', 'clipboard', 'firmware.nvram', 'firmware.secureBoot', 'tpm.state',
  ...['bytesPerSecond', 'bytesReadPerSecond', 'bytesWrittenPerSecond', 'requestsPerSecond', 'readsPerSecond', 'writesPerSecond'].map((name) => `disks.*.limits.${name}`),
]

const reached: Readonly<Record<string, string[]>> = {
  accelerator: ['-accel tcg'], machineType: ['type=pc-q35-7.2'], 'firmware.type': ['pflash0='], clock: ['-rtc base=utc'], 'processors.sockets': ['sockets=1'], 'processors.cores': ['cores=2'], 'processors.threads': ['threads=1'],
  'processors.maximum': ['sockets=4,cores=2,threads=1,maxcpus=8'], 'processors.plugged': ['"id":"sys-processor3"'], 'processors.model': ['-cpu qemu64'], 'processors.features': ['aes=on', 'svm=off'], memoryMiB: ['size=4096M'], 'memory.maximumMiB': ['maxmem=8192M'], 'memory.pluggedMiB': ['"requested-size":536870912'],
  'memory.hugePages': ['"hugetlb":true'], 'memory.shared': ['"share":true'], balloon: ['virtio-balloon-pci'], 'boot.order': ['"bootindex":2'], 'boot.menu': ['menu=off'], 'boot.kernel.kernel': ['-kernel'],
  'boot.kernel.initrd': ['-initrd'], 'boot.kernel.commandLine': ['-append'], 'disks.*.id': ['"id":"disk0"'], 'disks.*.image': ['disks/disk0.qcow2'], 'disks.*.format': ['"driver":"qcow2"'], 'disks.*.encrypted': ['"key-secret":"sys-key"'], 'disks.*.bus': ['sd-card', '"driver":"floppy"'],
  'disks.*.readOnly': ['"read-only":false'], 'disks.*.cache': ['"direct":true'], 'disks.*.discard': ['"discard":"ignore"'], 'disks.*.detectZeroes': ['"detect-zeroes":"off"'], 'disks.*.aio': ['"aio":"threads"', '"aio":"native"'],
  'disks.*.serial': ['"serial":"WD-1"'], ioThread: ['"iothread":"sys-iothread"', '"ioeventfd":false'], 'cdroms.*.id': ['"id":"cd0"'], 'cdroms.*.image': ['/isos/debian.iso'], 'cdroms.*.bus': ['ide-cd'], 'nics.*.id': ['"id":"net0"'], 'nics.*.model': ['igb', 'pcnet', 'ne2k_pci'],
  'nics.*.macAddress': ['52:54:00:12:34:01'], 'nics.*.backend.type': ['"type":"user"'], 'display.model': ['qxl-vga'], 'display.heads': ['"max_outputs":2'], 'display.resolution.width': ['"xres":1280'], 'display.resolution.height': ['"yres":720'], 'display.acceleration3d': ['virtio-vga-gl', 'egl-headless'],
  pointer: ['usb-tablet'], 'sound.model': ['ich9-intel-hda'], serialPorts: ['isa-serial'], virtioConsoles: ['virtconsole'], usbController: ['ich9-usb-ehci1'], 'watchdog.model': ['i6300esb'], 'watchdog.action': ['watchdog=pause'],
  panicDevice: ['"driver":"pvpanic"'], randomNumbers: ['virtio-rng-pci'], guestAgent: ['org.qemu.guest_agent.0'], 'tpm.version': ['-tpmdev emulator'], 'tpm.model': ['"driver":"tpm-tis"'], 'vsock.cid': ['"guest-cid":42'], 'usbDevices.*.id': ['"id":"receiver"'], 'usbDevices.*.vendorId': ['"vendorid":1133'],
  'usbDevices.*.productId': ['"productid":50475'], 'sharedFolders.*.id': ['id=music'], 'sharedFolders.*.tag': ['"mount_tag":"work"'], 'sharedFolders.*.path': ['path=/srv/a,,b'], 'sharedFolders.*.readOnly': ['readonly=on', 'readonly=off'], 'usbDevices.*.port': ['"hostbus":1,"hostport":"4.2"'], 'pciDevices.*.id': ['"id":"gpu"'], 'pciDevices.*.address': ['"host":"0000:01:00.0"'], 'sharedFolders.*.driver': ['"driver":"vhost-user-fs-pci"', '"driver":"virtio-9p-pci"'], rawArguments: ['-msg-of-mine x=y'],
}

const everything: Partial<z.input<typeof MachineDefinition>> = {
  memory: { maximumMiB: 8192, pluggedMiB: 512, hugePages: true, shared: true }, processors: { sockets: 1, cores: 2, threads: 1, model: 'qemu64', features: ['+aes', '-avx2'], priority: 'high' }, display: { model: 'qxl-vga', heads: 2, resolution: { width: 1280, height: 720 } },
  virtioConsoles: 2, sound: { model: 'ac97' }, watchdog: { model: 'ib700', action: 'none' }, tpm: { model: 'tpm-tis' }, panicDevice: true, vsock: { cid: 42 }, ioThread: 'off', usbController: 'ehci', usbDevices: [{ id: 'key', vendorId: '046d', productId: 'c52b' }],
  sharedFolders: [{ id: 'music', tag: 'music', path: '/music', driver: 'auto' }], rawArguments: ['-s'],
}

test('a machine with everything is right on a computer that has everything, and it starts', () => {
  expect(issues(everything)).toEqual([])
  expect(issues({})).toEqual([])
  expect(buildArgv(argvInput({ ...desktop, ...everything }, { qemu: wholeQemu })).notes.length).toBe(1)
})

test('the devices that a choice needs are those that the command line has', () => {
  const listed = (path: string, value: string): string | null => properties({ ...wholeSurroundings, qemu: { ...wholeQemu, devices: [] } }).get(path)?.choices.find((choice) => choice.value === value)?.obstacle ?? null
  const disk = { id: 'd', image: { kind: 'own' as const, path: 'd' }, format: 'raw' as const }
  for (const { value } of properties().get('disks.*.bus')?.choices ?? []) {
    const { argv } = buildArgv(argvInput({ ...desktop, pointer: 'ps2', disks: [{ ...disk, bus: value as 'sata' }] }, { qemu: wholeQemu }))
    const drivers = argv.flatMap((text) => (text.startsWith('{"driver"') ? [(JSON.parse(text) as { driver: string }).driver] : []))
    const needed = /without (.*)\.$/u.exec(listed('disks.*.bus', value) ?? '')?.[1]?.split(', ') ?? []
    expect([value, needed.length > 0, needed.filter((device) => !drivers.includes(device))]).toEqual([value, true, []])
  }
})

test('all faults are told at once, by their paths', () => {
  const sata = (n: number) => ({ id: `d${String(n)}`, image: { kind: 'own' as const, path: `d${String(n)}` }, format: 'raw' as const, bus: 'sata' as const })
  expect(issues({
    machineType: 'pc-q35-99.0', processors: { sockets: 1, cores: 16, threads: 1, model: 'host', features: ['+warp'] }, memoryMiB: 32_768, memory: { pluggedMiB: 3 }, display: { model: 'vga', heads: 2 },
    disks: [{ ...sata(0), readOnly: true }, { ...sata(1), aio: 'native', cache: 'writeback' }, { ...sata(2), bus: 'sd' }, { ...sata(3), bus: 'sd', detectZeroes: 'unmap', discard: false }, { ...sata(4), bus: 'nvme' }],
    sharedFolders: [{ id: 'a', tag: 'x', path: '/a' }, { id: 'b', tag: 'x', path: 'b' }], rawArguments: ['-S', '-device', 'e1000'], cdroms: [], nics: [],
  })).toEqual([
    'machineType: Board: “pc-q35-99.0” is not known to QEMU on this computer.',
    'processors.model: Processor model: This computer’s own processor can only be given with KVM or Hypervisor.framework.',
    '(processors: The machine has 16 processors, and this computer 8: it will be slower than with fewer.',
    'processors.features.0: QEMU 7.2.22 knows no processor feature “warp”.',
    '(memoryMiB: The machine has 32771 MiB of memory, and this computer 16384 MiB: it may come to a stop.',
    'memory.pluggedMiB: Memory can only be plugged in where a maximum is set.',
    'memory.pluggedMiB: Memory is plugged in by pieces of 2 MiB.',
    'disks.3.bus: A machine takes one SD card; put the other disks on another bus.',
    'disks.0.readOnly: QEMU has no read-only disks on SATA, IDE and SD; VirtIO, NVMe and USB can have them.',
    'disks.1.aio: Linux AIO goes past the host’s cache, and the disk is to go through it.',
    '(disks.3.detectZeroes: Zeroes become holes only where space is given back; they are written quickly instead.',
    '(disks.4.bus: QEMU can’t write the memory of a machine with an NVMe disk: it can’t be saved, and snapshots are of its disks only.',
    'display.heads: Only VirtIO and QXL displays have more than one screen.',
    'sharedFolders.1.tag: Two shared folders have the tag “x”; each needs its own.',
    'sharedFolders.1.path: Give the folder’s whole path, from the root on.',
    'rawArguments.0: “-S” can’t be given by hand. Ringside decides when the guest runs and from what.',
    '(rawArguments.2: This device takes the first free place on the board, which may be that of the display. Give it a bus and an address, such as “bus=pcie.0,addr=0x1e”.',
  ])
})

test('processors are put in up to a number that the board and its sockets have', () => {
  const processors = { sockets: 1, cores: 2, threads: 1 }
  expect(issues({ processors: { ...processors, maximum: 8, plugged: 6 } })).toEqual([])
  expect(issues({ processors: { ...processors, maximum: 7 } })).toEqual([expect.stringMatching(/^processors\.maximum: .*a multiple of 2/u)])
  expect(issues({ processors: { ...processors, maximum: 512 } })).toEqual([expect.stringContaining('2 to 288; this is 512'), expect.stringContaining('takes at most 288')])
  expect(issues({ processors: { ...processors, maximum: 4, plugged: 3 } })).toEqual([expect.stringContaining('processors.plugged: Processors put in: 0 to 2; this is 3')])
  expect(issues({ processors: { ...processors, plugged: 1 } })).toEqual([expect.stringContaining('processors.plugged: Processors put in: Set how many')])
})

test('what the balloon leaves is within the memory, needs the balloon, and little of it is warned of; so is too little memory for plugging', () => {
  expect(issues({ memory: { targetMiB: 8192 } })).toEqual([expect.stringMatching(/^memory\.targetMiB: .*16 to 4096 MiB; this is 8192/u)])
  expect(issues({ memory: { targetMiB: 2048 }, balloon: false })).toEqual([expect.stringContaining('memory.targetMiB: Memory left by the balloon: The machine has no memory balloon')])
  expect(issues({ memory: { targetMiB: 512 } })).toEqual([expect.stringContaining('(memory.targetMiB: The guest is left 512 MiB')])
  expect(issues({ memory: { targetMiB: 2048 } })).toEqual([])
  expect(issues({ memoryMiB: 128, memory: { maximumMiB: 512 } })).toEqual([expect.stringContaining('(memoryMiB: Where memory can be plugged in, Linux guests need 256 MiB')])
})

test('what this computer or this QEMU has not is an obstacle with its reason', () => {
  const bare: HardwareSurroundings = { ...wholeSurroundings, qemu: { ...wholeQemu, devices: [], features: {}, firmware: [] }, host: { platform: 'darwin', logicalProcessors: 8, memoryMiB: 16_384, hugePages: null, vhostVsock: false, renderNode: 'missing', processorTimeObstacle: 'macOS has no limit of processor time for a program that runs.', virtiofs: { virtiofsd: null, obstacle: 'Only on Linux.' }, pci: [], pciProblem: { message: 'macOS does not let programs.', remedy: null }, lockableMiB: null } }
  const obstacle = (path: string): string | null | undefined => properties(bare).get(path)?.obstacle
  expect(obstacle('memory.hugePages')).toContain('only on Linux')
  expect(obstacle('processors.limitPercent')).toContain('macOS')
  expect(obstacle('vsock.cid')).toBe('Only on Linux.')
  expect(obstacle('panicDevice')).toContain('without pvpanic')
  expect(obstacle('tpm.version')).toContain('without TPM')
  expect(obstacle('firmware.secureBoot')).toContain('No firmware with Secure Boot')
  expect(properties(bare).get('nics.*.model')?.choices.every((choice) => choice.obstacle !== null)).toBe(true)
  expect(properties(bare).get('firmware.type')?.choices[1]?.obstacle).toContain('No UEFI firmware')
  const without: HardwareSurroundings = { ...wholeSurroundings, host: { ...wholeSurroundings.host, hugePages: null, vhostVsock: false, renderNode: 'missing', virtiofs: { virtiofsd: null, obstacle: 'Only on Linux.' } } }
  expect(issues({ vsock: { cid: 5 }, memory: { hugePages: true } }, without)).toEqual([expect.stringContaining('memory.hugePages: Huge pages: This computer has set no huge pages aside'), expect.stringContaining('vsock.cid: Sockets between guest and host: This computer’s kernel')])
})

test('3D acceleration says what it lacks', () => {
  const obstacle = (changes: Partial<HardwareSurroundings['host']>, qemu: Partial<typeof wholeQemu> = {}, definition = machine): string | null | undefined =>
    properties({ ...wholeSurroundings, qemu: { ...wholeQemu, ...qemu }, host: { ...wholeSurroundings.host, ...changes } }, definition).get('display.acceleration3d')?.obstacle
  expect(obstacle({})).toBeNull()
  expect(obstacle({}, {}, MachineDefinition.parse({ ...desktop, display: { model: 'vga' } }))).toBe('Only VirtIO graphics have it.')
  expect(obstacle({ platform: 'darwin' })).toContain('only do it on Linux')
  expect(obstacle({}, { devices: [] })).toContain('qemu-system-modules-opengl')
  expect(obstacle({}, { features: {} })).toContain('without OpenGL')
  expect(obstacle({ renderNode: 'missing' })).toContain('/dev/dri/renderD128')
  expect(obstacle({ renderNode: 'forbidden' })).toContain('usermod -aG render')
  expect(issues({ display: { model: 'vga', acceleration3d: true } })).toEqual(['display.acceleration3d: 3D acceleration: Only VirtIO graphics have it.'])
})

test('a render node is found by its name, and whether it may be opened', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-dri-'))
  try {
    await writeFile(join(folder, 'card0'), '')
    expect(await findRenderNode(folder)).toBe('missing')
    await writeFile(join(folder, 'renderD128'), '')
    expect(await findRenderNode(folder)).toBe('usable')
    expect(await findRenderNode(join(folder, 'none'))).toBe('missing')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('processors say why they wait for a start, and what is live says so', () => {
  expect(properties().get('processors.cores')?.live).toEqual({ possible: false, reason: expect.stringContaining('Others can be put in') as string })
  const growing = MachineDefinition.parse({ ...desktop, processors: { sockets: 1, cores: 2, threads: 1, maximum: 8 } })
  expect(properties(wholeSurroundings, growing).get('processors.plugged')).toMatchObject({ maximum: 6, obstacle: null, live: { possible: true, reason: expect.stringContaining('QEMU crashes') as string } })
  expect(properties({ ...wholeSurroundings, accelerator: 'kvm' }, growing).get('processors.plugged')?.live).toEqual({ possible: true, reason: null })
  expect(properties({ ...wholeSurroundings, accelerator: 'whpx' }, growing).get('processors.plugged')?.live.possible).toBe(false)
  expect(properties().get('processors.plugged')?.obstacle).toContain('at most first')
  expect([...properties().values()].filter(({ live }) => live.possible).map(({ path }) => path)).toEqual([
    'processors.limitPercent', 'processors.priority', 'memory.targetMiB', 'balloon',
    ...['bytesPerSecond', 'bytesReadPerSecond', 'bytesWrittenPerSecond', 'requestsPerSecond', 'readsPerSecond', 'writesPerSecond'].map((name) => `disks.*.limits.${name}`), 'cdroms.*.image', 'nics.*.linkUp', 'pointer', 'virtioConsoles', 'randomNumbers', 'guestAgent', 'clipboard',
  ])
  const dark = MachineDefinition.parse({ ...desktop, display: { model: 'none' } })
  expect(properties(wholeSurroundings, dark).get('clipboard')?.live).toEqual({ possible: false, reason: expect.stringContaining('display') as string })
  for (const [more, reason] of [[{ usbController: 'ehci' }, 'USB 3'], [{ display: { model: 'none' } }, 'no display']] as const) expect(properties(wholeSurroundings, MachineDefinition.parse({ ...desktop, ...more })).get('pointer')?.live).toEqual({ possible: false, reason: expect.stringContaining(reason) as string })
  const old = MachineDefinition.parse({ ...desktop, machineType: 'pc-i440fx-7.2', guestAgent: false, clipboard: false })
  expect(['virtioConsoles', 'guestAgent', 'clipboard'].map((path) => properties(wholeSurroundings, old).get(path)?.live.possible)).toEqual([false, false, false])
  for (const { path, live } of properties().values()) if (!live.possible) expect([path, live.reason === null]).toEqual([path, false])
})

test('the pool of huge pages is read from the kernel’s words', () => {
  expect(hugePagesOf('MemTotal: 1 kB\nHugePages_Total:      64\nHugePages_Free:       12\nHugepagesize:       2048 kB\n')).toEqual({ pageMiB: 2, free: 12 })
  expect(hugePagesOf('HugePages_Total:       0\nHugepagesize:       2048 kB\n')).toBeNull()
})

test('a device of this computer’s is given away only where it is proved that it can be', () => {
  const withKvm: HardwareSurroundings = { ...wholeSurroundings, accelerator: 'kvm' }
  const pciDevices = [{ id: 'card', address: passableCard.address }]
  expect(issues({ pciDevices }, withKvm)).toEqual([`(pciDevices.0.address: ${passableCard.warnings[0] ?? ''}`])
  expect(issues({ pciDevices })).toEqual([expect.stringContaining('Only with KVM')])
  expect(issues({ pciDevices: [...pciDevices, { id: 'twice', address: passableCard.address }, { id: 'gone', address: '0000:99:00.0' }] }, withKvm).filter((words) => !words.startsWith('('))).toEqual([
    'pciDevices.1.address: The machine has the device 0000:01:00.0 twice.', 'pciDevices.2.address: This computer has no device 0000:99:00.0.',
  ])
  const busy = { ...passableCard, obstacle: { message: 'This computer uses it.', remedy: 'Hand it over.' } }
  expect(issues({ pciDevices }, { ...withKvm, host: { ...withKvm.host, pci: [busy], lockableMiB: 64 } })).toEqual([expect.stringContaining('you may lock 64 MiB'), 'pciDevices.0.address: This computer uses it. Hand it over.'])
  expect(issues({ pciDevices }, { ...withKvm, host: { ...withKvm.host, pciProblem: { message: 'The IOMMU is off.', remedy: 'Switch it on.' } } })).toEqual(['pciDevices.0.id: Name: The IOMMU is off. Switch it on.'])
  expect(lockableMiBOf('Max locked memory         8388608              8388608              bytes \n', false)).toBe(8)
  expect(lockableMiBOf('Max locked memory         unlimited            unlimited            bytes \n', false)).toBeNull()
})
