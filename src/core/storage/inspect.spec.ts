import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ErrorCode, RingsideError } from '@shared/errors'
import { loadCatalog } from '../catalog'
import { fileError } from '../config'
import { makeBzImage, makeIso, makeLuks, makeMbrDisk, makeQcow2, makeVdi, makeSparseVmdk, makeVhdFooter, makeVmdk, type Qcow2Options } from './images.fixture'
import type { ImageTool } from './image-tool'
import { type InspectContext, type Inspection, inspectImage } from './inspect'

let folder: string
let library: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-inspect-'))
  library = join(folder, 'library')
  await mkdir(library)
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const refusingTool = (error: RingsideError): ImageTool => ({
  info: () => Promise.reject(error),
  create: () => Promise.reject(error),
  convert: () => Promise.reject(error),
})

function inspect(path: string, context: Partial<InspectContext> = {}): Promise<Inspection> {
  return inspectImage(path, { libraryFolder: library, catalog: loadCatalog(), imageTool: null, ...context })
}

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

/** The one fault that is expected, with its code; its issue says the same in words, with what to do. */
async function faultOf(path: string, code: ErrorCode, context: Partial<InspectContext> = {}): Promise<string> {
  const { report, faults } = await inspect(path, context)
  expect(faults.map((fault) => fault.code)).toEqual([code])
  expect(report.issues[0]).toMatchObject({
    severity: 'error',
    message: `${faults[0]?.message ?? ''}${faults[0]?.message.endsWith('.') === true ? '' : '.'} ${faults[0]?.data.hint ?? ''}`,
  })
  expect(faults[0]?.data.hint).toMatch(/[.']$/u)
  return faults[0]?.message ?? ''
}

describe('an image that was encrypted elsewhere', () => {
  test('says so, and needs its passphrase; nothing is said of what it holds', async () => {
    expect((await inspect(await put('a.qcow2', makeQcow2({ encryption: 2, luksVersion: 1, virtualBytes: 2 ** 30 })))).report).toMatchObject({ kind: 'disk', format: 'qcow2', encryption: 'luks', virtualBytes: 2 ** 30, bootable: null })
    const container = await put('b.img', makeLuks())
    expect((await inspect(container)).report).toMatchObject({ kind: 'disk', format: 'raw', encryption: 'luks', virtualBytes: 2 * 1024 * 1024, bootable: null })
    await faultOf(container, 'KEY_REQUIRED')
    expect((await inspect(await put('c.qcow2', makeQcow2()))).report).not.toHaveProperty('encryption')
  })

  test('with LUKS2 is refused with the way to convert it, alone or in a qcow2', async () => {
    const path = await put('two.img', makeLuks({ version: 2 }))
    expect(await faultOf(path, 'IMAGE_UNSUPPORTED')).toContain('it is encrypted with LUKS2 and QEMU opens LUKS1 only')
    const { report, faults } = await inspect(path)
    expect(faults[0]?.data.hint).toMatch(/cryptsetup luksConvertKey --pbkdf pbkdf2.*cryptsetup convert --type luks1/u)
    expect(report).not.toHaveProperty('encryption')
    expect(await faultOf(await put('two.qcow2', makeQcow2({ encryption: 2, luksVersion: 2 })), 'IMAGE_UNSUPPORTED')).toContain('LUKS2')
  })

  test.each([
    ['in a qcow2 without its header', () => makeQcow2({ encryption: 2 }), 'its LUKS header is missing'],
    ['without a key slot in use', () => makeLuks({ activeSlots: 0 }), 'all of its key slots are empty'],
    ['whose content lies elsewhere', () => makeLuks({ payloadSectors: 0 }), 'its LUKS header lies apart from its content'],
    ['that ends before its content', () => makeLuks({ payloadSectors: 1_000_000 }), 'is cut short'],
  ])('%s is refused', async (_what, make, words) => {
    const { faults } = await inspect(await put('x', make()))
    expect(faults.map(({ message }) => message)).toEqual([expect.stringContaining(words)])
  })

  test('is no base of one that is not encrypted', async () => {
    await writeFile(join(library, 'base.qcow2'), makeQcow2({ encryption: 2, luksVersion: 1 }))
    const based = { backingFile: join(library, 'base.qcow2'), backingFormat: 'qcow2' }
    expect(await faultOf(await put('top.qcow2', makeQcow2(based)), 'IMAGE_UNSUPPORTED')).toContain('it is not encrypted and is based on an image that is')
    await faultOf(await put('sealed.qcow2', makeQcow2({ ...based, encryption: 2, luksVersion: 1 })), 'KEY_REQUIRED')
  })
})

describe('a path that is no usable file', () => {
  test('missing', async () => {
    expect(await faultOf(join(folder, 'gone.iso'), 'FILE_NOT_FOUND')).toBe(`There is no such file: ${join(folder, 'gone.iso')}`)
  })

  test('a folder', async () => {
    expect(await faultOf(folder, 'NOT_A_FILE')).toBe(`This is a folder, not a file: ${folder}`)
  })

  test('empty', async () => {
    const path = await put('empty.qcow2', Buffer.alloc(0))
    expect(await faultOf(path, 'FILE_EMPTY')).toBe(`The file is empty, it has 0 bytes: ${path}`)
  })

  test('not readable', async () => {
    const path = await put('secret.iso', makeIso({ volumeId: 'X' }))
    const open = (): never => {
      throw fileError(Object.assign(new Error(), { code: 'EACCES' }), path, 'read')
    }
    expect(await faultOf(path, 'FILE_UNREADABLE', { open })).toBe(`Permission denied; this can't be read: ${path}`)
  })

  test('relative, or with a zero in it', async () => {
    expect(await faultOf('disk.iso', 'INVALID_INPUT')).toBe('A path has to be complete, from the root: disk.iso')
    expect(await faultOf('/tmp/a\0b', 'INVALID_INPUT')).toBe('A path has no zero characters.')
  })

  test('a link in a circle', async () => {
    await symlink(join(folder, 'b'), join(folder, 'a'))
    await symlink(join(folder, 'a'), join(folder, 'b'))
    expect(await faultOf(join(folder, 'a'), 'FILE_UNREADABLE')).toBe(`Links lead in a circle: ${join(folder, 'a')}`)
  })

  test.runIf(process.platform === 'linux')('a pipe, a socket, a device: it is not waited for', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')])
    expect(await faultOf(join(folder, 'pipe'), 'NOT_A_FILE')).toBe(
      `This is no ordinary file but a device, pipe or socket: ${join(folder, 'pipe')}`,
    )
    expect(await faultOf('/dev/zero', 'NOT_A_FILE')).toMatch(/^This is no ordinary file/u)
    const server: Server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve))
    await faultOf(join(folder, 'socket'), 'FILE_UNREADABLE')
    server.close()
  })
})

