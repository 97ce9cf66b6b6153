import { createHash, randomBytes } from 'node:crypto'
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { createImageTool } from '@core/engine/qemu'
import { dataPaths } from '@core/library'
import { checksumIn, type CreateMachineRequest, type DiskWork } from '@shared/model'
import { qemuProgram } from './support/bare-qemu'
import { codeOf, digestOfEncrypted, leaksOf, passphrase as ownPassphrase } from './support/encrypted-machines'
import { makeForeignImage } from './support/foreign-images'
import { OpenLibrary } from './support/open-library'
import { HostProcess } from './support/real-host'
import { jobReporter, qemuImg } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

/* Images that somebody has encrypted elsewhere are opened with their passphrase, once, to be copied; they stay as they are. */

const at = useLibrary()

const MiB = 2 ** 20
const theirs = 'écluse et pont-levis'
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const hashOf = async (path: string): Promise<string> => sha256(await readFile(path))
/** Nothing in it can be made smaller. */
const noise = (mebibytes: number): Buffer => Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa]), randomBytes(mebibytes * MiB - 512)])

async function done({ services }: OpenLibrary, work: DiskWork): Promise<string[]> {
  const { machineId } = await services.images.requirePossible(work)
  const job = await services.jobs.ended(services.jobs.run({ kind: 'disk.convert', title: work.kind, machineId, cancellable: true }, (reporter) => services.images.work(work, reporter)).id)
  if (job.error !== null) throw new Error(`${work.kind}: ${job.error.message}`)
  return job.notes
}

test.each(['qcow2', 'luks'] as const)('%s: brought in beside the machines, encrypted with the same passphrase or plain; a wrong one leaves nothing', async (format) => {
  await using elsewhere = await TemporaryFolder.make()
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { services: { images, storage } } = open
  const content = noise(4)
  const path = elsewhere.in(`theirs.${format}`)
  await makeForeignImage(path, content, { format, passphrase: theirs })
  await chmod(path, 0o400)
  const before = await hashOf(path)
  expect(await storage.inspect(path)).toMatchObject({ kind: 'disk', format: format === 'luks' ? 'raw' : 'qcow2', virtualBytes: content.length, encryption: 'luks', issues: [{ code: 'KEY_REQUIRED' }] })

  const folder = dataPaths(at.library.data).images
  const [sealed, plain] = [join(folder, 'sealed.qcow2'), join(folder, 'plain.raw')]
  const keeping: DiskWork = { kind: 'convert', path, to: sealed, format: 'qcow2', encryption: { passphrase: theirs, keep: true } }
  expect((await images.plan({ ...keeping, encryption: undefined })).issues).toMatchObject([{ code: 'KEY_REQUIRED' }])
  expect(await codeOf(images.requirePossible({ ...keeping, encryption: undefined }))).toBe('KEY_REQUIRED')
  expect(await codeOf(images.requirePossible({ ...keeping, format: 'raw' }))).toBe('ILLEGAL_STATE')
  const wrong: DiskWork = { ...keeping, encryption: { passphrase: 'ecluse et pont-levis', keep: true } }
  // Only a job that is wanted tries it.
  expect((await images.plan(wrong)).issues).toEqual([])
  await expect(images.requirePossible(wrong)).rejects.toMatchObject({ code: 'KEY_WRONG', message: `This is not the passphrase of the image: ${path}` })
  expect(await codeOf(open.calls.images.work(wrong))).toBe('KEY_WRONG')
  const cancelling = new AbortController()
  expect(await codeOf(images.work(keeping, jobReporter((_, step) => { if (step.startsWith('Writing')) cancelling.abort() }, cancelling.signal)))).toBe('CANCELLED')
  expect(await readdir(folder)).toEqual([])

  await done(open, keeping)
  expect(await digestOfEncrypted(sealed, theirs)).toBe(sha256(content))
  await done(open, { ...keeping, to: plain, format: 'raw', encryption: { passphrase: theirs, keep: false } })
  expect(await hashOf(plain)).toBe(sha256(content))
  // What was brought in is brought on.
  const again = join(folder, 'again.qcow2')
  expect(await codeOf(images.requirePossible({ kind: 'convert', path: sealed, to: again, format: 'qcow2' }))).toBe('KEY_REQUIRED')
  await done(open, { kind: 'convert', path: sealed, to: again, format: 'qcow2', encryption: { passphrase: theirs, keep: false } })
  expect(checksumIn(await done(open, { kind: 'checksum', path: again }))).toBe(sha256(content))
  expect(await codeOf(images.requirePossible({ kind: 'convert', path: again, to: join(folder, 'x.qcow2'), format: 'qcow2', encryption: { passphrase: theirs, keep: true } }))).toBe('INVALID_INPUT')

  expect(await hashOf(path)).toBe(before)
  expect(await leaksOf([theirs], [at.library.data, at.library.runtime])).toEqual([])
  expect(open.defects).toEqual([])
}, 300_000)

