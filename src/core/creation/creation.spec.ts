import { link, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Issue, RingsideError } from '@shared/errors'
import { type CreateMachineRequest, type HostLimits, MachineDefinition, type ProbeReport } from '@shared/model'
import type { JobReporter, Probe } from '../app/services'
import { loadCatalog } from '../catalog'
import { FolderLibrary } from '../library'
import { HostStorage, type ImageTool } from '../storage'
import { makeBzImage, makeIso, makeMbrDisk, makeQcow2 } from '../storage/images.fixture'
import { type CreationOptions, MachineMaker, freeName, newDiskOptions, randomMacAddress } from './creation'
import { fullProbe, fullQemu } from './qemu.fixture'

let folder: string
let libraryFolder: string
let library: FolderLibrary
let iso: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-creation-'))
  libraryFolder = join(folder, 'library')
  library = await FolderLibrary.open({ folder: libraryFolder, runtimeRoot: join(folder, 'run'), trash: null })
  iso = await put('debian.iso', makeIso({ volumeId: 'Debian 13.0.0 amd64 n', uefi: true }))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

/** Stands in for qemu-img where only the order of things matters; the real one is met in test/vm. */
const tool: ImageTool = {
  info: () => Promise.resolve({ virtualBytes: 1 }),
  create: (path, format, bytes, options) => writeFile(path, JSON.stringify({ format, bytes, options }), { flag: 'wx' }),
  convert: async ({ source, target, onProgress }) => {
    onProgress(0.5)
    await writeFile(target, source === `${target}.source` ? await readFile(source) : 'converted', { flag: 'wx' })
  },
}

const probeOf = (report: ProbeReport): Probe => ({
  current: () => Promise.resolve(report),
  refresh: () => Promise.resolve(report),
  onChange: () => () => undefined,
})
const roomy: Omit<HostLimits, 'takenNames'> = { logicalProcessors: 4, memoryMiB: 8192, freeDiskBytes: 100 * 2 ** 30 }

function maker(options: Partial<CreationOptions> = {}): MachineMaker {
  const catalog = loadCatalog()
  return new MachineMaker({
    library,
    libraryFolder,
    catalog,
    storage: new HostStorage({ libraryFolder, catalog, imageTool: () => Promise.resolve(null) }),
    probe: probeOf(fullProbe),
    imageTool: () => tool,
    prepareNvram: (definition, _qemu, machine) => (definition.firmware.type === 'uefi' ? writeFile(join(machine, definition.firmware.nvram), 'nvram') : Promise.resolve()),
    limits: () => Promise.resolve(roomy),
    sampleDisk: () => Buffer.alloc(1024, 7),
    createdBy: 'ringside test',
    ...options,
  })
}

function request(more: object = {}): CreateMachineRequest {
  return {
    name: 'web',
    osId: 'debian-13',
    source: { type: 'cdrom', path: iso },
    processors: 2,
    memoryMiB: 1024,
    newDiskGiB: 8,
    network: 'user',
    hardware: {},
    ...more,
  }
}

function reporter(signal = new AbortController().signal): JobReporter & { steps: string[] } {
  const steps: string[] = []
  return {
    signal,
    steps,
    report: (_progress, step) => {
      if (steps.at(-1) !== step) steps.push(step)
    },
  }
}

async function errorsOf(more: object, options: Partial<CreationOptions> = {}): Promise<Issue[]> {
  return (await maker(options).check({ ...request(), ...more })).filter((issue) => issue.severity === 'error')
}

/** What `create` throws, with the certainty that nothing is left in the library. */
async function refusal(more: object, options: Partial<CreationOptions> = {}, signal?: AbortSignal): Promise<RingsideError> {
  const before = await readdir(libraryFolder)
  const error: unknown = await maker(options)
    .create(request(more), reporter(signal))
    .then(
      () => null,
      (thrown: unknown) => thrown,
    )
  expect(error).toBeInstanceOf(RingsideError)
  expect(await readdir(libraryFolder)).toEqual(before)
  return error as RingsideError
}

