import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { bridgeChannels, type DesktopBridge } from '@shared/contract/bridge'

const electron = vi.hoisted(() => ({
  exposed: new Map<string, unknown>(),
  listeners: new Map<string, (event: unknown, ...message: unknown[]) => void>(),
  contextBridge: { exposeInMainWorld: (name: string, api: unknown) => { electron.exposed.set(name, api) } },
  ipcRenderer: {
    on: (channel: string, listener: (event: unknown, ...message: unknown[]) => void) => electron.listeners.set(channel, listener),
    invoke: vi.fn((..._message: unknown[]): Promise<unknown> => Promise.resolve({ ok: true, value: null })),
    postMessage: vi.fn(),
  },
  webUtils: { getPathForFile: (file: { name: string }) => `/home/ada/${file.name}` },
}))
vi.mock('electron', () => electron)

/** The page's window, as far as the preload script sees it. */
const page = { listener: null as ((event: { source: unknown; data: unknown; ports: unknown[] }) => void) | null }
const pageWindow = { addEventListener: (_name: string, listener: typeof page.listener) => { page.listener = listener } }

let bridge: DesktopBridge
beforeEach(async () => {
  vi.stubGlobal('window', pageWindow)
  vi.resetModules()
  await import('../../src/preload/index')
  bridge = electron.exposed.get('ringside') as DesktopBridge
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.clearAllMocks()
})

test('the page sees the bridge and nothing else', () => {
  expect([...electron.exposed.keys()]).toEqual(['ringside'])
  expect(Object.keys(bridge).sort()).toEqual([
    'onCommand', 'pathForFile', 'pickFile', 'platform', 'readClipboardText', 'revealInFolder', 'saveFile', 'writeClipboardImage', 'writeClipboardText',
  ])
})

test('calls reach the main process, and failures come back as its own words', async () => {
  electron.ipcRenderer.invoke.mockResolvedValueOnce({ ok: true, value: '/isos/a.iso' })
  expect(await bridge.pickFile({ title: 'Choose', filter: 'iso' })).toBe('/isos/a.iso')
  expect(electron.ipcRenderer.invoke).toHaveBeenCalledWith(bridgeChannels.call, 'pickFile', { title: 'Choose', filter: 'iso' })
  electron.ipcRenderer.invoke.mockResolvedValueOnce({ ok: false, message: 'It is not there any more.' })
  await expect(bridge.revealInFolder('/x')).rejects.toThrow(/^It is not there any more\.$/)
})

test('a dropped file has its path', () => {
  expect(bridge.pathForFile({ name: 'a.iso' } as File)).toBe('/home/ada/a.iso')
})

test('a port that the page posts to itself goes on to the main process', () => {
  const port = {}
  const request = { ringsidePort: 'console', ticket: 't' }
  page.listener?.({ source: pageWindow, data: request, ports: [port] })
  expect(electron.ipcRenderer.postMessage).toHaveBeenCalledExactlyOnceWith(bridgeChannels.port, request, [port])
})

test.each([
  ['from another window', { source: {}, data: { ringsidePort: 'contract' }, ports: [{}] }],
  ['without a port', { source: pageWindow, data: { ringsidePort: 'contract' }, ports: [] }],
  ['about something else', { source: pageWindow, data: 'hello', ports: [{}] }],
])('a message %s stays where it is', (_, message) => {
  page.listener?.(message)
  expect(electron.ipcRenderer.postMessage).not.toHaveBeenCalled()
})

test('commands that come before the page listens are kept for it', () => {
  const command = electron.listeners.get(bridgeChannels.command)
  command?.({}, { type: 'newMachine' })
  const heard: unknown[] = []
  const stop = bridge.onCommand((given) => heard.push(given))
  command?.({}, { type: 'showComputer' })
  stop()
  command?.({}, { type: 'toggleDark' })
  expect(heard).toEqual([{ type: 'newMachine' }, { type: 'showComputer' }])
})
