import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { StorageOverview } from '@shared/model'
import { fakePassphrase } from '../fakes/fake-encryption'
import { fakeForeignImage } from '../fakes/fake-images'
import { startCli } from './cli-harness'
import { useCli } from './frames'

const { local, run } = useCli()

/** A file that holds a passphrase. */
async function secretFile(text: string): Promise<{ path: string } & AsyncDisposable> {
  const made = await mkdtemp(join(tmpdir(), 'ringside-cli-'))
  const path = join(made, 'secret')
  await writeFile(path, text)
  return { path, [Symbol.asyncDispose]: () => rm(made, { recursive: true }) }
}
const folder = '/home/ada/.local/share/Ringside/images'
const paths = async (): Promise<string[]> => ((await run('disk', 'list', '--json')).json as StorageOverview).images.map(({ path }) => path)

test.each([
  ['disk', 'nonsense'], ['disk', 'create'], ['disk', 'create', 'x.qcow2', 'big'], ['disk', 'create', 'x.vdi', '1G', '--format', 'vdi'], ['disk', 'grow', 'web-01:disk0'], ['disk', 'convert', 'a', 'b'],
  ['disk', 'check', 'a', '--repair', 'some'], ['disk', 'move', 'a'], ['disk', 'move', 'a', 'b', '--into-machine'], ['disk', 'delete', `${folder}/damaged.qcow2`],
])('%s %s %s is wrong usage: 2', async (...args) => {
  expect(await run(...args)).toMatchObject({ code: 2, stdout: '' })
  expect((await run(...args, '--json')).error).toMatchObject({ code: 'INVALID_INPUT' })
})

test('the list shows places and images, and layers when asked', async () => {
  const plain = await run('disk', 'list')
  expect(plain).toMatchObject({ code: 0, stderr: expect.stringContaining('belong to nothing') as string })
  expect(plain.stdout).toMatch(/^PLACE .*\n.*Ringside\/library/u)
  expect(plain.stdout).not.toContain('disk0.5a10c001')
  expect((await run('disk', 'list', '--layers')).stdout).toContain('disk0.5a10c001')
})

test('a folder is listed, told as away while it is, and no longer', async () => {
  expect(await run('disk', 'add-place', '/media/ada/stick')).toMatchObject({ code: 0, stdout: 'Its images are listed now.\n' })
  expect((await run('disk', 'list')).stdout).toMatch(/\/media\/ada\/stick +away/u)
  expect((await run('disk', 'add-place', '/media/ada/stick')).stderr).toContain('listed already')
  expect(((await run('disk', 'forget-place', '/media/ada/stick', '--json')).json as StorageOverview).places.map(({ path }) => path)).not.toContain('/media/ada/stick')
})

test('images are made, grown by more, converted, copied, checked and deleted', async () => {
  const file = `${folder}/made.qcow2`
  expect(await run('disk', 'create', file, '8G')).toMatchObject({ code: 0, stdout: 'Made.\n' })
  expect((await run('disk', 'grow', file, '+2G', '--json')).json).toMatchObject({ kind: 'grow', sizeBytes: 10 * 2 ** 30, notes: [] })
  expect((await run('disk', 'shrink', file)).stdout).toMatch(/^It can become as small as 3\.00 GiB \(3221225472 bytes\)\. Its partitions reach/u)
  expect((await run('disk', 'shrink', 'web-01:disk0', '--json')).json).toMatchObject({ sizeBytes: null, why: expect.stringContaining('“web-01” is running') as string })
  expect((await run('disk', 'shrink', file, '4G')).code).toBe(0)
  expect((await run('disk', 'convert', file, `${folder}/made.vdi`, '--format', 'vdi')).code).toBe(0)
  expect((await run('disk', 'copy', file, `${folder}/other.qcow2`)).code).toBe(0)
  expect((await run('disk', 'compact', file)).stderr).toContain('given back')
  expect((await run('disk', 'check', file)).stderr).toContain('It is sound.')
  expect((await run('disk', 'checksum', file, '--json')).json).toEqual({ path: file, sha256: expect.stringMatching(/^[0-9a-f]{64}$/u) as string })
  expect(await run('disk', 'delete', file, '--yes', '--permanently')).toMatchObject({ code: 0, stdout: 'Deleted.\n' })
  expect(await paths()).toEqual(expect.arrayContaining([`${folder}/made.vdi`, `${folder}/other.qcow2`]))
  expect(await paths()).not.toContain(file)
})

test('a damaged image ends a check with 1, a repair with 0', async () => {
  expect((await run('disk', 'check', `${folder}/damaged.qcow2`)).code).toBe(1)
  expect((await run('disk', 'check', `${folder}/damaged.qcow2`, '--repair', 'all')).code).toBe(0)
})

