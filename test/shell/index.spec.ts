import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFakeHost } from '../fakes/fake-host'
import { fakeElectron } from './fake-electron'

const open = vi.hoisted(() => ({ host: vi.fn<(options: { dataFolder: string; shell: string }) => unknown>() }))
vi.mock('@core/app/host', () => ({ openHost: open.host }))
vi.mock('@server/local-server', () => ({ serveLocally: () => ({ close: () => Promise.resolve() }) }))

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-index-'))
  vi.stubEnv('RINGSIDE_DATA', folder)
})
afterEach(() => {
  vi.unstubAllEnvs()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  rmSync(folder, { recursive: true, force: true })
})

test('the composition root opens the host of the data folder, and a window on it', async () => {
  const fake = fakeElectron()
  vi.doMock('electron', () => fake.raw)
  const services = createFakeHost({ slowness: 0, machines: [] })
  const close = vi.fn(() => Promise.resolve())
  open.host.mockResolvedValue({ services, lock: {}, close })

  await import('../../src/main/index')
  const window = await vi.waitFor(() => fake.windows[0] ?? Promise.reject(new Error('no window yet')), { interval: 1 })
  expect(open.host).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ shell: 'electron', dataFolder: folder }))
  expect(window.options.webPreferences?.preload).toMatch(/preload\/index\.cjs$/)
  expect(fake.app.paths['userData']).toBe(join(folder, 'window'))

  process.emit('SIGTERM')
  await vi.waitFor(() => { expect(fake.app.ended).toBe(0) }, { interval: 1 })
  expect(close).toHaveBeenCalledExactlyOnceWith({ running: 'keepRunning' })
  await services.close()
})
