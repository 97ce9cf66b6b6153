import { chmod, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  assertSocketsFit,
  dataPaths,
  defaultDataFolder,
  hostAddress,
  imagePath,
  machineFolderName,
  machinePaths,
  runtimePaths,
  runtimeRootCandidates,
} from './paths'
import { openRuntimeRoot } from './runtime-root'

const id = '3F2504e0-4f89-41d3-9a0c-0305e82c3301'
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-paths-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

test.each([
  ['Web 01', 'web-01-3f2504e0'],
  ['Grüße aus Köln!', 'gru-e-aus-koln-3f2504e0'],
  ['日本語', 'machine-3f2504e0'],
  ['con', 'con-3f2504e0'],
  ['../x', 'x-3f2504e0'],
  [`${'a'.repeat(39)} b`, `${'a'.repeat(39)}-3f2504e0`],
  ['x'.repeat(100), `${'x'.repeat(40)}-3f2504e0`],
])('the folder of machine %j is named %s', (name, expected) => {
  expect(machineFolderName(name, id)).toBe(expected)
})

test('all files of a machine lie in its folder, all of a run in its runtime folder', () => {
  const paths = machinePaths('/lib/web-3f2504e0', '/run/r', id)
  for (const path of [
    paths.definition,
    paths.savedRam,
    paths.savedRecord,
    paths.machineLog,
    paths.qemuLog,
    paths.serialLog(2),
    paths.disksFolder,
  ]) {
    expect(path.startsWith('/lib/web-3f2504e0/')).toBe(true)
  }
  expect(paths.runtime).toBe('/run/r/3f2504e0')
  const run = runtimePaths(paths.runtime)
  expect([run.qmp, run.vnc, run.serial(0), run.pid, run.record]).toEqual(
    ['qmp', 'vnc', 'serial0', 'pid', 'run.json'].map((name) => `/run/r/3f2504e0/${name}`),
  )
})

test('an image is looked up in the machine folder or taken as it is', () => {
  expect(imagePath('/lib/m', { kind: 'own', path: 'disks/disk0.qcow2' })).toBe('/lib/m/disks/disk0.qcow2')
  expect(imagePath('/lib/m', { kind: 'external', path: '/iso/a.iso' })).toBe('/iso/a.iso')
})

test('RINGSIDE_DATA moves the data folder; else it is the one of the system', () => {
  expect(defaultDataFolder({ RINGSIDE_DATA: '/srv/rs' })).toBe('/srv/rs')
  expect(defaultDataFolder({})).toMatch(/Ringside/u)
  expect(dataPaths('/srv/rs')).toEqual({
    data: '/srv/rs',
    library: '/srv/rs/library',
    settings: '/srv/rs/settings.json',
    cache: '/srv/rs/cache',
    images: '/srv/rs/images',
    keys: '/srv/rs/keys',
    hostRecord: '/srv/rs/host.json',
  })
})

test('a library has one host address however its path is written, and two libraries have two', async () => {
  await mkdir(join(folder, 'data'))
  await symlink(join(folder, 'data'), join(folder, 'link'))
  expect(hostAddress('/run/r', join(folder, 'link'))).toBe(hostAddress('/run/r', join(folder, 'data/')))
  expect(hostAddress('/run/r', join(folder, 'data'))).not.toBe(hostAddress('/run/r', folder))
  expect(hostAddress('/run/r', folder, 'win32')).toMatch(/^\\\\\.\\pipe\\ringside-host-[0-9a-f]{8}$/u)
})

test('the runtime root is the one asked for, else that of the session, else a temporary one', () => {
  const system = { platform: 'linux' as const, uid: 1000, temporaryFolder: '/tmp', dataFolder: '/data' }
  const paths = (environment: NodeJS.ProcessEnv, platform: NodeJS.Platform = 'linux'): string[] =>
    runtimeRootCandidates(environment, { ...system, platform }).map((candidate) => candidate.path)
  expect(paths({ RINGSIDE_RUNTIME: '/x', XDG_RUNTIME_DIR: '/run/user/1000' })).toEqual(['/x'])
  expect(paths({ XDG_RUNTIME_DIR: '/custom' })).toEqual(['/custom/ringside', '/run/user/1000/ringside', '/tmp/ringside-1000'])
  expect(paths({ XDG_RUNTIME_DIR: 'relative' })).toEqual(['/run/user/1000/ringside', '/tmp/ringside-1000'])
  expect(paths({}, 'darwin')).toEqual(['/tmp/ringside-1000'])
  expect(paths({}, 'win32')).toEqual(['\\data\\runtime'])
})

test('a runtime root whose sockets would not fit is refused with both lengths', () => {
  const long = `/${'r'.repeat(99)}`
  expect(() => {
    assertSocketsFit(long, 'linux')
  }).toThrow(/has a path of 100 bytes, and local sockets in it allow 83: \/r+/u)
  expect(() => {
    assertSocketsFit(`/${'r'.repeat(80)}`, 'darwin')
  }).toThrow(/allow 79/u)
  expect(() => {
    assertSocketsFit(`/${'r'.repeat(78)}`, 'darwin')
  }).not.toThrow()
  expect(() => {
    assertSocketsFit(`/${'é'.repeat(60)}`, 'linux')
  }).toThrow(/121 bytes/u)
})

describe.runIf(process.platform !== 'win32')('opening the runtime root', () => {
  test('makes it private', async () => {
    const root = await openRuntimeRoot(folder, { RINGSIDE_RUNTIME: join(folder, 'a/b') })
    expect(root).toBe(join(folder, 'a/b'))
    expect((await stat(root)).mode & 0o777).toBe(0o700)
  })

  test('makes one of the user private that others could only read', async () => {
    await mkdir(join(folder, 'r'))
    await chmod(join(folder, 'r'), 0o755)
    await openRuntimeRoot(folder, { RINGSIDE_RUNTIME: join(folder, 'r') })
    expect((await stat(join(folder, 'r'))).mode & 0o777).toBe(0o700)
  })

  test('refuses one that others can write to', async () => {
    await mkdir(join(folder, 'r'))
    await chmod(join(folder, 'r'), 0o777)
    await expect(openRuntimeRoot(folder, { RINGSIDE_RUNTIME: join(folder, 'r') })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: `Other users can write to the folder for running machines (mode 777): ${join(folder, 'r')}`,
    })
  })

  test('refuses a link, which somebody may have laid', async () => {
    await mkdir(join(folder, 'r'))
    await symlink(join(folder, 'r'), join(folder, 'l'))
    await expect(openRuntimeRoot(folder, { RINGSIDE_RUNTIME: join(folder, 'l') })).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  test('is in the session folder where there is one, else in the temporary folder', async () => {
    const host = { platform: 'darwin' as const, temporaryFolder: join(folder, 'tmp') }
    await mkdir(host.temporaryFolder)
    await mkdir(join(folder, 'session'))
    await expect(openRuntimeRoot(folder, { XDG_RUNTIME_DIR: join(folder, 'session') }, host)).resolves.toBe(
      join(folder, 'session/ringside'),
    )
    await expect(openRuntimeRoot(folder, { XDG_RUNTIME_DIR: join(folder, 'gone') }, host)).resolves.toMatch(/tmp\/ringside-\d+$/u)
  })
})