test('a disk is named by its machine; what is not possible has its own exit code', async () => {
  expect(await run('disk', 'compact', 'web-01:disk0')).toMatchObject({ code: 5, stderr: expect.stringContaining('“web-01” is running') as string })
  expect((await run('disk', 'grow', 'windows:disk0', '+1G')).code).toBe(0)
  expect((await run('disk', 'move', `${folder}/damaged.qcow2`, '/mnt/fast'))).toMatchObject({ code: 4, stderr: expect.stringContaining('Moving damaged.qcow2 is not possible') as string })
  expect((await run('disk', 'grow', 'nobody:disk0', '+1G'))).toMatchObject({ code: 3, stderr: expect.stringContaining('web-01:disk0') as string })
  expect((await run('disk', 'copy', '/nowhere.qcow2', '/x.qcow2')).code).toBe(5)
  expect(await run('disk', 'decrypt', 'windows:disk0')).toMatchObject({ code: 4, stderr: expect.stringContaining('It is not encrypted.') as string })
  expect(await run('disk', 'encrypt', 'windows:disk0', '--original', 'trash')).toMatchObject({ code: 0, stderr: expect.stringContaining('The trash holds the old file, with everything in it unencrypted.') as string })
  expect((await run('disk', 'decrypt', 'windows:disk0')).code).toBe(0)
})

test('an image that was encrypted elsewhere is brought in with its passphrase, which is in no answer', async () => {
  await using file = await secretFile(`${fakePassphrase}\n`)
  const [sealed, plain] = [`${folder}/sealed.qcow2`, `${folder}/plain.qcow2`]
  const convert = ['disk', 'convert', fakeForeignImage, sealed, '--format', 'qcow2']
  expect(await run(...convert)).toMatchObject({ code: 2, stderr: expect.stringContaining('the passphrase of the image is asked for') as string })
  const made = await run(...convert, '--passphrase-file', file.path, '--json')
  expect(made.json).toMatchObject({ to: sealed, encryption: { keep: true } })
  expect(made.stdout + made.stderr).not.toContain(fakePassphrase)
  expect((await run('disk', 'convert', fakeForeignImage, plain, '--format', 'qcow2', '--decrypt', '--passphrase-file', file.path)).code).toBe(0)
  const { images } = (await run('disk', 'list', '--json')).json as StorageOverview
  expect(images.filter(({ path }) => path === sealed || path === plain).map(({ encrypted }) => encrypted)).toEqual([true, false])
  await using wrong = await secretFile('no\n')
  expect(await run('disk', 'convert', fakeForeignImage, `${folder}/x.qcow2`, '--format', 'qcow2', '--passphrase-file', wrong.path)).toMatchObject({ code: 9, stderr: expect.stringContaining('This is not the passphrase of the image') as string })
  expect((await run('disk', 'convert', `${folder}/damaged.qcow2`, `${folder}/x.qcow2`, '--format', 'raw', '--decrypt')).code).toBe(2)
})

test('a machine is made from one, if it is said what becomes of its encryption', async () => {
  await using image = await secretFile('theirs\n')
  await using own = await secretFile('seven green apples\n')
  const create = ['create', 'theirs', '--disk', fakeForeignImage, '--os', 'debian']
  expect(((await run(...create, '--check', '--json')).json as { request: object }).request).toMatchObject({ source: { mode: 'convert', passphrase: '*' } })
  expect(await run(...create, '--image-passphrase-file', image.path)).toMatchObject({ code: 2, stderr: expect.stringContaining('say --encrypt') as string })
  expect(await run(...create, '--decrypt')).toMatchObject({ code: 2, stderr: expect.stringContaining('say --image-passphrase-file') as string })
  expect(await run(...create, '--encrypt', '--image-passphrase-file', '-', '--passphrase-file', '-')).toMatchObject({ code: 2 })
  expect((await run('create', 'other', '--blank', '--os', 'debian', '--decrypt')).code).toBe(2)
  expect((await run(...create, '--encrypt', '--image-passphrase-file', image.path, '--passphrase-file', own.path)).code).toBe(0)
  expect((await run('create', 'plain', '--disk', fakeForeignImage, '--os', 'debian', '--decrypt', '--passphrase-file', image.path)).code).toBe(0)
})

test('a full clone is encrypted anew or decrypted, a linked one is not', async () => {
  await using own = await secretFile('seven green apples\n')
  for (const wrong of [['--encrypt', '--decrypt'], ['--linked', '--encrypt'], ['--linked', '--decrypt'], ['--new-passphrase-file', own.path], ['--encrypt']]) expect((await run('clone', 'windows', 'copy', ...wrong)).code).toBe(2)
  const disksOf = (result: { json: unknown }): unknown => (result.json as { definition: { disks: unknown } }).definition.disks
  expect(disksOf(await run('clone', 'windows', 'sealed', '--encrypt', '--new-passphrase-file', own.path, '--json'))).toMatchObject([{ encrypted: true }])
  expect(disksOf(await run('clone', 'windows', 'plain', '--decrypt', '--json'))).toMatchObject([{ encrypted: false }])
})

test('deleting asks, and a no leaves it', async () => {
  const started = startCli(local, ['disk', 'delete', `${folder}/damaged.qcow2`], { tty: true })
  started.stdin.write('n\n')
  expect(await started.done).toMatchObject({ code: 0, stdout: 'Nothing was deleted.\n' })
  expect(await paths()).toContain(`${folder}/damaged.qcow2`)
})
