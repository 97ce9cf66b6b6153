import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHostServer, type HostServer } from '@server/host-server'
import { bridgeChannels, type BridgeReply, type MenuCommand } from '@shared/contract'
import { openBrowser, type BrowserSession } from '../e2e/support/browser'
import { fakeIds } from '../fakes/fake-data'
import { createFakeHost, type FakeHost } from '../fakes/fake-host'

/**
 * The built page with the built preload script, as the desktop application runs them, in Chromium: only the main process's end is played.
 * A port that would go there is relayed to a server's WebSocket instead; both carry the same frames.
 */
const built = (path: string): string => resolve(import.meta.dirname, '../../out', path)

let host: FakeHost
let server: HostServer
let browser: BrowserSession
let page: Page
const calls: unknown[][] = []
let reply: BridgeReply = { ok: true, value: null }

beforeAll(async () => {
  if (!existsSync(built('preload/index.cjs'))) throw new Error('The page is not built: run "npm run build" first.')
  host = createFakeHost()
  server = createHostServer({ host, log: () => undefined, webRoot: built('renderer'), guard: 'trusted', bindAddress: '127.0.0.1', uploadFolder: null })
  server.http.listen(0, '127.0.0.1')
  await once(server.http, 'listening')
  browser = await openBrowser()
  page = browser.page
  await page.exposeFunction('answerCall', (...call: unknown[]) => {
    calls.push(call)
    return reply
  })
  await page.addInitScript(playElectron(await readFile(built('preload/index.cjs'), 'utf8')))
  await page.goto(`http://127.0.0.1:${String((server.http.address() as AddressInfo).port)}/`)
}, 60_000)
afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await server.close()
  await host.close()
})

/** The preload script in a module of its own, with as much of Electron as it asks for. */
function playElectron(preload: string): string {
  return `(() => {
    window.relayed = []
    window.taken = 0
    const relay = (port, path) => {
      window.relayed.push(path.replace(/\\?.*/, ''))
      const socket = new WebSocket('ws://' + location.host + path)
      socket.binaryType = 'arraybuffer'
      const waiting = []
      port.onmessage = ({ data }) => {
        // A number tells how much of a console the page has taken; a WebSocket needs no such telling.
        if (typeof data === 'number') window.taken += data
        else if (socket.readyState === 1) socket.send(data)
        else waiting.push(data)
      }
      socket.onopen = () => { for (const data of waiting) socket.send(data) }
      socket.onmessage = ({ data }) => { port.postMessage(typeof data === 'string' ? data : new Uint8Array(data)) }
      socket.onclose = () => { port.close() }
    }
    const listeners = {}
    window.tellPage = (channel, message) => { listeners[channel]({}, message) }
    const electron = {
      contextBridge: { exposeInMainWorld: (name, api) => { window[name] = api } },
      webUtils: { getPathForFile: (file) => '/home/ada/' + file.name },
      ipcRenderer: {
        on: (channel, listener) => { listeners[channel] = listener },
        invoke: (channel, name, input) => window.answerCall(channel, name, input),
        postMessage: (channel, request, [port]) => { relay(port, request.ringsidePort === 'contract' ? '/rpc' : '/console?ticket=' + request.ticket) },
      },
    }
    ;((require, process) => { ${preload}
    })(() => electron, { platform: 'linux' })
  })()`
}

/** The ports that went through the preload script, by what they were for. */
const relayed = (): Promise<string[]> => page.evaluate(() => (window as unknown as { relayed: string[] }).relayed)

async function command(wish: MenuCommand): Promise<void> {
  await page.evaluate(([channel, message]) => { (window as unknown as { tellPage: (channel: unknown, message: unknown) => void }).tellPage(channel, message) }, [bridgeChannels.command, wish] as const)
}

test('the page shows the machines of a host that it reaches over a port', async () => {
  await page.getByText('web-01').first().waitFor()
  host.set(fakeIds.stopped, { state: 'running' })
  await page.getByText('windows-11').first().waitFor()
  expect(await relayed()).toEqual(['/rpc'])
})

test('a console’s bytes come over a port of their own', async () => {
  await command({ type: 'showMachine', id: fakeIds.running })
  await page.waitForURL(/\/console/u)
  await page.getByTestId('screen-stage').locator('canvas').waitFor()
  await expect.poll(() => host.openConsoles).toBe(1)
  await page.waitForFunction(() => (window as unknown as { taken: number }).taken > 0)
  expect(await relayed()).toEqual(['/rpc', '/console'])
})

test('the menu leads through the page', async () => {
  await command({ type: 'showComputer' })
  await page.waitForURL(/\/computer/u)
  const wasDark = await page.evaluate(() => document.documentElement.classList.contains('dark'))
  await command({ type: 'toggleDark' })
  await expect.poll(() => page.evaluate(() => document.documentElement.classList.contains('dark'))).toBe(!wasDark)
})

test('a file comes from the system’s own dialog', async () => {
  await command({ type: 'newMachine' })
  await page.getByTestId('wizard').waitFor()
  reply = { ok: true, value: '/isos/debian-12.iso' }
  await page.getByTestId('wizard').getByRole('button', { name: /Browse|Choose/u }).first().click()
  await expect.poll(() => page.getByTestId('wizard-file').inputValue()).toBe('/isos/debian-12.iso')
  expect(calls.at(-1)).toEqual([bridgeChannels.call, 'pickFile', expect.objectContaining({ filter: expect.any(String) as unknown })])
})

test('nothing was asked of a network, and nothing went wrong', () => {
  expect(browser.outside).toEqual([])
  expect(browser.errors).toEqual([])
})
