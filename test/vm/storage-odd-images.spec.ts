import { mkdir, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DiskFormat, DiskWork, StorageImage } from '@shared/model'
import { OpenLibrary } from './support/open-library'
import { qemuImg, qemuIo } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* Images that are not what they should be, among those that are listed, with the real qemu-img. */

const MiB = 2 ** 20
const at = useLibrary()

async function done({ services }: OpenLibrary, work: DiskWork): Promise<string[]> {
  const { machineId } = await services.images.requirePossible(work)
  const job = await services.jobs.ended(services.jobs.run({ kind: 'disk.check', title: work.kind, machineId, cancellable: true }, (reporter) => services.images.work(work, reporter)).id)
  if (job.state !== 'succeeded') throw new Error(`${work.kind}: ${job.error?.message ?? job.state}`)
  return job.notes
}

async function listed({ services }: OpenLibrary): Promise<Map<string, StorageImage>> {
  return new Map((await services.images.overview()).images.map((image) => [image.name, image]))
}

test('what was cut short is not copied as if it were whole, whatever its format, and can be deleted', async () => {
  await using open = await OpenLibrary.open(at.programs, at.library)
  const folder = join(at.library.data, 'images')
  await mkdir(folder, { recursive: true })
  const whole = join(folder, 'whole.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', whole, '64M')
  await qemuIo(whole, ['write -P 7 0 20M'])
  const formats: readonly DiskFormat[] = ['qcow2', 'vmdk', 'vdi', 'vhdx', 'vpc']
  for (const format of formats) {
    const cut = join(folder, `cut.${format}`)
    await qemuImg('convert', '-f', 'qcow2', '-O', format, whole, cut)
    await truncate(cut, Math.floor((await stat(cut)).size / 2))
    for (const work of [{ kind: 'convert', path: cut, to: join(folder, 'new.qcow2'), format: 'qcow2' }, { kind: 'copy', path: cut, to: join(folder, 'new') }, { kind: 'checksum', path: cut }] as const) {
      await expect(done(open, work), `${work.kind} of ${format}`).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' })
    }
  }
  expect((await listed(open)).get('cut.vdi')).toMatchObject({ fault: 'is damaged or cut short', obstacles: { copy: 'It is damaged or cut short.', delete: null } })
  for (const format of formats) await done(open, { kind: 'delete', path: join(folder, `cut.${format}`), permanently: true })
  expect(await readdir(folder)).toEqual(['whole.qcow2'])
})

test('a raw disk of whatever content is listed; one that begins as an image of another kind is nothing until somebody says what it is', async () => {
  await using open = await OpenLibrary.open(at.programs, at.library)
  const folder = join(at.library.data, 'images')
  await mkdir(folder, { recursive: true })
  const [plain, posing, empty, based] = ['plain.raw', 'posing.raw', 'empty.qcow2', 'based.qcow2'].map((name) => join(folder, name)) as [string, string, string, string]
  await writeFile(plain, Buffer.alloc(MiB, 0x5a))
  await qemuImg('create', '-q', '-f', 'qcow2', posing, '1M')
  await writeFile(empty, '')
  await qemuImg('create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', based, '1M')
  const images = await listed(open)
  expect(images.get('plain.raw')).toMatchObject({ format: 'raw', virtualBytes: MiB, fault: null })
  expect(images.get('posing.raw')).toMatchObject({ format: null, fault: expect.stringMatching(/a guest can have written/u) as string, obstacles: { delete: null } })
  expect(images.get('empty.qcow2')).toMatchObject({ fault: 'is empty, it has 0 bytes', obstacles: { delete: null } })
  expect(images.get('based.qcow2')).toMatchObject({ fault: expect.stringMatching(/outside the library/u) as string, obstacles: { delete: null, convert: expect.any(String) as string } })
  await done(open, { kind: 'grow', path: plain, sizeBytes: 2 * MiB })
  await expect(done(open, { kind: 'copy', path: posing, to: join(folder, 'copy.raw') })).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED' })
  await done(open, { kind: 'convert', path: posing, sourceFormat: 'raw', to: join(folder, 'in.qcow2'), format: 'qcow2' })
  expect((await listed(open)).get('in.qcow2')?.virtualBytes).toBe(Math.ceil((await stat(posing)).size / 512) * 512)
  await expect(done(open, { kind: 'copy', path: empty, to: join(folder, 'copy.qcow2') })).rejects.toMatchObject({ code: 'FILE_EMPTY' })
  for (const path of [posing, empty, based]) await done(open, { kind: 'delete', path, permanently: true })
})

test('a disk that grows can take its room at once, where it stands alone', async () => {
  await using open = await OpenLibrary.open(at.programs, at.library)
  const folder = join(at.library.data, 'images')
  for (const format of ['qcow2', 'raw'] as const) {
    const path = join(folder, `grown.${format}`)
    await done(open, { kind: 'create', path, format, sizeBytes: 8 * MiB, preallocated: false })
    await done(open, { kind: 'grow', path, sizeBytes: 40 * MiB, preallocated: true })
    expect((await stat(path)).blocks * 512, format).toBeGreaterThanOrEqual(32 * MiB)
    expect((await listed(open)).get(`grown.${format}`)?.virtualBytes).toBe(40 * MiB)
  }
  const based = join(folder, 'based.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', join(folder, 'grown.qcow2'), based)
  expect((await open.services.images.plan({ kind: 'grow', path: based, sizeBytes: 80 * MiB, preallocated: true })).issues).toMatchObject([{ severity: 'error' }])
  await expect(done(open, { kind: 'grow', path: join(folder, 'grown.raw'), sizeBytes: 2 ** 50, preallocated: true })).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect((await listed(open)).get('grown.raw')?.virtualBytes).toBe(40 * MiB)
})