describe('a good request', () => {
  test('has no faults and becomes a machine on disk', async () => {
    expect(await maker().check(request())).toEqual([])
    const seen = reporter()
    const id = await maker().create(request(), seen)
    const { definition, paths } = library.get(id)
    expect(MachineDefinition.parse(JSON.parse(await readFile(paths.definition, 'utf8')))).toEqual(definition)
    expect(definition).toMatchObject({ name: 'web', osId: 'debian-13', firmware: { type: 'uefi' }, createdBy: 'ringside test' })
    expect(definition.nics[0]?.macAddress).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/u)
    expect(JSON.parse(await readFile(join(paths.disksFolder, 'disk0.qcow2'), 'utf8'))).toEqual({
      format: 'qcow2',
      bytes: 8 * 2 ** 30,
      options: newDiskOptions,
    })
    expect(await readFile(join(paths.firmwareFolder, 'nvram.qcow2'), 'utf8')).toBe('nvram')
    expect(seen.steps).toEqual(['Checking', 'Making the disk', 'Writing the definition', 'Done'])
  })

  test('to copy a disk leaves the source and makes the machine its own', async () => {
    const path = await put('disk.img', makeMbrDisk())
    const id = await maker().create(request({ source: { type: 'disk', path, format: 'raw', mode: 'copy' }, newDiskGiB: null }), reporter())
    const { definition, paths } = library.get(id)
    expect(definition.disks).toMatchObject([{ image: { kind: 'own', path: 'disks/disk0.raw' }, format: 'raw' }])
    expect((await readFile(join(paths.disksFolder, 'disk0.raw'))).equals(makeMbrDisk())).toBe(true)
    expect((await readFile(path)).equals(makeMbrDisk())).toBe(true)
  })

  test('to convert a disk reports its progress', async () => {
    const path = await put('disk.img', makeMbrDisk())
    const seen = reporter()
    const id = await maker().create(request({ source: { type: 'disk', path, format: 'raw', mode: 'convert' } }), seen)
    expect(seen.steps).toContain('Converting the disk')
    expect(await readdir(library.get(id).paths.disksFolder)).toEqual(['disk0.qcow2', 'disk1.qcow2'])
  })
})

test('all faults come at once, each at its field', async () => {
  const issues = await errorsOf({ name: '../x', memoryMiB: 100_000, source: { type: 'cdrom', path: '/gone.iso' }, osId: '' })
  expect(issues.map((issue) => [issue.path, issue.message])).toEqual([
    ['name', 'A name has no slashes, backslashes or control characters; leave them out.'],
    ['osId', 'Choose an operating system.'],
    ['memoryMiB', 'This computer has 8192 MiB of memory; 100000 MiB is more than that. Give the machine less.'],
    [
      'source.path',
      'There is no such file: /gone.iso. Check the path; the file may have been moved, renamed, or lie on a drive that is not connected.',
    ],
  ])
})

test.each([null, undefined, 5, 'x', [], {}, { source: null }, { source: { type: 'cdrom' } }])(
  'what is no request at all has faults and no crash: %j',
  async (input) => {
    expect((await maker().check(input)).length).toBeGreaterThan(0)
  },
)

describe('the name', () => {
  test.each([
    ['', 'Give the machine a name.'],
    ['   ', 'Give the machine a name.'],
    ['n'.repeat(300), 'A name has at most 100 characters; this one has 300.'],
    ['../x', 'A name has no slashes, backslashes or control characters; leave them out.'],
  ])('%j is refused', async (name, message) => {
    expect(await errorsOf({ name })).toEqual([expect.objectContaining({ path: 'name', message })])
    expect(await refusal({ name })).toMatchObject({ code: 'INVALID_INPUT', message })
  })

  test('that is taken is refused, whatever its case', async () => {
    await maker().create(request(), reporter())
    const message = 'A machine named “WEB” exists already; choose another name.'
    expect(await errorsOf({ name: 'WEB' })).toMatchObject([{ path: 'name', message }])
    expect(await refusal({ name: 'WEB' })).toMatchObject({ code: 'NAME_TAKEN', message })
  })
})

