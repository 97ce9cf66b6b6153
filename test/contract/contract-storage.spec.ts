import { expect, test } from 'vitest'
import { DiskWorkPlan, StorageOverview } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { fakePassphrase } from '../fakes/fake-encryption'
import { fakeForeignImage } from '../fakes/fake-images'
import { overBothTransports } from './frames'
import { failure } from './transports'

const folder = '/home/ada/.local/share/Ringside/images'

overBothTransports('storage', ({ client, ended, host }) => {
  const image = async (end: string): Promise<StorageOverview['images'][number]> => {
    const found = (await client.storage.overview()).images.find(({ path }) => path.endsWith(end))
    if (found === undefined) throw new Error(end)
    return found
  }

  test('places, images with their users, chains and obstacles, and what is left over', async () => {
    const overview = StorageOverview.parse(await client.storage.overview())
    expect(overview).toEqual(await host.images.overview())
    expect(overview.places.map(({ kind }) => kind)).toEqual(['library', 'images', 'elsewhere'])
    const top = overview.images.find(({ users, below }) => below !== null && users.some(({ machineId, direct, how }) => machineId === fakeIds.running && direct && how === 'present'))
    expect(top).toMatchObject({ obstacles: { grow: null, compact: expect.stringContaining('“web-01” is running') as string, delete: expect.any(String) as string } })
    expect(overview.images.find(({ path }) => path === top?.below)?.readers).toEqual([top?.path])
    expect(overview.orphans.length).toBeGreaterThan(0)
  })

  test('a folder is added to the places and taken out again', async () => {
    const kinds = (overview: StorageOverview): string[] => overview.places.map(({ kind }) => kind)
    expect(kinds(await client.storage.addPlace({ path: '/media/ada/stick' }))).toEqual(['library', 'images', 'added', 'elsewhere'])
    await expect(client.storage.addPlace({ path: '/media/ada/stick' })).rejects.toMatchObject({ code: 'FILE_EXISTS', data: { path: '/media/ada/stick' } })
    expect(kinds(await client.storage.forgetPlace({ path: '/media/ada/stick' }))).toEqual(['library', 'images', 'elsewhere'])
    await expect(client.storage.forgetPlace({ path: '/media/ada/stick' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })

  test('how small a disk can become is told beforehand, or why that is not known', async () => {
    expect(await client.storage.smallestSize({ path: `${folder}/debian-12-cloud.qcow2` })).toEqual({ sizeBytes: 644_245_504, why: expect.any(String) as string })
    expect(await client.storage.smallestSize({ path: `${folder}/none.qcow2` })).toMatchObject({ sizeBytes: null })
  })

  test('a plan tells what would happen and everything that speaks against it', async () => {
    expect(DiskWorkPlan.parse(await client.storage.planWork({ kind: 'compact', path: `${folder}/debian-12-cloud.qcow2` }))).toMatchObject({ title: 'Compacting debian-12-cloud.qcow2', issues: [], steps: expect.any(Array) as string[] })
    const taken = `${folder}/damaged.qcow2`
    expect((await client.storage.planWork({ kind: 'convert', path: taken, to: taken, format: 'raw' })).issues).toMatchObject([{ code: 'FILE_EXISTS' }, { severity: 'error' }])
    expect((await client.storage.planWork({ kind: 'grow', path: `${folder}/debian-12-cloud.qcow2`, sizeBytes: 512 })).issues).toMatchObject([{ code: 'INVALID_INPUT' }])
  })

  test('an image that was encrypted elsewhere takes its passphrase; a wrong one, and none, are refused before a job begins', async () => {
    expect(await client.storage.inspect({ path: fakeForeignImage })).toMatchObject({ encryption: 'luks', issues: [{ code: 'KEY_REQUIRED' }] })
    const work = (encryption: { passphrase: string; keep: boolean } | undefined) => ({ kind: 'convert' as const, path: fakeForeignImage, to: `${folder}/theirs.qcow2`, format: 'qcow2' as const, encryption })
    const none = await failure(client.storage.work(work(undefined)))
    expect(none).toMatchObject({ code: 'KEY_REQUIRED', defined: true })
    expect(none.data).not.toHaveProperty('machineId')
    expect(await failure(client.storage.work(work({ passphrase: 'no', keep: true })))).toMatchObject({ code: 'KEY_WRONG', defined: true })
    expect(await failure(client.storage.work(work({ passphrase: '', keep: true })))).toMatchObject({ code: 'INVALID_INPUT', data: { issues: [{ path: 'encryption.passphrase', message: 'Type the passphrase of the image.' }] } })
    expect((await client.storage.planWork(work({ passphrase: '*', keep: true }))).issues).toEqual([])
    const made = await ended(await client.storage.work(work({ passphrase: fakePassphrase, keep: true })))
    expect(made.state).toBe('succeeded')
    expect(JSON.stringify(made)).not.toContain(fakePassphrase)
    expect(await image('/theirs.qcow2')).toMatchObject({ encrypted: true })
  })

  test('work is a job that changes what is there', async () => {
    const made = await ended(await client.storage.work({ kind: 'create', path: `${folder}/new.qcow2`, format: 'qcow2', sizeBytes: 2 ** 30 }))
    expect(made).toMatchObject({ kind: 'disk.create', title: 'Making new.qcow2', state: 'succeeded', machineId: null })
    await ended(await client.storage.work({ kind: 'grow', path: `${folder}/new.qcow2`, sizeBytes: 2 ** 31 }))
    expect((await image('/new.qcow2')).virtualBytes).toBe(2 ** 31)
    expect((await ended(await client.storage.work({ kind: 'check', path: `${folder}/damaged.qcow2` }))).notes.join()).toContain('damaged')
    expect((await image('/damaged.qcow2')).check?.result).toBe('damaged')
    expect((await ended(await client.storage.work({ kind: 'checksum', path: `${folder}/new.qcow2` }))).notes[0]).toMatch(/^SHA-256 .*[0-9a-f]{64}$/u)
    await ended(await client.storage.work({ kind: 'delete', path: `${folder}/new.qcow2` }))
    await expect(image('/new.qcow2')).rejects.toThrow()
  })

  test('what is not possible is refused before a job begins, typed', async () => {
    const web = (await image('disk0.qcow2')).path
    const used = (await client.storage.overview()).images.find(({ users }) => users.some(({ state }) => state === 'running'))?.path ?? web
    expect(await failure(client.storage.work({ kind: 'compact', path: used }))).toMatchObject({ code: 'DISK_IN_USE', defined: true })
    expect(await failure(client.storage.work({ kind: 'check', path: '/nowhere.qcow2' }))).toMatchObject({ code: 'FILE_NOT_FOUND', defined: true })
    expect(await failure(client.storage.work({ kind: 'grow', path: web, sizeBytes: 513 }))).toMatchObject({ code: 'INVALID_INPUT', data: { issues: [{ path: 'sizeBytes' }] } })
    expect(await client.job.list()).toEqual([])
  })

  test('one that is cancelled changes nothing', async () => {
    const job = await client.storage.work({ kind: 'copy', path: `${folder}/debian-12-cloud.qcow2`, to: `${folder}/copy.qcow2` })
    await client.job.cancel({ id: job.id })
    expect(await ended(job)).toMatchObject({ state: 'cancelled', error: null })
    await expect(image('/copy.qcow2')).rejects.toThrow()
  })
})
