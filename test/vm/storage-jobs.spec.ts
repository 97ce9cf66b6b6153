import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { DiskWork, SmallestSize, StorageImage } from '@shared/model'
import { checksumIn } from '@shared/model'
import { newDiskOptions } from '@core/creation'
import { prepareGuests } from './support/guests'
import { guestReady } from './support/initrd'
import { OpenLibrary } from './support/open-library'
import { processesNaming } from './support/processes'
import { addMachines, HostProcess, type NewMachine } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { qemuImg, qemuIo, SmallDrive } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* Work on disk images, with the real qemu-img and a guest that runs. */

const MiB = 2 ** 20
const at = useLibrary()

/** A machine with one disk that nothing has been installed on. */
const plain = (name: string, definition: NewMachine['definition'] = {}): NewMachine => ({
  name,
  definition: { disks: [{ id: 'data', image: { kind: 'own', path: 'disks/data.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }], boot: { order: ['data'] }, ...definition },
  async prepare({ disksFolder }) {
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', newDiskOptions.join(','), join(disksFolder, 'data.qcow2'), String(64 * MiB))
  },
})

/** Does a piece of work to its end. @returns the notes of its job */
async function done({ services }: OpenLibrary, work: DiskWork): Promise<string[]> {
  const { machineId } = await services.images.requirePossible(work)
  const job = await services.jobs.ended(services.jobs.run({ kind: 'disk.check', title: work.kind, machineId, cancellable: true }, (reporter) => services.images.work(work, reporter)).id)
  if (job.state !== 'succeeded') throw new Error(`${work.kind}: ${job.error?.message ?? job.state}`)
  return job.notes
}

async function imageNamed({ services }: OpenLibrary, name: string | RegExp): Promise<StorageImage> {
  const { images } = await services.images.overview()
  const image = images.find((one) => (typeof name === 'string' ? one.name === name : name.test(one.name)))
  if (image === undefined) throw new Error(`No image ${String(name)} among ${images.map((one) => one.path).join(', ')}`)
  return image
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const virtualBytes = async (path: string): Promise<number> => (JSON.parse(await qemuImg('info', '--output=json', '-U', '-f', 'qcow2', path)) as { 'virtual-size': number })['virtual-size']
const drivenBytes = async (path: string): Promise<number> => (await stat(path)).blocks * 512
const hidden = async (folder: string): Promise<string[]> => (await readdir(folder)).filter((name) => name.startsWith('.'))

test('images are made, copied, converted among all formats and back, and read the same all the way', async () => {
  await addMachines(at.library, [plain('One')])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const folder = join(at.library.data, 'images')
  const first = join(folder, 'first.qcow2')
  await done(open, { kind: 'create', path: first, format: 'qcow2', sizeBytes: 48 * MiB, preallocated: false })
  await qemuIo(first, ['write -P 7 1M 3M', 'write -P 9 40M 1M'])
  const content = Buffer.alloc(48 * MiB)
  content.fill(7, MiB, 4 * MiB).fill(9, 40 * MiB, 41 * MiB)
  expect(checksumIn(await done(open, { kind: 'checksum', path: first }))).toBe(sha256(content))
  for (const format of ['raw', 'vmdk', 'vdi', 'vhdx', 'vpc'] as const) {
    const to = join(folder, `other.${format}`)
    await done(open, { kind: 'convert', path: first, to, format })
    expect(checksumIn(await done(open, { kind: 'checksum', path: to })), format).toBe(sha256(content))
    await done(open, { kind: 'convert', path: to, to: join(folder, `back-${format}.qcow2`), format: 'qcow2' })
    expect(checksumIn(await done(open, { kind: 'checksum', path: join(folder, `back-${format}.qcow2`) })), `back from ${format}`).toBe(sha256(content))
  }
  await done(open, { kind: 'copy', path: first, to: join(folder, 'copy.qcow2') })
  await done(open, { kind: 'create', path: join(folder, 'full.raw'), format: 'raw', sizeBytes: 4 * MiB, preallocated: true })
  expect(await drivenBytes(join(folder, 'full.raw'))).toBeGreaterThanOrEqual(4 * MiB)
  expect(await done(open, { kind: 'check', path: first })).toEqual(['It is sound.'])
  expect((await imageNamed(open, 'first.qcow2')).check).toMatchObject({ result: 'sound', changedSince: false })
  await expect(done(open, { kind: 'copy', path: first, to: join(folder, 'copy.qcow2') })).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  await expect(done(open, { kind: 'copy', path: first, to: join(dirname((await imageNamed(open, 'data.qcow2')).path), 'x.qcow2') })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await done(open, { kind: 'delete', path: first, permanently: true })
  await expect(imageNamed(open, 'first.qcow2')).rejects.toThrow()
  expect(await hidden(folder)).toEqual([])
  await expect(done(open, { kind: 'checksum', path: join(at.library.data, 'settings.json') })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
})

test('with snapshots the top layer grows, is compacted beside its backing file, and the layers below are refused', async () => {
  const [id = ''] = await addMachines(at.library, [plain('Layered')])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const base = (await imageNamed(open, 'data.qcow2')).path
  await qemuIo(base, ['write -P 1 0 8M'])
  await open.calls.snapshots.take(id, { name: 'Before', description: '', memory: false, quiesce: false })
  const top = await imageNamed(open, /^data\.[0-9a-f]{8}\.qcow2$/u)
  expect(top.below).toBe(base)
  expect(await imageNamed(open, 'data.qcow2')).toMatchObject({ readers: [top.path], obstacles: { grow: expect.stringContaining('“Before”') as string, delete: expect.any(String) as string, compact: null } })
  // Zeroes over what the snapshot holds have to stay, and zeroes over nothing are room for nothing.
  await qemuIo(top.path, ['write -P 0 0 4M', 'write -P 0 16M 16M', 'write -P 5 6M 1M'])
  const before = checksumIn(await done(open, { kind: 'checksum', path: top.path }))
  const took = await drivenBytes(top.path)
  expect((await done(open, { kind: 'compact', path: top.path })).join()).toMatch(/were given back/u)
  expect(await drivenBytes(top.path)).toBeLessThan(took / 4)
  expect(checksumIn(await done(open, { kind: 'checksum', path: top.path }))).toBe(before)
  expect(JSON.parse(await qemuImg('info', '--output=json', '-f', 'qcow2', top.path))).toMatchObject({ 'backing-filename': 'data.qcow2', 'backing-filename-format': 'qcow2' })
  await done(open, { kind: 'grow', path: top.path, sizeBytes: 96 * MiB })
  expect([await virtualBytes(top.path), await virtualBytes(base)]).toEqual([96 * MiB, 64 * MiB])
  await expect(done(open, { kind: 'grow', path: base, sizeBytes: 96 * MiB })).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await expect(done(open, { kind: 'delete', path: base, permanently: true })).rejects.toMatchObject({ code: 'DISK_IN_USE' })
  expect(await done(open, { kind: 'check', path: top.path })).toEqual(['It is sound.'])
})

test('a disk is made smaller only where that is proved to lose nothing', async () => {
  await addMachines(at.library, [plain('Small')])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { path } = await imageNamed(open, 'data.qcow2')
  const smallest = (): Promise<SmallestSize> => open.services.images.smallestSize(path, new AbortController().signal)
  const shrink = (sizeBytes: number): Promise<string[]> => done(open, { kind: 'shrink', path, sizeBytes })
  expect(await smallest()).toEqual({ sizeBytes: 512, why: 'It is empty.' })
  await qemuIo(path, ['write -P 3 1M 1M'])
  expect(await smallest()).toEqual({ sizeBytes: null, why: expect.stringContaining('no partition table') as string })
  await expect(shrink(32 * MiB)).rejects.toThrow(/no partition table/u)
  // An MBR with one partition from 1 MiB to 20 MiB.
  const table = Buffer.alloc(512)
  table[450] = 0x83
  table.writeUInt32LE(2048, 454)
  table.writeUInt32LE(19 * 2048, 458)
  table.writeUInt16LE(0xaa55, 510)
  const sector = join(at.library.data, 'sector')
  await writeFile(sector, table)
  await qemuIo(path, [`write -s ${sector} 0 512`, 'write -P 0 50M 1M', 'write -P 8 60M 1M'])
  await expect(shrink(16 * MiB)).rejects.toThrow(/partitions reach as far as 20 MiB/u)
  await expect(shrink(32 * MiB)).rejects.toThrow(/there is data/u)
  expect(await virtualBytes(path)).toBe(64 * MiB)
  expect(await smallest()).toEqual({ sizeBytes: 61 * MiB, why: expect.stringContaining('data') as string })
  await qemuIo(path, ['write -P 0 60M 1M'])
  expect(await smallest()).toEqual({ sizeBytes: 20 * MiB, why: expect.stringContaining('partitions reach') as string })
  await shrink(32 * MiB)
  expect(await virtualBytes(path)).toBe(32 * MiB)
  expect(await done(open, { kind: 'check', path })).toEqual(['It is sound.'])
})

test('lost space is given back, damage is told, and a copy is kept before it is mended', async () => {
  await addMachines(at.library, [plain('Broken')])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { path } = await imageNamed(open, 'data.qcow2')
  await qemuIo(path, ['write -P 3 0 4M'])
  // The first entry of the first block of reference counts: that of the header.
  const bytes = await readFile(path)
  const table = Number(bytes.readBigUInt64BE(48))
  const block = Number(bytes.readBigUInt64BE(table))
  bytes.writeUInt16BE(0, block + 8)
  await writeFile(path, bytes)
  expect((await done(open, { kind: 'check', path })).join()).toMatch(/It is damaged/u)
  expect((await imageNamed(open, 'data.qcow2')).check?.result).toBe('damaged')
  const notes = await done(open, { kind: 'repair', path, what: 'all' })
  expect(notes.at(-1)).toBe('It is sound.')
  const kept = /kept: (.+)$/u.exec(notes[0] ?? '')?.[1] ?? ''
  expect(sha256(await readFile(kept))).toBe(sha256(bytes))
  expect((await open.services.images.overview()).orphans).toMatchObject([{ files: [{ path: expect.stringContaining('before-repair') as string }] }])
})

test('an image that reads from a file outside the library is refused before QEMU sees it', async () => {
  await addMachines(at.library, [plain('Guarded')])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const folder = join(at.library.data, 'images')
  await mkdir(folder, { recursive: true })
  const hostile = join(folder, 'hostile.qcow2')
  await qemuImg('create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', hostile, '1M')
  for (const work of [
    { kind: 'convert', path: hostile, to: join(folder, 'x.raw'), format: 'raw' }, { kind: 'checksum', path: hostile }, { kind: 'check', path: hostile }, { kind: 'repair', path: hostile, what: 'all' },
    { kind: 'grow', path: hostile, sizeBytes: 2 * MiB }, { kind: 'compact', path: hostile },
  ] as const) await expect(done(open, work), work.kind).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
})

test('an image from elsewhere is brought in in its own format or the one that is said, with exactly the file that it is based on', async () => {
  await using open = await OpenLibrary.open(at.programs, at.library)
  const [elsewhere, folder] = [join(at.library.data, 'elsewhere'), join(at.library.data, 'images')]
  for (const made of [elsewhere, folder]) await mkdir(made, { recursive: true })
  const [base, overlay, unnamed] = [join(elsewhere, 'base.raw'), join(elsewhere, 'overlay.qcow2'), join(elsewhere, 'unnamed.img')]
  const content = Buffer.alloc(MiB, 0x5a)
  for (const path of [base, unnamed]) await writeFile(path, content)
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, overlay)
  await qemuIo(overlay, ['write -q -P 7 0 64k'])
  content.fill(7, 0, 65_536)
  const bringIn = (path: string, changes: Partial<Extract<DiskWork, { kind: 'convert' }>> = {}): Promise<string[]> => done(open, { kind: 'convert', path, to: join(folder, 'in.qcow2'), format: 'qcow2', ...changes })
  for (const acceptedFiles of [[], [unnamed], [elsewhere]]) await expect(bringIn(overlay, { acceptedFiles })).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  await bringIn(overlay, { acceptedFiles: [base] })
  expect(await qemuImg('info', join(folder, 'in.qcow2'))).not.toContain('backing')
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', join(folder, 'in.qcow2'), join(elsewhere, 'out'))
  expect(sha256(await readFile(join(elsewhere, 'out')))).toBe(sha256(content))
  // One that is listed already, and refused for what it is based on.
  const listed = join(folder, 'listed.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, listed)
  expect((await imageNamed(open, 'listed.qcow2')).fault).toContain('outside the library')
  expect((await open.services.storage.inspect(listed)).unacceptedFile).toBe(base)
  await bringIn(listed, { to: join(folder, 'whole.qcow2'), acceptedFiles: [base] })
  expect(await qemuImg('info', join(folder, 'whole.qcow2'))).not.toContain('backing')
  await expect(bringIn(unnamed, { to: join(folder, 'raw.qcow2') })).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED' })
  await expect(bringIn(overlay, { to: join(folder, 'raw.qcow2'), sourceFormat: 'vmdk', acceptedFiles: [base] })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await bringIn(unnamed, { to: join(folder, 'raw.qcow2'), sourceFormat: 'raw' })
  expect((await readdir(folder)).toSorted()).toEqual(['in.qcow2', 'listed.qcow2', 'raw.qcow2', 'whole.qcow2'])
})

test('a disk that lies elsewhere, by way of a link, belongs to its machine, and its folder is a place', async () => {
  const elsewhere = join(at.library.data, 'elsewhere')
  await mkdir(elsewhere)
  await qemuImg('create', '-q', '-f', 'qcow2', join(elsewhere, 'real.qcow2'), '8M')
  await qemuImg('create', '-q', '-f', 'raw', join(elsewhere, 'beside.raw'), '1M')
  await symlink(join(elsewhere, 'real.qcow2'), join(at.library.data, 'link.qcow2'))
  await addMachines(at.library, [plain('Outside', { disks: [{ id: 'data', image: { kind: 'external', path: join(at.library.data, 'link.qcow2') }, format: 'qcow2', bus: 'virtio-blk' }] })])
  await using open = await OpenLibrary.open(at.programs, at.library)
  expect(await imageNamed(open, 'real.qcow2')).toMatchObject({ owner: null, users: [{ machineName: 'Outside', direct: true, diskId: 'data' }], obstacles: { delete: '“Outside” needs it.' } })
  expect((await imageNamed(open, 'beside.raw')).users).toEqual([])
  const { places } = await open.services.images.overview()
  expect(places.filter(({ kind }) => kind === 'elsewhere')).toMatchObject([{ path: elsewhere, capacityBytes: expect.any(Number) as number }])
  await expect(done(open, { kind: 'delete', path: join(at.library.data, 'link.qcow2'), permanently: true })).rejects.toMatchObject({ code: 'DISK_IN_USE' })
  await done(open, { kind: 'grow', path: join(at.library.data, 'link.qcow2'), sizeBytes: 16 * MiB })
  expect(await virtualBytes(join(elsewhere, 'real.qcow2'))).toBe(16 * MiB)
})

test('a running guest sees its disk grow, and what would need it off is refused with the reason', async () => {
  const { kernel, initrd, commandLine } = (await prepareGuests()).linux
  const [id = ''] = await addMachines(at.library, [plain('Running', {
    memoryMiB: 192, boot: { order: [], kernel: { kernel: { kind: 'external', path: kernel }, initrd: { kind: 'external', path: initrd }, commandLine } },
  })])
  await using open = await OpenLibrary.open(at.programs, at.library)
  await open.calls.machines.start(id)
  const { path } = await imageNamed(open, 'data.qcow2')
  using serial = new SerialSession(await open.openConsole(id, 'serial'))
  await serial.waitFor(guestReady)
  await serial.run('until [ -e /sys/block/vda ]; do sleep 0.1; done')
  expect(await serial.run('cat /sys/block/vda/size')).toContain(String((64 * MiB) / 512))
  expect((await done(open, { kind: 'grow', path, sizeBytes: 128 * MiB })).join('\n')).toMatch(/growpart/u)
  await serial.run(`until grep -q ${String((128 * MiB) / 512)} /sys/block/vda/size; do sleep 0.1; done`)
  expect(await virtualBytes(path)).toBe(128 * MiB)
  const { obstacles } = await imageNamed(open, 'data.qcow2')
  expect(obstacles.grow).toBeNull()
  for (const kind of ['shrink', 'compact', 'copy', 'check', 'repair', 'checksum', 'convert', 'delete'] as const) expect(obstacles[kind], kind).toContain('Running')
  await expect(done(open, { kind: 'compact', path })).rejects.toMatchObject({ code: 'DISK_IN_USE' })
})

test('killed in the middle of compacting or converting, the image is as it was and no half file has a real name', async () => {
  const [id = ''] = await addMachines(at.library, [plain('Killed')])
  const path = await (async () => {
    await using open = await OpenLibrary.open(at.programs, at.library)
    return (await imageNamed(open, 'data.qcow2')).path
  })()
  await qemuIo(path, ['write -P 3 0 8M', 'write -P 0 8M 40M', 'write -P 4 48M 4M'])
  const to = join(at.library.data, 'images', 'converted.raw')
  const works: DiskWork[] = [{ kind: 'compact', path }, { kind: 'convert', path, to, format: 'raw' }]
  for (const work of works) {
    const before = sha256(await readFile(path))
    await using host = await HostProcess.start(at.programs, at.library)
    // The new file is whole, but has no name yet and is in nobody's place.
    await host.holdAt({ index: 1, name: 'image:written' }, (calls) => calls.images.work(work))
    expect(await hidden(work.kind === 'compact' ? dirname(path) : dirname(to))).toHaveLength(1)
    await host.kill()
    expect(sha256(await readFile(path))).toBe(before)
    await expect(stat(to)).rejects.toMatchObject({ code: 'ENOENT' })
    await using next = await OpenLibrary.open(at.programs, at.library)
    expect(await hidden(work.kind === 'compact' ? dirname(path) : dirname(to))).toEqual([])
    expect((await next.services.images.overview()).orphans).toEqual([])
    expect(next.services.machines.get(id).task).toBeNull()
    await done(next, work)
  }
  expect(await drivenBytes(path)).toBeLessThan(16 * MiB)
  const content = Buffer.alloc(64 * MiB)
  content.fill(3, 0, 8 * MiB).fill(4, 48 * MiB, 52 * MiB)
  expect(sha256(await readFile(to))).toBe(sha256(content))
})

test('the next host ends the qemu-img processes that a killed one left behind, and removes what they wrote', async () => {
  const [, id = ''] = await addMachines(at.library, [plain('Left'), { name: 'Given', definition: { disks: [] } }])
  const path = await (async () => {
    await using open = await OpenLibrary.open(at.programs, at.library)
    return (await imageNamed(open, 'data.qcow2')).path
  })()
  await qemuImg('resize', '-q', '-f', 'qcow2', path, '600M')
  await qemuIo(path, ['write -P 3 0 400M'])
  const raw = join(at.library.data, 'given.raw')
  await writeFile(raw, randomBytes(200 * MiB))
  const to = join(at.library.data, 'images', 'converted.raw')
  const adding = { bus: 'virtio-blk', readOnly: false, source: { kind: 'copy', path: raw, format: 'raw' } } as const
  await using host = await HostProcess.start(at.programs, at.library)
  const { folder } = await host.get(id)
  const helpers = new Set<number>()
  const works = [host.calls.images.work({ kind: 'convert', path, to, format: 'raw' }), host.calls.hardware.addDisk(id, adding)]
  for (const work of works) void work.catch(() => undefined)
  await vi.waitFor(async () => {
    const record = await readFile(join(at.library.data, 'cache', 'unfinished-images.json'), 'utf8')
    for (const [, pid] of record.matchAll(/"pid":(\d+)/gu)) {
      // They stand still in the middle, as on a slow drive.
      if (!helpers.has(Number(pid))) process.kill(Number(pid), 'SIGSTOP')
      helpers.add(Number(pid))
    }
    if (helpers.size < works.length) throw new Error(record)
  }, { interval: 2, timeout: 20_000 })
  await host.kill()
  await using next = await OpenLibrary.open(at.programs, at.library)
  await expect.poll(() => processesNaming('converted.raw')).toEqual([])
  expect(await hidden(dirname(to))).toEqual([])
  await expect.poll(() => processesNaming(folder)).toEqual([])
  expect(await readdir(join(folder, 'disks'))).toEqual([])
  await done(next, { kind: 'convert', path, to, format: 'raw' })
  expect(await drivenBytes(to)).toBeGreaterThanOrEqual(400 * MiB)
  await next.calls.hardware.addDisk(id, adding)
  expect(await readdir(join(folder, 'disks'))).toEqual(['disk0.qcow2'])
})

test('a drive with too little room is told of before anything is written', async ({ skip }) => {
  await addMachines(at.library, [plain('Full')])
  const folder = join(at.library.data, 'images')
  const drive = await SmallDrive.mount(folder, 24)
  if (typeof drive === 'string') return skip(drive)
  await using _ = drive
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { path } = await imageNamed(open, 'data.qcow2')
  await qemuIo(path, ['write -P 3 0 16M'])
  const before = sha256(await readFile(path))
  const convert = (name: string): Promise<string[]> => done(open, { kind: 'convert', path, to: join(folder, name), format: 'raw' })
  await writeFile(join(folder, 'filler'), Buffer.alloc(16 * MiB))
  await expect(convert('before.raw')).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('may be needed') as string })
  await expect(done(open, { kind: 'create', path: join(folder, 'all.raw'), format: 'raw', sizeBytes: 20 * MiB, preallocated: true })).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect(sha256(await readFile(path))).toBe(before)
  expect(await hidden(folder)).toEqual([])
})
