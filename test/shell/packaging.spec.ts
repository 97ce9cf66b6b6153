import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { PNG } from 'pngjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const require = createRequire(import.meta.url)
const manifest = require(join(root, 'package.json')) as { version: string; devDependencies: { electron: string } }

// Parts of electron-builder that have no export of their own.
const builder = createRequire(require.resolve('electron-builder'))
const packager = createRequire(builder.resolve('app-builder-lib'))
const { getConfig, validateConfiguration } = builder('app-builder-lib/out/util/config/config.js') as {
  getConfig: (folder: string, file: string, options: null) => Promise<BuilderConfiguration>
  validateConfiguration: (configuration: BuilderConfiguration, log: unknown) => Promise<void>
}
const { DebugLogger } = builder('builder-util') as { DebugLogger: new (enabled: boolean) => unknown }
const asar = packager('@electron/asar') as { listPackage: (archive: string, options: object) => string[] }

type Target = { target: string; arch: string[] }
interface BuilderConfiguration {
  linux: { target: Target[]; icon: string }
  mac: { target: Target[]; icon: string }
  win: { target: Target[]; icon: string }
  electronFuses: Record<string, boolean>
}

let configuration: BuilderConfiguration
beforeAll(async () => { configuration = await getConfig(root, 'electron-builder.yml', null) })

describe('the configuration', () => {
  test('is valid', async () => {
    await validateConfiguration(configuration, new DebugLogger(false))
  })

  test('names what each system installs, for both processors', () => {
    const targets = (name: 'linux' | 'mac' | 'win'): string[] => configuration[name].target.map(({ target, arch }) => `${target} ${arch.join(' ')}`)
    expect(targets('linux')).toEqual(['AppImage x64 arm64', 'deb x64 arm64', 'rpm x64 arm64'])
    expect(targets('mac')).toEqual(['dmg x64 arm64'])
    expect(targets('win')).toEqual(['nsis x64 arm64'])
  })

  test.each([16, 32, 48, 64, 128, 256, 512])('the icon for Linux is there with %i pixels', async (pixels) => {
    const png = PNG.sync.read(await readFile(join(root, configuration.linux.icon, `${String(pixels)}x${String(pixels)}.png`)))
    expect([png.width, png.height]).toEqual([pixels, pixels])
  })

  test('the icon for macOS and Windows is large enough for both', async () => {
    for (const { icon } of [configuration.mac, configuration.win]) expect(PNG.sync.read(await readFile(join(root, icon))).width).toBe(1024)
  })

  test.each([['tray.png', 16], ['tray@2x.png', 32], ['trayTemplate.png', 16], ['trayTemplate@2x.png', 32]])('the tray’s picture %s is there', async (name, pixels) => {
    expect(PNG.sync.read(await readFile(join(root, 'resources/icons', name))).width).toBe(pixels)
  })
})

/**
 * Electron's binary can't be had everywhere, so a folder plays it that has what electron-builder looks for: the version, a program, and in
 * it the wire of fuses, all of them the other way round from what is wanted.
 */
describe('the packaged application', () => {
  const sentinel = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'
  const fuses = ['runAsNode', 'enableCookieEncryption', 'enableNodeOptionsEnvironmentVariable', 'enableNodeCliInspectArguments', 'enableEmbeddedAsarIntegrityValidation', 'onlyLoadAppFromAsar', 'loadBrowserProcessSpecificV8Snapshot', 'grantFileProtocolExtraPrivileges']
  let folder = ''
  let files: string[] = []

  beforeAll(async () => {
    if (!existsSync(join(root, 'out/main/index.js'))) throw new Error('There is nothing to package: run "npm run build" first.')
    folder = await mkdtemp(join(tmpdir(), 'ringside-dist-'))
    const electron = join(folder, 'electron')
    await mkdir(join(electron, 'resources'), { recursive: true })
    await mkdir(join(electron, 'locales'))
    await writeFile(join(electron, 'version'), manifest.devDependencies.electron)
    await writeFile(join(electron, 'locales/en-US.pak'), '')
    for (const name of ['LICENSE', 'LICENSES.chromium.html', 'chrome-sandbox']) await writeFile(join(electron, name), '')
    const wire = fuses.map((name) => (configuration.electronFuses[name] === true ? '0' : '1')).join('')
    await writeFile(join(electron, 'electron'), Buffer.concat([Buffer.from(`\x7fELF ${sentinel}`), Buffer.from([1, wire.length]), Buffer.from(wire)]))
    await chmod(join(electron, 'electron'), 0o755)
    const cli = join(root, 'node_modules/electron-builder/cli.js')
    const args = [cli, '--dir', '--linux', '--x64', '--publish', 'never', `-c.electronDist=${electron}`, `-c.directories.output=${join(folder, 'dist')}`]
    await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 64 * 2 ** 20 })
    files = asar.listPackage(join(folder, 'dist/linux-unpacked/resources/app.asar'), {}).map((name) => name.replaceAll('\\', '/'))
  }, 120_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('holds the main process, the worker, the server, the preload script, the page and the icons', () => {
    expect(files).toEqual(expect.arrayContaining([
      '/package.json', '/out/main/index.js', '/out/main/machine-worker.js', '/out/main/serve.js', '/out/preload/index.cjs', '/out/renderer/index.html',
      '/resources/icons/icon.png', '/resources/icons/tray.png', '/resources/icons/trayTemplate@2x.png',
    ]))
  })

  test('holds the packages that it runs on, and none of the tools', () => {
    expect(files).toEqual(expect.arrayContaining(['/node_modules/ws/package.json', '/node_modules/zod/package.json', '/node_modules/@orpc/server/package.json']))
    const tools = files.filter((name) => /^\/node_modules\/(vite|vue|typescript|vitest|electron|node|eslint|electron-builder|playwright-core|@nuxt)(\/|$)/.test(name))
    expect(tools).toEqual([])
  })

  test('holds no source, no test and no secret of whoever packaged it', () => {
    expect(files.filter((name) => /^\/(src|test|tools|docs|\.ci|\.git|bin)(\/|$)|\.map$|\.env|\.npmrc/.test(name) && !name.startsWith('/node_modules/'))).toEqual([])
  })

  test('has its fuses blown as configured', async () => {
    const binary = await readFile(join(folder, 'dist/linux-unpacked/ringside'))
    const start = binary.indexOf(sentinel) + sentinel.length + 2
    const states = Object.fromEntries(fuses.map((name, index) => [name, binary[start + index] === '1'.charCodeAt(0)]))
    expect(states).toMatchObject(configuration.electronFuses)
  })
})
