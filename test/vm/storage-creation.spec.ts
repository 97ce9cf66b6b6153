import { createHash, randomBytes } from 'node:crypto'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RingsideError } from '@shared/errors'
import type { CreateMachineRequest } from '@shared/model'
import { FolderLibrary } from '@core/library'
import { grubIso } from './support/guests'
import { SmallDrive, jobReporter, qemuImg, storageHost } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

/* Machines are made with the real qemu-img, on a drive that becomes full, and with a person who changes their mind. */

const MiB = 1024 * 1024
let folder: TemporaryFolder

beforeEach(async () => {
  folder = await TemporaryFolder.make()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

function request(source: CreateMachineRequest['source'], more: Partial<CreateMachineRequest> = {}): CreateMachineRequest {
  return { name: 'web', osId: 'debian-13', source, processors: 1, memoryMiB: 256, newDiskGiB: null, network: 'user', hardware: {}, ...more }
}

async function info(path: string, format: string): Promise<Record<string, unknown>> {
  return JSON.parse(await qemuImg('info', '--output=json', '-f', format, path)) as Record<string, unknown>
}

/** A disk whose content can't be made smaller by leaving out zeros. */
async function noise(name: string, mebibytes: number): Promise<{ path: string; hash: string }> {
  const path = folder.in(name)
  await writeFile(path, Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa]), randomBytes(mebibytes * MiB - 512)]))
  return { path, hash: await hashOf(path) }
}

async function hashOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

/** 1 MiB with a protective MBR and a GPT of one partition of the given type. */
function gptDisk(typeGuid: string): Buffer {
  const disk = Buffer.alloc(MiB)
  disk[450] = 0xee
  disk.writeUInt16LE(0xaa55, 510)
  disk.write('EFI PART', 512, 'latin1')
  disk.writeBigUInt64LE(2n, 512 + 72)
  disk.writeUInt32LE(128, 512 + 80)
  disk.writeUInt32LE(128, 512 + 84)
  Buffer.from(typeGuid, 'hex').copy(disk, 1024)
  return disk
}

async function refusal(work: Promise<unknown>): Promise<RingsideError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(RingsideError)
  return error as RingsideError
}

test('a new machine from a disc has a thin disk and a store of UEFI variables, both qcow2 that stand alone', async () => {
  const { maker, library } = await storageHost(folder.path)
  const id = await maker.create(
    request({ type: 'cdrom', path: await grubIso() }, { newDiskGiB: 40, hardware: { firmware: 'uefi' } }),
    jobReporter(),
  )
  const { definition, paths } = library.get(id)
  expect(definition.firmware).toEqual({ type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.qcow2' })
  const disk = join(paths.disksFolder, 'disk0.qcow2')
  expect(await info(disk, 'qcow2')).toMatchObject({
    'virtual-size': 40 * 2 ** 30,
    'format-specific': { data: { 'lazy-refcounts': true, 'extended-l2': true, compat: '1.1' } },
  })
  expect((await stat(disk)).blocks * 512).toBeLessThan(4 * MiB)
  expect(await info(join(paths.firmwareFolder, 'nvram.qcow2'), 'qcow2')).not.toHaveProperty('backing-filename')
  expect(
    (await FolderLibrary.open({ folder: join(folder.path, 'library'), runtimeRoot: folder.in('run'), trash: null })).get(id).definition,
  ).toEqual(definition)
})

test.each(['vmdk', 'vdi', 'vhdx', 'qcow2', 'raw'] as const)(
  'a %s is converted to a qcow2 of the same content, and copied to the letter',
  async (format) => {
    const { maker, library } = await storageHost(folder.path)
    const { path: raw } = await noise('noise.raw', 4)
    const path = folder.in(`disk.${format}`)
    await qemuImg('convert', '-f', 'raw', '-O', format, raw, path)
    const before = await hashOf(path)
    const progress: number[] = []
    const converted = await maker.create(
      request({ type: 'disk', path, format, mode: 'convert' }),
      jobReporter((fraction) => {
        if (fraction !== null) progress.push(fraction)
      }),
    )
    await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, join(library.get(converted).paths.disksFolder, 'disk0.qcow2'))
    expect(progress.at(-1)).toBe(1)
    const copied = await maker.create(request({ type: 'disk', path, format, mode: 'copy' }, { name: 'copy' }), jobReporter())
    expect(await hashOf(join(library.get(copied).paths.disksFolder, `disk0.${format}`))).toBe(before)
    expect(await hashOf(path)).toBe(before)
  },
)

test.each([
  ['a GPT with an EFI system partition', gptDisk('28732ac11ff8d211ba4b00a0c93ec93b'), 'uefi'],
  ['a GPT with a BIOS boot partition', gptDisk(Buffer.from('Hah!IdontNeedEFI').toString('hex')), 'bios'],
] as const)('an imported disk with %s starts with its own firmware, in every layout of a qcow2', async (_name, content, firmware) => {
  const { maker, library, storage } = await storageHost(folder.path)
  const raw = folder.in('disk.raw')
  await writeFile(raw, content)
  for (const [index, options] of [[], ['-c'], ['-o', 'extended_l2=on,cluster_size=128k']].entries()) {
    const path = folder.in(`disk${String(index)}.qcow2`)
    await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, path)
    expect((await storage.inspect(path)).bootable).toEqual({ bios: firmware === 'bios', uefi: firmware === 'uefi' })
    const id = await maker.create(
      request(
        { type: 'disk', path, format: 'qcow2', mode: 'inPlace' },
        { name: `m${String(index)}`, osId: firmware === 'bios' ? 'debian-13' : 'linux' },
      ),
      jobReporter(),
    )
    expect(library.get(id).definition.firmware.type).toBe(firmware)
  }
})