describe('the source', () => {
  test('one typed fault is thrown as itself', async () => {
    expect(await refusal({ source: { type: 'cdrom', path: folder } })).toMatchObject({
      code: 'NOT_A_FILE',
      message: `This is a folder, not a file: ${folder}`,
      data: { issues: [{ path: 'source.path' }] },
    })
    expect(await refusal({ source: { type: 'cdrom', path: join(folder, 'gone.iso') } })).toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: `There is no such file: ${join(folder, 'gone.iso')}`,
    })
  })

  test('that is no disc is not taken for one', async () => {
    const disk = await put('d.qcow2', makeQcow2())
    const text = await put('t.iso', Buffer.from('<html>Not found</html>'))
    expect(await refusal({ source: { type: 'cdrom', path: disk } })).toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      message: `This is no disc image but a qcow2 disk: ${disk}`,
    })
    expect(await refusal({ source: { type: 'cdrom', path: text } })).toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      message: `This is no disc image, no ISO 9660 or UDF was found in it: ${text}`,
    })
  })

  const diskOf = (path: string, mode = 'inPlace', format = 'qcow2'): object => ({
    source: { type: 'disk', path, format, mode },
    newDiskGiB: null,
  })

  test('a disk that is based on a file outside the library is refused in every mode', async () => {
    const path = await put('evil.qcow2', makeQcow2({ backingFile: '/etc/shadow', backingFormat: 'raw' }))
    for (const mode of ['inPlace', 'copy', 'convert']) {
      expect(await refusal(diskOf(path, mode))).toMatchObject({
        code: 'BACKING_FILE_OUTSIDE',
        message: `The image is based on a file outside the library: ${path} needs /etc/shadow`,
      })
    }
  })

  test('a disk of another format than said is refused', async () => {
    const path = await put('d.img', makeQcow2())
    expect(await refusal(diskOf(path, 'inPlace', 'raw'))).toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      message: `The file is a qcow2 image and would be used as raw: ${path}`,
      data: { hint: 'Choose qcow2 as its format.' },
    })
  })

  test('a disk in parts is only converted', async () => {
    const path = await put('d.vmdk', Buffer.from('# Disk DescriptorFile\nRW 8 FLAT "f.vmdk" 0\n'))
    const part = await put('f.vmdk', Buffer.alloc(4096))
    expect(await refusal(diskOf(path, 'copy', 'vmdk'))).toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      message: `The image is not whole by itself, it needs ${part}: ${path}`,
    })
    expect(await errorsOf(diskOf(path, 'convert', 'vmdk'))).toEqual([])
  })

  test('a disk in use by another machine is refused under any of its names, and may be copied with a warning', async () => {
    const path = await put('d.img', makeMbrDisk())
    await maker().create(request({ name: 'first', ...diskOf(path, 'inPlace', 'raw') }), reporter())
    const other = join(folder, 'other-name.img')
    await link(path, other)
    expect(await refusal(diskOf(other, 'inPlace', 'raw'))).toMatchObject({
      code: 'DISK_IN_USE',
      message: `The disk is in use by the machine “first”: ${other}`,
      data: { hint: 'Copy it instead, or delete that machine first.' },
    })
    expect(await maker().check(request(diskOf(path, 'copy', 'raw')))).toMatchObject([
      {
        path: 'source.path',
        severity: 'warning',
        message: 'This is a disk of the machine “first”. Shut that down first, or the copy will be of no use.',
      },
    ])
  })

  test('a file in the folder of another machine is not used in place', async () => {
    const id = await maker().create(request({ name: 'first' }), reporter())
    const inside = join(library.get(id).paths.folder, 'spare.img')
    await writeFile(inside, makeMbrDisk())
    expect(await refusal(diskOf(inside, 'inPlace', 'raw'))).toMatchObject({
      code: 'DISK_IN_USE',
      message: `The file lies in the folder of another machine and would be deleted with it: ${inside}`,
    })
  })

  test('a copy that can not fit is refused before it is begun', async () => {
    const path = await put('d.img', makeMbrDisk())
    await writeFile(path, Buffer.alloc(1024 * 1024, 1))
    await writeFile(path, makeMbrDisk())
    const error = await refusal(diskOf(path, 'copy', 'raw'), { limits: () => Promise.resolve({ ...roomy, freeDiskBytes: 1000 }) })
    expect(error).toMatchObject({ code: 'DISK_FULL', message: 'The copy needs 1.0 MiB, and where the library lies 1000 bytes are free.' })
  })

  test('a kernel and its initial ramdisk have to be there', async () => {
    const kernel = await put('vmlinuz', makeBzImage())
    const empty = await put('initrd', Buffer.alloc(0))
    expect(await errorsOf({ source: { type: 'kernel', kernel, initrd: empty, commandLine: '' } })).toMatchObject([
      { path: 'source.initrd', message: expect.stringContaining(`The file is empty, it has 0 bytes: ${empty}`) as string },
    ])
    expect(await errorsOf({ source: { type: 'kernel', kernel: '/gone', initrd: folder, commandLine: '' } })).toMatchObject([
      { path: 'source.kernel' },
      { path: 'source.initrd' },
    ])
    expect(await maker().check(request({ source: { type: 'kernel', kernel: iso, initrd: null, commandLine: '' } }))).toMatchObject([
      { path: 'source.kernel', severity: 'warning', message: `Nothing shows that this is a Linux kernel for x86: ${iso}` },
    ])
  })
})