describe('a disc', () => {
  test('is recognised', async () => {
    const path = await put('a.iso', makeIso({ volumeId: 'Debian 12.5.0 amd64 n', uefi: true }))
    expect((await inspect(path)).report).toEqual({
      path,
      kind: 'iso',
      actualBytes: expect.any(Number) as number,
      virtualBytes: 40_960,
      format: null,
      volumeId: 'Debian 12.5.0 amd64 n',
      bootable: { bios: true, uefi: true },
      osId: 'debian-12',
      issues: [],
    })
  })

  test.each([
    [{ volumeId: 'X', declaredSectors: 100_000 }, /^The disc is cut short: it says that it has 195 MiB, and the file has 40 KiB\./u],
    [{ volumeId: 'X', bios: false }, /^This disc is not bootable; a machine will not start from it\.$/u],
    [{ volumeId: 'Debian 12.5.0 arm64 n' }, /^This disc is made for arm64 processors; an x86 machine will not start from it\./u],
  ])('with something odd gives a warning: %j', async (options, message) => {
    const { report, faults } = await inspect(await put('a.iso', makeIso(options)))
    expect(faults).toEqual([])
    expect(report.issues).toMatchObject([{ severity: 'warning', message: expect.stringMatching(message) as string }])
  })
})

describe('a qcow2', () => {
  const made = async (options: Qcow2Options, name = 'disk.qcow2'): Promise<string> => put(name, makeQcow2(options))

  test('that is whole has its size', async () => {
    expect((await inspect(await made({ virtualBytes: 7 * 2 ** 20 }))).report).toMatchObject({
      kind: 'disk',
      format: 'qcow2',
      virtualBytes: 7 * 2 ** 20,
      issues: [],
    })
  })

  test('cut within its header, its tables or its data is damaged', async () => {
    const path = await made({ dataOffset: 5 * 65_536 })
    await truncate(path, 5 * 65_536)
    expect(await faultOf(path, 'IMAGE_DAMAGED')).toBe(
      `The qcow2 image is cut short: it has 320 KiB, and its tables speak of at least 384 KiB: ${path}`,
    )
    await truncate(path, 1000)
    expect(await faultOf(path, 'IMAGE_DAMAGED')).toBe(
      `The qcow2 image is cut short: it has 1000 bytes, and its tables speak of at least 256 KiB: ${path}`,
    )
    await truncate(path, 50)
    expect(await faultOf(path, 'IMAGE_DAMAGED')).toBe(`The qcow2 image is damaged, it ends within its header, after 50 bytes: ${path}`)
  })

  test.each([
    ['/etc/shadow', '/etc/shadow'],
    ['json:{"driver":"nbd"}', 'json:{"driver":"nbd"}'],
    ['nbd://host/x', 'nbd://host/x'],
    ['../../../../../etc/shadow', '/etc/shadow'],
  ])('based on %s is refused, naming both', async (backingFile, named) => {
    const path = await made({ backingFile, backingFormat: 'raw' })
    expect(await faultOf(path, 'BACKING_FILE_OUTSIDE')).toBe(`The image is based on a file outside the library: ${path} needs ${named}`)
  })

  test('based on a file beside it outside the library is refused, whether it is there or not', async () => {
    const path = await made({ backingFile: 'base.qcow2', backingFormat: 'qcow2' })
    const message = `The image is based on a file outside the library: ${path} needs ${join(folder, 'base.qcow2')}`
    expect(await faultOf(path, 'BACKING_FILE_OUTSIDE')).toBe(message)
    await made({}, 'base.qcow2')
    expect(await faultOf(path, 'BACKING_FILE_OUTSIDE')).toBe(message)
  })

  test('based on a file outside is read with it once a person accepted that very file, and no other', async () => {
    const path = await made({ backingFile: 'base.qcow2', backingFormat: 'qcow2' })
    const base = await made({ backingFile: 'deep.raw', backingFormat: 'raw' }, 'base.qcow2')
    const deep = join(folder, 'deep.raw')
    expect((await inspect(path)).report.unacceptedFile).toBe(base)
    // Another file of that folder says nothing of this one; and what lies deeper is asked for by itself.
    expect((await inspect(path, { acceptedFiles: [join(folder, 'other.qcow2')] })).report.unacceptedFile).toBe(base)
    const half = await inspect(path, { acceptedFiles: [base] })
    expect(half.faults).toMatchObject([{ code: 'BACKING_FILE_OUTSIDE', message: `The image is based on a file outside the library: ${base} needs ${deep}` }])
    expect(half.report.unacceptedFile).toBe(deep)
    expect((await inspect(path, { acceptedFiles: [base, deep] })).faults).toMatchObject([{ code: 'FILE_NOT_FOUND', message: `The image is based on a file that is not there: ${base} needs ${deep}` }])
    await put('deep.raw', Buffer.alloc(4096))
    const { faults, report, dependsOn } = await inspect(path, { acceptedFiles: [base, deep] })
    expect(faults).toEqual([])
    expect(report.unacceptedFile).toBeUndefined()
    expect(dependsOn).toEqual([base, deep])
  })

  test('whose accepted file is a link asks for what the link leads to, and takes no device, folder or other format', async () => {
    const link = join(folder, 'link.raw')
    await symlink('/etc/hostname', link)
    const path = await made({ backingFile: 'link.raw', backingFormat: 'raw' })
    expect((await inspect(path, { acceptedFiles: [link] })).report.unacceptedFile).toBe('/etc/hostname')
    expect((await inspect(path, { acceptedFiles: ['/etc/hostname'] })).faults).toEqual([])
    expect((await inspect(await made({ backingFile: '/dev/zero', backingFormat: 'raw' }), { acceptedFiles: ['/dev/zero'] })).faults).toMatchObject([{ code: 'IMAGE_UNSUPPORTED' }])
    await put('base.vmdk', Buffer.alloc(4096))
    expect((await inspect(await made({ backingFile: 'base.vmdk', backingFormat: 'vmdk' }), { acceptedFiles: [join(folder, 'base.vmdk')] })).faults).toMatchObject([{ code: 'IMAGE_UNSUPPORTED' }])
  })

  test('based on a link in the library that leads out of it is refused', async () => {
    await symlink('/etc/hostname', join(library, 'link'))
    const path = await made({ backingFile: join(library, 'link'), backingFormat: 'raw' })
    await faultOf(path, 'BACKING_FILE_OUTSIDE')
  })

  test('based on images of the library is accepted, down to the last, and says what it needs', async () => {
    await rename(await made({}, 'base'), join(library, 'base.qcow2'))
    await rename(await made({ backingFile: 'base.qcow2', backingFormat: 'qcow2' }), join(library, 'middle.qcow2'))
    const path = await made({ backingFile: join(library, 'middle.qcow2'), backingFormat: 'qcow2' })
    const { faults, dependsOn } = await inspect(path)
    expect(faults).toEqual([])
    expect(dependsOn).toEqual([join(library, 'middle.qcow2'), join(library, 'base.qcow2')])
    await rename(await made({ backingFile: '/etc/shadow', backingFormat: 'raw' }, 'evil'), join(library, 'base.qcow2'))
    expect(await faultOf(path, 'BACKING_FILE_OUTSIDE')).toBe(
      `The image is based on a file outside the library: ${join(library, 'base.qcow2')} needs /etc/shadow`,
    )
    await rm(join(library, 'base.qcow2'))
    expect(await faultOf(path, 'FILE_NOT_FOUND')).toBe(
      `The image is based on a file that is not there: ${join(library, 'middle.qcow2')} needs ${join(library, 'base.qcow2')}`,
    )
  })

  test('based on itself, or on one of unstated format, is refused', async () => {
    await rename(await made({ backingFile: 'self.qcow2', backingFormat: 'qcow2' }), join(library, 'self.qcow2'))
    expect(await faultOf(join(library, 'self.qcow2'), 'IMAGE_UNSUPPORTED')).toContain('a chain of more than 32 images, or on itself')
    const path = await made({ backingFile: join(library, 'self.qcow2') })
    expect(await faultOf(path, 'IMAGE_UNSUPPORTED')).toContain('it does not state the format of the file that it is based on')
  })

  test.each([
    [
      'a data file',
      { dataFile: '/etc/shadow' },
      'BACKING_FILE_OUTSIDE',
      'The image keeps its content in a file outside the library: PATH needs /etc/shadow',
    ],
    [
      'an unnamed data file',
      { features: 4n },
      'BACKING_FILE_OUTSIDE',
      'The image keeps its content in a file outside the library: PATH needs a data file that it does not name',
    ],
    ['old encryption', { encryption: 1 }, 'IMAGE_UNSUPPORTED', "This image can't be used, it is encrypted (AES): PATH"],
    ['encryption', { encryption: 2, luksVersion: 1 }, 'KEY_REQUIRED', 'The image is encrypted with a passphrase of its own: PATH'],
    [
      'an unknown version',
      { version: 4 },
      'IMAGE_UNSUPPORTED',
      "This image can't be used, its qcow version is 4 and only 2 and 3 are known: PATH",
    ],
    [
      'unknown features',
      { features: 64n },
      'IMAGE_UNSUPPORTED',
      "This image can't be used, it uses qcow2 features that are not known here (bits 1000000): PATH",
    ],
    ['the mark of corruption', { features: 2n }, 'IMAGE_DAMAGED', 'The qcow2 image is marked as corrupt: PATH'],
  ] as const)('with %s is refused', async (_what, options, code, message) => {
    const path = await made(options)
    expect(await faultOf(path, code)).toBe(message.replace('PATH', path))
  })

  test('that QEMU cannot read is damaged; one that is locked only gives a warning', async () => {
    const path = await made({})
    const failed = (stderrTail: string): RingsideError =>
      new RingsideError('QEMU_FAILED', 'qemu-img failed.', {
        process: { command: 'qemu-img', argv: [], exitCode: 1, signal: null, stderrTail },
      })
    expect(
      await faultOf(path, 'IMAGE_DAMAGED', { imageTool: refusingTool(failed("qemu-img: Could not open 'x': Invalid L1 table\n")) }),
    ).toBe(`QEMU can't read this qcow2 image: ${path} (Could not open 'x': Invalid L1 table)`)
    const locked = await inspect(path, { imageTool: refusingTool(new RingsideError('DISK_IN_USE', 'Locked.')) })
    expect(locked.faults).toEqual([])
    expect(locked.report.issues).toMatchObject([
      { severity: 'warning', message: 'Another program has this image open for writing, perhaps a running machine.' },
    ])
  })

  test('that is refused is never given to QEMU', async () => {
    const path = await made({ backingFile: '/etc/shadow', backingFormat: 'raw' })
    const tool = refusingTool(new RingsideError('INTERNAL', 'It was opened.'))
    expect(await faultOf(path, 'BACKING_FILE_OUTSIDE', { imageTool: tool })).not.toContain('opened')
  })
})

