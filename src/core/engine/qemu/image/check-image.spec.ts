import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeQcow2 } from '../../../storage/images.fixture'
import { checkImage } from './check-image'

let library: string
beforeAll(async () => { library = await realpath(await mkdtemp(join(tmpdir(), 'rs-images-'))) })
afterAll(() => rm(library, { recursive: true, force: true }))

const at = (...names: string[]): string => join(library, ...names)

async function layer(machine: string, name: string, backingFile?: string, backingFormat: string | undefined = 'qcow2'): Promise<string> {
  await mkdir(at(machine, 'disks'), { recursive: true })
  await writeFile(at(machine, 'disks', name), makeQcow2({ ...(backingFile === undefined ? {} : { backingFile, backingFormat }), clusterBits: 9 }))
  return at(machine, 'disks', name)
}

const check = (path: string, machine: string, baseFolders: string[] = [], baseFiles: string[] = []): ReturnType<typeof checkImage> =>
  checkImage({ path, format: 'qcow2', readOnly: false, label: 'disk “disk0”' }, { machineFolder: at(machine), baseFolders, baseFiles })

test('a chain of layers by bare names, nearest first, all of the machine’s own', async () => {
  await layer('own', 'disk0.qcow2')
  await layer('own', 'disk0.00000001.qcow2', 'disk0.qcow2')
  const top = await layer('own', 'disk0.00000002.qcow2', 'disk0.00000001.qcow2')
  expect((await check(top, 'own')).backing).toMatchObject([
    { path: at('own/disks/disk0.00000001.qcow2'), format: 'qcow2', own: true }, { path: at('own/disks/disk0.qcow2'), format: 'qcow2', own: true },
  ])
})

test('a linked clone reads from the machines in its chain of origins, and those are not its own', async () => {
  await layer('origin-00000001', 'disk0.qcow2')
  await layer('middle-00000002', 'disk0.aaaaaaaa.qcow2', '../../origin-00000001/disks/disk0.qcow2')
  const top = await layer('clone-00000003', 'disk0.bbbbbbbb.qcow2', '../../middle-00000002/disks/disk0.aaaaaaaa.qcow2')
  const origins = [at('middle-00000002'), at('origin-00000001')]
  expect((await check(top, 'clone-00000003', origins)).backing.map(({ own }) => own)).toEqual([false, false])
  // From no others, though one further down may.
  await expect(check(top, 'clone-00000003', origins.slice(0, 1))).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE', data: { path: at('middle-00000002/disks/disk0.aaaaaaaa.qcow2') } })
  await expect(check(top, 'clone-00000003', origins.slice(1))).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE', data: { path: top } })
  await expect(check(top, 'clone-00000003')).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
})

test('a folder whose name begins alike is another, and a link out of an allowed one leads nowhere', async () => {
  await layer('base', 'disk0.qcow2')
  await layer('base-2', 'secret.qcow2')
  const beside = await layer('beside', 'disk0.qcow2', '../../base-2/disks/secret.qcow2')
  await expect(check(beside, 'beside', [at('base')])).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  await symlink(at('base-2/disks/secret.qcow2'), at('base/disks/link.qcow2'))
  const linked = await layer('beside', 'disk1.qcow2', '../../base/disks/link.qcow2')
  await expect(check(linked, 'beside', [at('base')])).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  await expect(check(await layer('beside', 'disk2.qcow2', 'nbd:localhost:1'), 'beside', [at('base')])).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
})

test('a file that is named alone is allowed, and nothing beside it', async () => {
  const elsewhere = await layer('elsewhere', 'disk.qcow2')
  const top = await layer('throwaway', 'disk0.qcow2', elsewhere)
  expect((await check(top, 'throwaway', [], [elsewhere])).backing).toMatchObject([{ path: elsewhere, format: 'qcow2', own: false }])
  const other = await layer('throwaway', 'disk1.qcow2', await layer('elsewhere', 'other.qcow2'))
  await expect(check(other, 'throwaway', [], [elsewhere])).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
})

test('a layer that is missing, one that does not name its format, and a chain in a circle are told apart', async () => {
  const missing = await layer('faults', 'disk0.qcow2', 'gone.qcow2')
  await expect(check(missing, 'faults')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: at('faults/disks/gone.qcow2') } })
  await mkdir(at('faults/disks'), { recursive: true })
  await writeFile(at('faults/disks/probed.qcow2'), makeQcow2({ backingFile: 'disk0.qcow2' }))
  await expect(check(at('faults/disks/probed.qcow2'), 'faults')).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED', message: expect.stringContaining('format') as string })
  await layer('faults', 'a.qcow2', 'b.qcow2')
  const b = await layer('faults', 'b.qcow2', 'a.qcow2')
  await expect(check(b, 'faults')).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED', message: expect.stringContaining('based on itself') as string })
})

test('hundreds of layers are a chain like any other', async () => {
  const count = 300
  for (let index = 0; index < count; index++) await layer('deep', `l${String(index)}.qcow2`, index === 0 ? undefined : `l${String(index - 1)}.qcow2`)
  expect((await check(at('deep/disks', `l${String(count - 1)}.qcow2`), 'deep')).backing).toHaveLength(count - 1)
})