test.each(['qcow2', 'luks'] as const)('%s: a machine is made from it, encrypted with its own passphrase or plain; a wrong one makes none', async (format) => {
  await using elsewhere = await TemporaryFolder.make()
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { services: { creation }, calls: { machines, encryption } } = open
  const content = noise(4)
  const path = elsewhere.in('theirs')
  await makeForeignImage(path, content, { format, passphrase: theirs })
  const before = await hashOf(path)
  const source = { type: 'disk', path, format: format === 'luks' ? 'raw' : 'qcow2', mode: 'convert', passphrase: theirs } as const
  const request = (name: string, more: Partial<CreateMachineRequest> = {}): CreateMachineRequest => ({ name, osId: 'debian-13', source, processors: 1, memoryMiB: 1024, newDiskGiB: null, network: 'none', hardware: {}, ...more })

  expect(await creation.check(request('web', { source: { ...source, passphrase: undefined } }))).toMatchObject([{ path: 'source.passphrase', code: 'KEY_REQUIRED' }])
  for (const mode of ['copy', 'inPlace'] as const) expect(await creation.check(request('web', { source: { ...source, mode } }))).toMatchObject([{ path: 'source.mode' }])
  expect(await creation.check(request('web', { source: { ...source, passphrase: '*' } }))).toEqual([])
  await expect(creation.create(request('web', { source: { ...source, passphrase: 'wrong' }, encryption: { passphrase: ownPassphrase, remember: false } }), jobReporter())).rejects.toMatchObject({ code: 'KEY_WRONG', message: `This is not the passphrase of the image: ${path}` })
  expect(await readdir(dataPaths(at.library.data).library)).toEqual([])

  const sealed = await machines.get(await creation.create(request('sealed', { encryption: { passphrase: ownPassphrase, remember: false } }), jobReporter()))
  expect(sealed.definition.disks).toMatchObject([{ encrypted: true, format: 'qcow2', image: { kind: 'own', path: 'disks/disk0.qcow2' } }])
  const disk = join(sealed.folder, 'disks/disk0.qcow2')
  const key = await encryption.reveal(sealed.id, ownPassphrase)
  expect(await digestOfEncrypted(disk, key)).toBe(sha256(content))
  expect(await codeOf(digestOfEncrypted(disk, theirs))).toBe('KEY_WRONG')
  const plain = await machines.get(await creation.create(request('plain'), jobReporter()))
  expect(plain.definition.disks).toMatchObject([{ encrypted: false }])
  const raw = elsewhere.in('raw')
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', join(plain.folder, 'disks/disk0.qcow2'), raw)
  expect(await hashOf(raw)).toBe(sha256(content))

  expect(await hashOf(path)).toBe(before)
  expect(await leaksOf([theirs, ownPassphrase, key], [at.library.data, at.library.runtime])).toEqual([])
  expect(open.defects).toEqual([])
}, 300_000)

test('the layers of an image open with the same passphrase, where the person accepts the files', async () => {
  await using elsewhere = await TemporaryFolder.make()
  await using open = await OpenLibrary.open(at.programs, at.library)
  const content = noise(2)
  const [base, top] = [elsewhere.in('base.qcow2'), elsewhere.in('top.qcow2')]
  await makeForeignImage(base, content, { format: 'qcow2', passphrase: theirs })
  await createImageTool(await qemuProgram('qemu-img')).createEncrypted({ path: top, backing: { name: base, format: 'qcow2' }, virtualBytes: content.length, key: theirs })
  const folder = dataPaths(at.library.data).images
  const work: DiskWork = { kind: 'convert', path: top, to: join(folder, 'joined.raw'), format: 'raw', encryption: { passphrase: theirs, keep: false } }
  expect(await codeOf(open.calls.images.requirePossible(work))).toBe('BACKING_FILE_OUTSIDE')
  await done(open, { ...work, acceptedFiles: [base] })
  expect(await hashOf(join(folder, 'joined.raw'))).toBe(sha256(content))
}, 300_000)

test('LUKS2, which QEMU does not know, is refused with the way to convert it', async () => {
  await using elsewhere = await TemporaryFolder.make()
  await using open = await OpenLibrary.open(at.programs, at.library)
  const path = elsewhere.in('luks2.img')
  const header = Buffer.alloc(MiB)
  header.write('LUKS\xba\xbe', 0, 'latin1')
  header.writeUInt16BE(2, 6)
  await writeFile(path, header)
  const { encryption, issues } = await open.services.storage.inspect(path)
  expect(encryption).toBeUndefined()
  expect(issues).toMatchObject([{ code: 'IMAGE_UNSUPPORTED', message: expect.stringMatching(/LUKS2 and QEMU opens LUKS1 only.*cryptsetup convert --type luks1/u) as string }])
  const work: DiskWork = { kind: 'convert', path, to: join(dataPaths(at.library.data).images, 'x.qcow2'), format: 'qcow2', encryption: { passphrase: theirs, keep: true } }
  expect(await codeOf(open.calls.images.requirePossible(work))).toBe('IMAGE_UNSUPPORTED')
})

test('a host that is killed while one is brought in leaves no half file, encrypted or not', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const [path, other] = [elsewhere.in('theirs.qcow2'), elsewhere.in('other.qcow2')]
  await makeForeignImage(path, noise(4), { format: 'qcow2', passphrase: theirs })
  await copyFile(path, other)
  const folder = dataPaths(at.library.data).images
  await mkdir(folder, { recursive: true })
  const work = (from: string, keep: boolean): DiskWork => ({ kind: 'convert', path: from, to: join(folder, basename(from)), format: 'qcow2', encryption: { passphrase: theirs, keep } })
  {
    await using host = await HostProcess.start(at.programs, at.library)
    await host.holdAt({ index: 1, name: 'image:written' }, (calls) => calls.images.work(work(path, false)))
    await host.holdAt({ index: 1, name: 'image:written' }, (calls) => calls.images.work(work(other, true)))
    expect(await readdir(folder)).toHaveLength(2)
    await host.kill()
  }
  await using open = await OpenLibrary.open(at.programs, at.library)
  expect(await readdir(folder)).toEqual([])
  expect(await leaksOf([theirs], [at.library.data, at.library.runtime])).toEqual([])
  await done(open, work(path, true))
}, 300_000)