describe('a vmdk', () => {
  test('whose parts lie beside it is accepted, and says what it needs', async () => {
    const path = await put('disk.vmdk', Buffer.from('# Disk DescriptorFile\nRW 8 FLAT "disk-flat.vmdk" 0\n'))
    const flat = await put('disk-flat.vmdk', Buffer.alloc(4096, 1))
    const { report, faults, dependsOn } = await inspect(path)
    expect(faults).toEqual([])
    expect(dependsOn).toEqual([flat])
    expect(report.virtualBytes).toBe(4096)
    await rm(flat)
    expect(await faultOf(path, 'FILE_NOT_FOUND')).toBe(`The image is based on a file that is not there: ${path} needs ${flat}`)
  })

  test.each(['/etc/shadow', '../x.vmdk', 'sub/x.vmdk', 'nbd://h/x'])('that names %s as a part is refused', async (extent) => {
    const path = await put('disk.vmdk', Buffer.from(`# Disk DescriptorFile\nRW 8 FLAT "${extent}" 0\n`))
    expect(await faultOf(path, 'BACKING_FILE_OUTSIDE')).toBe(
      `The image keeps its content in a file outside the library: ${path} needs ${extent}`,
    )
  })

  test('with a part that is a link out of its folder, or a qcow2, is refused', async () => {
    const path = await put('disk.vmdk', Buffer.from('# Disk DescriptorFile\nRW 8 FLAT "flat" 0\n'))
    await symlink('/etc/hostname', join(folder, 'flat'))
    await faultOf(path, 'BACKING_FILE_OUTSIDE')
    await rm(join(folder, 'flat'))
    await put('flat', makeQcow2({ backingFile: '/etc/shadow' }))
    expect(await faultOf(path, 'IMAGE_UNSUPPORTED')).toContain('is itself a qcow2 image')
  })

  test('that was cut short is refused, in one file or with a part of its own', async () => {
    const whole = makeSparseVmdk()
    expect((await inspect(await put('whole.vmdk', whole))).faults).toEqual([])
    expect(await faultOf(await put('cut.vmdk', whole.subarray(0, 16 * 512)), 'IMAGE_DAMAGED')).toContain('is cut short')
    expect(await faultOf(await put('tables.vmdk', whole.subarray(0, 3 * 512)), 'IMAGE_DAMAGED')).toContain('is cut short')
    const stream = makeSparseVmdk({ atEnd: true })
    expect((await inspect(await put('stream.vmdk', stream))).faults).toEqual([])
    expect(await faultOf(await put('cut-stream.vmdk', stream.subarray(0, -1024)), 'IMAGE_DAMAGED')).toContain('is cut short')
    const path = await put('parts.vmdk', Buffer.from('# Disk DescriptorFile\nRW 8 FLAT "parts-flat.vmdk" 0\n'))
    await put('parts-flat.vmdk', Buffer.alloc(2048, 1))
    expect(await faultOf(path, 'IMAGE_DAMAGED')).toContain('it has 2.0 KiB, and its tables speak of at least 4.0 KiB')
  })

  test('that holds only changes is refused', async () => {
    const path = await put('disk.vmdk', makeVmdk('parentFileNameHint="base.vmdk"\n'))
    expect(await faultOf(path, 'BACKING_FILE_OUTSIDE')).toBe(
      `The image holds only the changes of a file outside the library: ${path} needs base.vmdk`,
    )
  })
})

