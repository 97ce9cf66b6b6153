import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findQemu, placesToSearch } from './find-qemu'

let folder: string
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'rs-find-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

async function program(...names: string[]): Promise<string> {
  const path = join(folder, ...names)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, '#!/bin/sh\n')
  await chmod(path, 0o755)
  return path
}

test('PATH comes first, then the usual places of the system; relative entries are not followed', () => {
  const linux = placesToSearch({ setting: null, environment: { PATH: '/a:.:relative:/b:/usr/bin' }, platform: 'linux' }).map((place) => place.path)
  expect(linux.slice(0, 3)).toEqual(['/a', '/b', '/usr/bin'])
  expect(linux).toContain('/usr/local/bin')
  expect(linux.filter((path) => path === '/usr/bin')).toHaveLength(1)
  const mac = placesToSearch({ setting: null, environment: {}, platform: 'darwin' }).map((place) => place.path)
  expect(mac).toEqual(expect.arrayContaining(['/opt/homebrew/bin', '/usr/local/bin', '/opt/local/bin']))
  const windows = placesToSearch({ setting: null, environment: { Path: '"D:\\tools";C:\\x', USERPROFILE: 'C:\\Users\\me' }, platform: 'win32' }).map((place) => place.path)
  expect(windows.slice(0, 3)).toEqual(['D:\\tools', 'C:\\x', 'C:\\Program Files\\qemu'])
  expect(windows).toContain('C:\\Users\\me\\scoop\\apps\\qemu\\current')
})

test('what a person named is the only place: the environment before the setting', () => {
  expect(placesToSearch({ setting: '/set', environment: { PATH: '/a', RINGSIDE_QEMU: '/env' }, platform: 'linux' })).toEqual([{ path: '/env', asked: 'environment' }])
  expect(placesToSearch({ setting: ' /set ', environment: { PATH: '/a' }, platform: 'linux' })).toEqual([{ path: '/set', asked: 'setting' }])
})

test('found in PATH, with qemu-img beside it', async () => {
  const systemPath = await program('bin', 'qemu-system-x86_64')
  const imgPath = await program('bin', 'qemu-img')
  expect(await findQemu({ setting: null, environment: { PATH: join(folder, 'bin') }, platform: 'linux' })).toMatchObject({ found: { systemPath, imgPath } })
})

test('a setting names the folder or the program, whatever that is called', async () => {
  await program('own', 'qemu-img')
  const systemPath = await program('own', 'qemu-system-x86_64')
  const renamed = await program('own', 'my-qemu')
  expect((await findQemu({ setting: join(folder, 'own'), environment: {}, platform: 'linux' })).found?.systemPath).toBe(systemPath)
  expect((await findQemu({ setting: renamed, environment: {}, platform: 'linux' })).found?.systemPath).toBe(renamed)
})

test('qemu-img beside the file that a link leads to', async () => {
  const real = await program('cellar', 'qemu-system-x86_64')
  const imgPath = await program('cellar', 'qemu-img')
  await mkdir(join(folder, 'links'))
  await symlink(real, join(folder, 'links', 'qemu-system-x86_64'))
  expect(await findQemu({ setting: join(folder, 'links'), environment: { PATH: '' }, platform: 'linux' })).toMatchObject({ found: { systemPath: join(folder, 'links', 'qemu-system-x86_64'), imgPath } })
})

test('a setting that leads nowhere is not replaced by what lies elsewhere', async () => {
  await program('bin', 'qemu-system-x86_64')
  expect(await findQemu({ setting: join(folder, 'gone'), environment: { PATH: join(folder, 'bin') }, platform: 'linux' })).toMatchObject({ found: null, missing: 'qemu-system-x86_64' })
})

test('a file that may not be executed is none', async () => {
  await chmod(await program('bin', 'qemu-system-x86_64'), 0o644)
  expect((await findQemu({ setting: join(folder, 'bin'), environment: {}, platform: 'linux' })).found).toBeNull()
})
