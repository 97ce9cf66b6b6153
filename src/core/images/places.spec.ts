import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Settings } from '@shared/model'
import { defaultSettings } from '../config'
import { addPlace, forgetPlace } from './places'
import { isRemovable, isRemovableDevice } from './removable'

let folder: string
let settings: Settings
const context = (): Parameters<typeof addPlace>[0] => ({
  libraryFolder: join(folder, 'library'), imagesFolder: join(folder, 'images'),
  settings: { get: () => settings, change: (change) => Promise.resolve(Object.assign(settings, change)) },
})
const add = (...names: string[]): Promise<void> => addPlace(context(), join(folder, ...names))

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'ringside-places-')))
  settings = defaultSettings()
  for (const name of ['library/web-01', 'images', 'stick']) await mkdir(join(folder, name), { recursive: true })
  await symlink('stick', join(folder, 'link'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a folder is kept by where it really is, once', async () => {
  await add('link')
  expect(settings.storageFolders).toEqual([join(folder, 'stick')])
  await expect(add('stick')).rejects.toMatchObject({ code: 'FILE_EXISTS' })
})

test('what is listed anyway, is no folder or is not there is refused', async () => {
  await writeFile(join(folder, 'file'), '')
  await expect(add('library')).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  await expect(add('library', 'web-01')).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  await expect(add('images')).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  await expect(add('file')).rejects.toMatchObject({ code: 'INVALID_INPUT', data: { hint: expect.any(String) as string } })
  await expect(add('none')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await expect(addPlace(context(), 'stick')).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  expect(settings.storageFolders).toEqual([])
})

test('a folder is forgotten also when it is away, and nothing in it is touched', async () => {
  await add('stick')
  await writeFile(join(folder, 'stick', 'a.qcow2'), 'content')
  await forgetPlace(context(), join(folder, 'link'))
  expect(settings.storageFolders).toEqual([])
  expect(await readdir(join(folder, 'stick'))).toEqual(['a.qcow2'])
  await expect(forgetPlace(context(), join(folder, 'stick'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await add('stick')
  await rm(join(folder, 'stick'), { recursive: true })
  await forgetPlace(context(), join(folder, 'stick'))
  expect(settings.storageFolders).toEqual([])
})

test('a drive that comes out is known by its device', async () => {
  const devices: [number: string, device: string, removable: string | null][] = [
    ['8:1', 'pci0000:00/0000:00:1f.2/ata1/block/sda/sda1', '0'], ['8:16', 'pci0000:00/0000:00:14.0/usb2/2-1/block/sdb', '0'], ['179:1', 'platform/mmc0/block/mmcblk0/mmcblk0p1', '1'], ['252:0', 'virtual/block/dm-0', null],
  ]
  await mkdir(join(folder, 'sys/dev/block'), { recursive: true })
  for (const [number, device, removable] of devices) {
    await mkdir(join(folder, 'sys/devices', device), { recursive: true })
    const disk = /\/(?:sda1|mmcblk0p1)$/u.test(device) ? join(device, '..') : device
    if (removable !== null) await writeFile(join(folder, 'sys/devices', disk, 'removable'), `${removable}\n`)
    await symlink(join('../../devices', device), join(folder, 'sys/dev/block', number))
  }
  const answers = await Promise.all([8 * 256 + 1, 8 * 256 + 16, 179 * 256 + 1, 252 * 256, 259 * 256 + 5, 37].map((dev) => isRemovableDevice(dev, join(folder, 'sys'))))
  expect(answers).toEqual([false, true, true, null, null, false])
  expect(await isRemovable('/Volumes/Stick', { platform: 'darwin' })).toBe(true)
  expect(await isRemovable('D:\\', { platform: 'win32' })).toBeNull()
})
