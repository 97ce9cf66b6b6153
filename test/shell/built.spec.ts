import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { ContractRouterClient } from '@orpc/contract'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findHost } from '@core/library'
import { bridgeChannels, type Contract } from '@shared/contract'
import { fakeElectron, PortMain } from './fake-electron'

const entry = resolve(import.meta.dirname, '../../out/main/index.js')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-built-'))
  vi.stubEnv('RINGSIDE_DATA', join(folder, 'data'))
  vi.stubEnv('RINGSIDE_RUNTIME', join(folder, 'run'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  rmSync(folder, { recursive: true, force: true })
})

test('what was built opens a real library, serves the built page and the contract, and ends', async () => {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: run "npm run build" first.`)
  const fake = fakeElectron()
  vi.doMock('electron', () => fake.raw)
  await import(/* @vite-ignore */ entry)
  const window = await vi.waitFor(() => fake.windows[0] ?? Promise.reject(new Error(`no window: ${fake.state.errorBoxes.join()}`)), { timeout: 20_000 })

  expect(existsSync(window.options.webPreferences?.preload ?? '')).toBe(true)
  const page = await fake.state.serve?.(new Request('ringside://app/'))
  expect(page?.status).toBe(200)
  const script = /src="\.?(\/assets\/[^"]+\.js)"/.exec(await (page?.text() ?? ''))?.[1]
  expect((await fake.state.serve?.(new Request(`ringside://app${script ?? '/none'}`)))?.headers.get('content-type')).toMatch(/^text\/javascript/)

  const { port1, port2 } = new MessageChannel()
  fake.ipcMain.emit(bridgeChannels.port, { sender: window.webContents, senderFrame: window.webContents.mainFrame, ports: [new PortMain(port2)] }, { ringsidePort: 'contract' })
  const client: ContractRouterClient<Contract> = createORPCClient(new RPCLink({ port: port1 }))
  port1.start()
  expect(await client.host.info()).toMatchObject({ shell: 'electron', dataFolder: join(folder, 'data') })
  expect(await client.machine.list()).toEqual([])
  expect(await findHost(join(folder, 'data'), join(folder, 'run'))).toMatchObject({ pid: process.pid })

  process.emit('SIGTERM')
  await vi.waitFor(() => { expect(fake.app.ended).toBe(0) }, { timeout: 20_000 })
  expect(await findHost(join(folder, 'data'), join(folder, 'run'))).toBeNull()
  port1.close()
}, 60_000)