describe('what this computer has', () => {
  test('no QEMU: said with what to do', async () => {
    const probe = probeOf({
      ...fullProbe,
      qemu: null,
      qemuProblem: { message: 'QEMU was not found.', remedy: 'Install qemu-system-x86.', searched: [] },
      bestAccelerator: null,
    })
    expect(await refusal({}, { probe })).toMatchObject({
      code: 'QEMU_NOT_FOUND',
      message: 'QEMU was not found.',
      data: { hint: 'Install qemu-system-x86.' },
    })
    await expect(maker({ probe }).createSample(undefined, reporter())).rejects.toMatchObject({ code: 'QEMU_NOT_FOUND' })
  })

  test('no UEFI: only where it is needed or asked for', async () => {
    const probe = probeOf({ ...fullProbe, qemu: { ...fullQemu, firmware: [] } })
    expect(await errorsOf({}, { probe })).toEqual([])
    expect(await refusal({ hardware: { firmware: 'uefi' } }, { probe })).toMatchObject({
      code: 'CAPABILITY_MISSING',
      message: 'UEFI was chosen, and no UEFI firmware was found on this computer.',
    })
    expect(await refusal({ osId: 'windows-11', memoryMiB: 4096 }, { probe })).toMatchObject({
      message: 'Windows 11 needs UEFI, and no UEFI firmware was found on this computer.',
    })
  })

  test('devices and processor models that QEMU lacks are named', async () => {
    const probe = probeOf({ ...fullProbe, qemu: { ...fullQemu, devices: [] } })
    expect(
      (await errorsOf({ hardware: { diskBus: 'nvme', nicModel: 'vmxnet3', display: 'qxl-vga', cpuModel: 'Nehalem' } }, { probe })).map(
        (issue) => issue.path,
      ),
    ).toEqual(['hardware.diskBus', 'hardware.nicModel', 'hardware.display', 'hardware.cpuModel'])
    expect(await errorsOf({ hardware: { cpuModel: 'host' } })).toEqual([])
  })

  test('less than the system needs, and an accelerator that does not work, are warnings', async () => {
    const issues = await maker().check(
      request({ osId: 'windows-10', memoryMiB: 512, processors: 8, newDiskGiB: 200, hardware: { accelerator: 'kvm' } }),
    )
    expect(issues.every((issue) => issue.severity === 'warning')).toBe(true)
    expect(issues.map((issue) => issue.message)).toEqual([
      'This computer has 4 logical processors; a guest with 8 will be slow.',
      'Only 100.0 GiB is free where the library lies; the disk grows as the guest writes and could fill it.',
      'Windows 10 needs at least 2048 MiB of memory.',
      'kvm does not work on this computer now: You may not use /dev/kvm.',
    ])
  })
})

describe('what goes wrong on the way leaves nothing', () => {
  test('a full drive', async () => {
    const full: ImageTool = {
      ...tool,
      create: async (path) => {
        await writeFile(path, 'half')
        throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      },
    }
    expect(await refusal({}, { imageTool: () => full })).toMatchObject({
      code: 'DISK_FULL',
      message: `The drive that holds the library is full; the machine was not made and its space is free again: ${libraryFolder}`,
    })
  })

  test('a cancelled job', async () => {
    const controller = new AbortController()
    const cancelling: ImageTool = {
      ...tool,
      create: (path) => {
        controller.abort()
        return writeFile(path, 'x')
      },
    }
    expect(await refusal({}, { imageTool: () => cancelling }, controller.signal)).toMatchObject({ code: 'CANCELLED' })
    expect(library.list()).toEqual([])
  })
})

describe('the sample', () => {
  test('is made with no questions, and has a name of its own each time', async () => {
    const names: string[] = []
    for (let count = 0; count < 3; count += 1) names.push(library.get(await maker().createSample(undefined, reporter())).definition.name)
    expect(names).toEqual(['Sample', 'Sample 2', 'Sample 3'])
    const { definition, paths } = library.get(await maker().createSample('Mine', reporter()))
    expect(definition).toMatchObject({
      name: 'Mine',
      osId: 'ringside-sample',
      firmware: { type: 'bios' },
      nics: [],
      disks: [{ format: 'qcow2', image: { kind: 'own', path: 'disks/disk0.qcow2' } }],
    })
    expect(await readdir(paths.disksFolder)).toEqual(['disk0.qcow2'])
    expect(await readFile(join(paths.disksFolder, 'disk0.qcow2'))).toEqual(Buffer.alloc(1024, 7))
  })

  test('with a name that is taken, or none at all, is refused', async () => {
    await maker().createSample('Mine', reporter())
    await expect(maker().createSample('mine', reporter())).rejects.toMatchObject({ code: 'NAME_TAKEN' })
    await expect(maker().createSample('../x', reporter())).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: 'A name has no slashes, backslashes or control characters; leave them out.',
    })
  })

  test('counts past what is there in any case', () => {
    expect(freeName('Sample', ['sample', 'SAMPLE 2'])).toBe('Sample 3')
  })
})

test('a new address of a network card is that of a local QEMU machine, and free', () => {
  const taken: string[] = []
  for (let count = 0; count < 100; count += 1) taken.push(randomMacAddress(taken))
  expect(new Set(taken).size).toBe(100)
  expect(taken.every((address) => /^52:54:00(:[0-9a-f]{2}){3}$/u.test(address))).toBe(true)
})
