import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { installedElectron, neverOpened, whyNoWindow } from './electron.mjs'

let folder = ''
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'ringside-electron-')) })
afterEach(() => { rmSync(folder, { recursive: true, force: true }) })

function electronPackage(installedVersion: string): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version: '45.4.1' }))
  mkdirSync(join(folder, 'dist'))
  writeFileSync(join(folder, 'dist/version'), installedVersion)
  writeFileSync(join(folder, 'dist/electron'), '')
  writeFileSync(join(folder, 'path.txt'), 'electron')
}

test('the binary is where the installer says', () => {
  electronPackage('v45.4.1')
  expect(installedElectron(folder)).toBe(join(folder, 'dist/electron'))
})

test('another version, or an interrupted download, is not installed', () => {
  expect(installedElectron(folder)).toBeNull()
  electronPackage('45.0.0')
  expect(installedElectron(folder)).toBeNull()
})

const desktop = { platform: 'linux', uid: 1000, display: ':0', waylandDisplay: undefined } as const

test('a window opens on X11, on Wayland, on macOS and on Windows', () => {
  expect(whyNoWindow(desktop)).toBeNull()
  expect(whyNoWindow({ ...desktop, display: undefined, waylandDisplay: 'wayland-0' })).toBeNull()
  expect(whyNoWindow({ ...desktop, platform: 'darwin', display: undefined, uid: 0 })).toBeNull()
  expect(whyNoWindow({ ...desktop, platform: 'win32', display: undefined, uid: -1 })).toBeNull()
})

test('none opens without a display, nor as root without a sandbox', () => {
  expect(whyNoWindow({ ...desktop, display: '' })).toMatch(/no display/)
  expect(whyNoWindow({ ...desktop, uid: 0 })).toMatch(/root/)
})

test('an Electron that ends at once without being asked to never opened its window', () => {
  // "Missing X server or $DISPLAY", and a crash by SIGSEGV.
  expect(neverOpened(1, 200)).toBe(true)
  expect(neverOpened(139, 900)).toBe(true)
  // Quit, Ctrl+C, a host that told its reason in a dialog, a crash after a while.
  for (const code of [0, 3, 130, 143]) expect(neverOpened(code, 200)).toBe(false)
  expect(neverOpened(139, 60_000)).toBe(false)
})