test('disks of other programs have their size, and those that are half a disk are refused', async () => {
  expect((await inspect(await put('a.vdi', makeVdi(1, 12_345_600)))).report).toMatchObject({
    format: 'vdi',
    virtualBytes: 12_345_600,
    issues: [],
  })
  const cut = makeVdi(1, 2 ** 30)
  cut.writeUInt32LE(512, 0x158)
  cut.writeUInt32LE(2 ** 20, 0x178)
  cut.writeUInt32LE(3, 0x184)
  expect(await faultOf(await put('cut.vdi', cut), 'IMAGE_DAMAGED')).toContain('is cut short')
  expect((await inspect(await put('whole.vdi', Buffer.concat([cut, Buffer.alloc(2 * 2 ** 20)])))).faults).toEqual([])
  expect(await faultOf(await put('b.vdi', makeVdi(4, 1)), 'IMAGE_UNSUPPORTED')).toContain(
    'it holds only the changes of another VirtualBox disk',
  )
  expect((await inspect(await put('a.vhd', Buffer.concat([makeMbrDisk(), makeVhdFooter(2, 1024 * 1024)])))).report).toMatchObject({
    format: 'vpc',
    virtualBytes: 1024 * 1024,
  })
  expect(await faultOf(await put('b.vhd', Buffer.concat([Buffer.alloc(4096), makeVhdFooter(4, 4096)])), 'IMAGE_UNSUPPORTED')).toContain(
    'it holds only the changes of another disk',
  )
  expect(await faultOf(await put('c.vhd', Buffer.concat([makeVhdFooter(3, 4096), Buffer.alloc(4096)])), 'IMAGE_DAMAGED')).toContain(
    'its footer is missing',
  )
})

test('raw disks, kernels and archives are told apart, and the unknown is left to the person', async () => {
  expect((await inspect(await put('a.img', makeMbrDisk()))).report).toMatchObject({
    kind: 'disk',
    format: 'raw',
    virtualBytes: 1024 * 1024,
    issues: [],
  })
  expect((await inspect(await put('vmlinuz', makeBzImage()))).report).toMatchObject({ kind: 'kernel', issues: [] })
  const gz = await put('disk.gz', Buffer.from([0x1f, 0x8b, 8, 0]))
  expect(await faultOf(gz, 'IMAGE_UNSUPPORTED')).toBe(`This image can't be used, it is compressed with gzip: ${gz}`)
  const { report } = await inspect(await put('notes.txt', Buffer.from('hello')))
  expect(report).toMatchObject({
    kind: 'unknown',
    format: null,
    issues: [{ severity: 'warning' }, { severity: 'warning', message: 'A raw disk has a multiple of 512 bytes, and this file has 5.' }],
  })
})
