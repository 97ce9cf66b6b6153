import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FolderListing } from '@shared/model'
import { entryLimit, listFolder, mountedDrives } from './list-folder'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-list-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const list = (path: string | null): Promise<FolderListing> => listFolder(path, join(folder, 'library'), join(folder, 'home'))

test('folders come first, numbers count, hidden ones are left out, links show what they lead to', async () => {
  const at = join(folder, 'isos')
  await mkdir(join(at, 'zoo'), { recursive: true })
  await writeFile(join(at, 'disk10.iso'), 'xx')
  await writeFile(join(at, 'Disk2.iso'), 'x')
  await writeFile(join(at, '.hidden'), '')
  await symlink(join(at, 'zoo'), join(at, 'a-link'))
  await symlink(join(at, 'nowhere'), join(at, 'broken'))
  const listing = FolderListing.parse(await list(at))
  expect(listing.entries.map(({ name, kind, bytes }) => [name, kind, bytes])).toEqual([
    ['a-link', 'folder', null],
    ['zoo', 'folder', null],
    ['broken', 'other', null],
    ['Disk2.iso', 'file', 1],
    ['disk10.iso', 'file', 2],
  ])
  expect(listing).toMatchObject({ path: at, parent: folder })
  expect(listing.note).toBeUndefined()
})

test('it starts at home, and knows the places that are there', async () => {
  await mkdir(join(folder, 'home/Downloads'), { recursive: true })
  await mkdir(join(folder, 'library'))
  const listing = await list(null)
  expect(listing.path).toBe(join(folder, 'home'))
  expect(listing.places.map((place) => place.name)).toEqual(expect.arrayContaining(['Home', 'Downloads', 'Machines']))
  expect(listing.places.map((place) => place.name)).not.toContain('Desktop')
  expect((await list('~/Downloads')).path).toBe(join(folder, 'home/Downloads'))
})

test('the path of a file shows the folder that it is in', async () => {
  await writeFile(join(folder, 'x.iso'), '')
  expect((await list(join(folder, 'x.iso'))).path).toBe(folder)
})

test('the root has no parent', async () => {
  expect((await list('/')).parent).toBeNull()
})

test.each([
  ['relative', 'INVALID_INPUT', 'A path has to be complete, from the root: relative'],
  ['/no/such/folder', 'FILE_NOT_FOUND', 'There is no such file: /no/such/folder'],
  ['/a\0b', 'INVALID_INPUT', 'A path has no zero characters.'],
])('%j is refused in words', async (path, code, message) => {
  await expect(list(path)).rejects.toMatchObject({ code, message })
})

test('a folder with too many entries is shown in part and says so', async () => {
  await Promise.all(Array.from({ length: 21 }, (_, index) => writeFile(join(folder, `f${String(index)}`), '')))
  const listing = await listFolder(folder, folder, folder, 20)
  expect(listing.entries).toHaveLength(20)
  expect(listing.note).toBe('This folder has more than 20 entries; the rest is not shown. Type the path of a file instead.')
  expect((await listFolder(folder, folder, folder, 21)).note).toBeUndefined()
  expect(entryLimit).toBe(5000)
})

test('drives that a person plugged in are told from the mounts of the system', () => {
  const mounts =
    '/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/sdb1 /media/me/USB\\040Stick vfat rw 0 0\n/dev/sdc1 /mnt/data ext4 rw 0 0\n/dev/sdd1 /run/media/me/X btrfs rw 0 0\n'
  expect(mountedDrives(mounts)).toEqual([
    { name: 'USB Stick', path: '/media/me/USB Stick' },
    { name: 'data', path: '/mnt/data' },
    { name: 'X', path: '/run/media/me/X' },
  ])
})
