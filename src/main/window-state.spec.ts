import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { boundsFor, readWindowState, writeWindowState } from './window-state'

const display = { x: 0, y: 25, width: 1920, height: 1015 }
const second = { x: 1920, y: 0, width: 2560, height: 1440 }

let folder = ''
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'ringside-window-')) })
afterEach(() => { rmSync(folder, { recursive: true, force: true }) })

test('what was saved is read again', () => {
  const path = join(folder, 'profile/window-state.json')
  const state = { bounds: { x: 1, y: 2, width: 900, height: 700 }, maximized: true }
  writeWindowState(path, state)
  expect(readWindowState(path)).toEqual(state)
})

test.each(['', '{', '[]', '{"bounds":{"x":"left"},"maximized":false}', '{"bounds":{"x":0,"y":0,"width":-5,"height":1},"maximized":false}'])('%j is as good as nothing', (text) => {
  const path = join(folder, 'window-state.json')
  writeFileSync(path, text)
  expect(readWindowState(path)).toEqual({ bounds: null, maximized: false })
})

test('a window goes where it was, also on the second display', () => {
  const saved = { x: 2000, y: 100, width: 1200, height: 800 }
  expect(boundsFor(saved, [display, second])).toEqual(saved)
})

test.each([
  ['on a display that is gone', { x: 2000, y: 100, width: 1200, height: 800 }],
  ['above the display, its title bar out of reach', { x: 100, y: -30, width: 1200, height: 800 }],
  ['below it', { x: 100, y: 1030, width: 1200, height: 800 }],
  ['with only a sliver left of it', { x: -1150, y: 100, width: 1200, height: 800 }],
])('a window %s gets the usual size, for the system to place', (_, saved) => {
  expect(boundsFor(saved, [display])).toEqual({ width: 1360, height: 860 })
})

test('it is never larger than its display, nor smaller than it can be used', () => {
  expect(boundsFor({ x: 0, y: 25, width: 5000, height: 4000 }, [display])).toMatchObject({ width: 1920, height: 1015 })
  expect(boundsFor({ x: 0, y: 25, width: 300, height: 200 }, [display])).toMatchObject({ width: 900, height: 600 })
  expect(boundsFor(null, [{ x: 0, y: 0, width: 1024, height: 600 }])).toEqual({ width: 1024, height: 600 })
})