test('a disk in parts is joined by a conversion', async () => {
  const { maker, library } = await storageHost(folder.path)
  const { path: raw } = await noise('noise.raw', 4)
  const path = folder.in('split.vmdk')
  await qemuImg('convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=monolithicFlat', raw, path)
  const id = await maker.create(request({ type: 'disk', path, format: 'vmdk', mode: 'convert' }), jobReporter())
  await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, join(library.get(id).paths.disksFolder, 'disk0.qcow2'))
})

test('a disk that is based on a file outside the library becomes one disk with it, once that very file is accepted', async () => {
  const { maker, library } = await storageHost(folder.path)
  const { path: raw, hash } = await noise('base.raw', 4)
  const path = folder.in('overlay.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', raw, '-F', 'raw', path)
  const source = { type: 'disk', path, format: 'qcow2', mode: 'convert' } as const
  expect(await refusal(maker.create(request(source), jobReporter()))).toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  expect(library.list()).toEqual([])
  expect(await refusal(maker.create(request({ ...source, mode: 'copy', acceptedFiles: [raw] }), jobReporter()))).toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  const id = await maker.create(request({ ...source, acceptedFiles: [raw] }), jobReporter())
  const made = join(library.get(id).paths.disksFolder, 'disk0.qcow2')
  await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, made)
  expect(await info(made, 'qcow2')).not.toHaveProperty('backing-filename')
  expect(await hashOf(raw)).toBe(hash)
})

test.each(['convert', 'copy'] as const)('a job that is to %s ends when it is cancelled, and leaves nothing', async (mode) => {
  const { maker, library, libraryFolder } = await storageHost(folder.path)
  const { path, hash } = await noise('noise.raw', 64)
  const controller = new AbortController()
  const reporter = jobReporter((progress) => {
    if (progress !== null) controller.abort()
  }, controller.signal)
  const error = await refusal(maker.create(request({ type: 'disk', path, format: 'raw', mode }), reporter))
  expect(error.code).toBe('CANCELLED')
  expect(await readdir(libraryFolder)).toEqual([])
  expect(library.list()).toEqual([])
  expect(await hashOf(path)).toBe(hash)
})

describe('on a drive that is too small', () => {
  test.for(['convert', 'copy'] as const)(
    'to %s a disk fails in words, gives the space back and leaves the source',
    async (mode, { skip }) => {
      await using drive = await smallDrive(12, skip)
      const { path, hash } = await noise('noise.raw', 32)
      // The check beforehand would find that a copy can't fit; here the drive becomes full while it is written.
      const limits = (): Promise<{ logicalProcessors: number; memoryMiB: number; freeDiskBytes: number }> =>
        Promise.resolve({ logicalProcessors: 4, memoryMiB: 8192, freeDiskBytes: 2 ** 40 })
      const { maker, library, libraryFolder } = await storageHost(drive.path, { limits })
      const free = await drive.freeBytes()
      const error = await refusal(maker.create(request({ type: 'disk', path, format: 'raw', mode }), jobReporter()))
      expect(error).toMatchObject({
        code: 'DISK_FULL',
        message: `The drive that holds the library is full; the machine was not made and its space is free again: ${libraryFolder}`,
        data: { path: libraryFolder, hint: 'Free some space there, use the disk where it is, or move the library with RINGSIDE_DATA.' },
      })
      expect(await readdir(libraryFolder)).toEqual([])
      expect(library.list()).toEqual([])
      expect(await drive.freeBytes()).toBe(free)
      expect(await hashOf(path)).toBe(hash)
    },
  )

  test('a copy that can not fit is refused before it is begun', async ({ skip }) => {
    await using drive = await smallDrive(4, skip)
    const { path } = await noise('noise.raw', 8)
    const { maker } = await storageHost(drive.path)
    const error = await refusal(maker.create(request({ type: 'disk', path, format: 'raw', mode: 'copy' }), jobReporter()))
    expect(error).toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(/^The copy needs 8\.0 MiB, and where the library lies .+ are free\.$/u) as string,
    })
  })

  test('a change of a machine leaves its definition whole', async ({ skip }) => {
    await using drive = await smallDrive(4, skip)
    const { maker, library } = await storageHost(drive.path)
    const id = await maker.create(request({ type: 'blank' }, { newDiskGiB: 1 }), jobReporter())
    const { paths } = library.get(id)
    const before = await readFile(paths.definition, 'utf8')
    await writeFile(join(drive.path, 'filler'), Buffer.alloc(4 * MiB)).catch(() => undefined)
    const error = await refusal(library.update(id, (definition) => ({ ...definition, notes: 'x'.repeat(90_000) })))
    expect(error).toMatchObject({ code: 'DISK_FULL', message: `No space is left on the drive: ${paths.definition}` })
    expect(await readFile(paths.definition, 'utf8')).toBe(before)
    expect((await readdir(paths.folder)).sort()).toEqual(['disks', 'firmware', 'logs', 'machine.json'])
    expect(library.get(id).definition.notes).toBe('')
  })

  async function smallDrive(mebibytes: number, skip: (reason: string) => never): Promise<SmallDrive> {
    const drive = await SmallDrive.mount(folder.in('drive'), mebibytes)
    return typeof drive === 'string' ? skip(drive) : drive
  }
})
