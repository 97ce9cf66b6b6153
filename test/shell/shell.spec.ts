import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { ContractRouterClient } from '@orpc/contract'
import type { MenuItemConstructorOptions } from 'electron'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { servePort } from '@core/app/serve-port'
import { bridgeChannels, type BridgeReply, type Contract } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import { readWindowState } from '../../src/main/window-state'
import { startShell, type ShellDependencies } from '../../src/main/shell'
import { fakeIds } from '../fakes/fake-data'
import { createFakeHost, type FakeHost } from '../fakes/fake-host'
import { cancellable, fakeElectron, FakePort, PortMain, type FakeWindow } from './fake-electron'

/** Waits for what a few turns of the event loop bring. */
const soon = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { interval: 1 })

let profile = ''
let host: FakeHost
let fake: ReturnType<typeof fakeElectron>
let signal: () => void
const logged: string[] = []
const closeHost = vi.fn((_options: { running: string }) => Promise.resolve())

beforeEach(async () => {
  profile = await mkdtemp(join(tmpdir(), 'ringside-shell-'))
  host = createFakeHost({ slowness: 0 })
  fake = fakeElectron()
  logged.length = 0
  closeHost.mockClear()
})
afterEach(async () => {
  await host.close()
  await rm(profile, { recursive: true, force: true })
})

function start(changes: Partial<ShellDependencies> = {}): void {
  startShell({
    electron: fake.electron,
    openHost: () => Promise.resolve({ services: host, close: closeHost }),
    linkOfOtherHost: () => Promise.resolve(null),
    servePort: (port, services) => { servePort(port, services, (error) => logged.push(String(error))) },
    paths: { renderer: profile, preload: '/p/index.cjs', worker: '/w/machine-worker.js', icons: '/icons', profile },
    devServerUrl: undefined,
    platform: 'linux',
    onSignal: (listener) => { signal = listener },
    log: (message, cause) => logged.push(`${message} ${cause instanceof Error ? cause.message : ''}`),
    ...changes,
  })
}

async function startedWindow(changes: Partial<ShellDependencies> = {}): Promise<FakeWindow> {
  start(changes)
  return soon(() => {
    const [window] = fake.windows
    if (!window) throw new Error('no window yet')
    return window
  })
}

/** An IPC event as it comes from the window's main frame. */
const fromPage = (window: FakeWindow, ports: unknown[] = []): object => ({ sender: window.webContents, senderFrame: window.webContents.mainFrame, ports })
const askForPort = (event: object, request: unknown): void => { fake.ipcMain.emit(bridgeChannels.port, event, request) }
const call = (event: object, name: string, input?: unknown): Promise<BridgeReply> => fake.ipcMain.handlers.get(bridgeChannels.call)?.(event, name, input) as Promise<BridgeReply>
const labelled = (menu: MenuItemConstructorOptions[], ...path: string[]): MenuItemConstructorOptions => {
  const [label, ...rest] = path
  const item = menu.find((entry) => entry.label === label)
  if (!item) throw new Error(`The menu has no ${String(label)} but ${menu.map((entry) => entry.label ?? entry.role).join(', ')}.`)
  return rest.length === 0 ? item : labelled(item.submenu as MenuItemConstructorOptions[], ...rest)
}
const click = (item: MenuItemConstructorOptions): void => { (item.click as () => void)() }
const stopAll = (): void => { for (const { id } of host.machines.list()) host.set(id, { state: 'stopped' }) }

describe('the window', () => {
  test('is sandboxed, on our own origin, and shown once it has something to show', async () => {
    const window = await startedWindow()
    expect(fake.app.sandboxed).toBe(true)
    expect(window.options.webPreferences).toMatchObject({ preload: '/p/index.cjs', sandbox: true, contextIsolation: true, nodeIntegration: false, webSecurity: true, webviewTag: false })
    expect(window.url).toBe('ringside://app/')
    expect(fake.state.schemes).toEqual([{ scheme: 'ringside', privileges: expect.objectContaining({ standard: true, secure: true }) as unknown }])
    expect(window.visible).toBe(false)
    window.emit('ready-to-show')
    expect(window.visible).toBe(true)
  })

  test('a second start shows the first one’s window and ends', async () => {
    fake.app.firstInstance = false
    start()
    expect(fake.app.ended).toBe(0)
    expect(fake.windows).toEqual([])

    fake = fakeElectron()
    const window = await startedWindow()
    window.minimized = true
    fake.app.emit('second-instance')
    expect(window).toMatchObject({ minimized: false, visible: true, focused: true })
    expect(fake.windows).toHaveLength(1)
  })

  test('remembers where it was', async () => {
    stopAll()
    const window = await startedWindow()
    window.maximized = true
    window.close()
    await soon(() => { expect(fake.app.ended).toBe(0) })
    expect(readWindowState(join(profile, 'window-state.json'))).toEqual({ bounds: window.bounds, maximized: true })
  })

  test('loads its page again after a crash, and leaves it when it crashes twice in a row', async () => {
    const window = await startedWindow()
    window.webContents.emit('render-process-gone', {}, { reason: 'crashed' })
    window.webContents.emit('render-process-gone', {}, { reason: 'oom' })
    expect(window.reloads).toBe(1)
    expect(logged).toHaveLength(2)
  })

  test('the page is served with a strict policy, and nothing but its own files', async () => {
    await writeFile(join(profile, 'index.html'), '<!doctype html>')
    await startedWindow()
    const page = await fake.state.serve?.(new Request('ringside://app/'))
    expect(page?.status).toBe(200)
    expect(page?.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page?.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self';/)
    for (const url of ['ringside://app/..%2f..%2fetc%2fpasswd', 'ringside://other/', 'ringside://app/%00', 'ringside://app/%ff']) {
      expect((await fake.state.serve?.(new Request(url)))?.status, url).toBe(404)
    }
    expect((await fake.state.serve?.(new Request('ringside://app/', { method: 'POST' })))?.status).toBe(405)
  })
})

describe('what the page may do', () => {
  test('it cannot leave, open windows or embed others', async () => {
    const window = await startedWindow()
    fake.app.emit('web-contents-created', {}, window.webContents)
    for (const name of ['will-navigate', 'will-frame-navigate', 'will-redirect']) {
      const away = cancellable({ url: 'https://example.com/' })
      window.webContents.emit(name, away)
      expect(away.prevented, name).toBe(true)
      const home = cancellable({ url: 'ringside://app/index.html#/computer' })
      window.webContents.emit(name, home)
      expect(home.prevented, name).toBe(false)
    }
    const webview = cancellable()
    window.webContents.emit('will-attach-webview', webview)
    expect(webview.prevented).toBe(true)
  })

  test('links lead to the browser, and only secure ones of the web', async () => {
    const window = await startedWindow()
    fake.app.emit('web-contents-created', {}, window.webContents)
    for (const url of ['https://www.qemu.org/docs/', 'http://example.com/', 'file:///etc/passwd', 'javascript:alert(1)', 'https://user:secret@example.com/', 'nonsense']) {
      expect(window.webContents.windowOpenHandler?.({ url })).toEqual({ action: 'deny' })
    }
    expect(fake.state.opened).toEqual(['https://www.qemu.org/docs/'])
  })

  test('permissions are refused but for a console that fills the screen, and to nobody else', async () => {
    await startedWindow()
    const ask = (permission: string, requestingUrl: string, isMainFrame = true): boolean => {
      let granted = true
      fake.state.requestPermission?.({}, permission, (answer) => { granted = answer }, { requestingUrl, isMainFrame })
      return granted
    }
    expect(ask('fullscreen', 'ringside://app/')).toBe(true)
    for (const permission of ['media', 'geolocation', 'notifications', 'openExternal', 'clipboard-read']) expect(ask(permission, 'ringside://app/'), permission).toBe(false)
    expect(ask('fullscreen', 'https://example.com/')).toBe(false)
    expect(ask('fullscreen', 'ringside://app/', false)).toBe(false)
    expect(fake.state.checkPermission?.({}, 'media', 'ringside://app', { isMainFrame: true })).toBe(false)
  })

  test('no request reaches a network or a file', async () => {
    await startedWindow()
    const cancelled = (url: string): boolean | undefined => {
      let answer: boolean | undefined
      fake.state.beforeRequest?.({ url }, ({ cancel }) => { answer = cancel })
      return answer
    }
    for (const url of ['https://api.iconify.design/x.json', 'http://127.0.0.1:9/', 'ws://example.com/', 'file:///etc/passwd', 'ftp://example.com/']) expect(cancelled(url), url).toBe(true)
    for (const url of ['ringside://app/assets/a.js', 'data:,x', 'blob:ringside://app/1', 'devtools://devtools/x']) expect(cancelled(url), url).toBe(false)
  })

  test('during development the page and its hot reload come from Vite, and nothing else does', async () => {
    const window = await startedWindow({ devServerUrl: 'http://localhost:5173' })
    expect(window.url).toBe('http://localhost:5173')
    const cancelled = (url: string): boolean => {
      let answer = false
      fake.state.beforeRequest?.({ url }, ({ cancel }) => { answer = cancel })
      return answer
    }
    expect(cancelled('ws://localhost:5173/?token=1')).toBe(false)
    expect(cancelled('http://localhost:8080/')).toBe(true)
  })
})

describe('message ports', () => {
  test('the contract is spoken over a port of our page', async () => {
    const window = await startedWindow()
    const { port1, port2 } = new MessageChannel()
    askForPort(fromPage(window, [new PortMain(port2)]), { ringsidePort: 'contract' })
    const client: ContractRouterClient<Contract> = createORPCClient(new RPCLink({ port: port1 }))
    port1.start()
    expect((await client.machine.list()).map(({ id }) => id)).toContain(fakeIds.running)
    expect((await client.machine.screenshot({ id: fakeIds.running })).type).toBe('image/png')
    const events = await client.host.watch()
    expect((await events.next()).value).toMatchObject({ type: 'opened' })
    expect(host.listeners().machines).toBeGreaterThan(2)
    const listening = host.listeners().machines
    port1.close()
    await soon(() => { expect(host.listeners().machines).toBe(listening - 1) })
  })

  test('a port is closed that comes from another frame, another window, another page, or with another wish', async () => {
    const window = await startedWindow()
    const { webContents } = window
    const strangers: [object, unknown][] = [
      [{ sender: {}, senderFrame: webContents.mainFrame }, { ringsidePort: 'contract' }],
      [{ sender: webContents, senderFrame: { parent: webContents.mainFrame, url: 'ringside://app/' } }, { ringsidePort: 'contract' }],
      [{ sender: webContents, senderFrame: { parent: null, url: 'https://example.com/' } }, { ringsidePort: 'contract' }],
      [{ sender: webContents, senderFrame: null }, { ringsidePort: 'contract' }],
      [fromPage(window), { ringsidePort: 'shell' }],
      [fromPage(window), 'contract'],
    ]
    for (const [event, request] of strangers) {
      const port = new FakePort()
      askForPort({ ...event, ports: [port] }, request)
      expect(port.closed, JSON.stringify(request)).toBe(true)
    }
  })

  test('a ticket takes a port to its machine’s worker, once', async () => {
    const window = await startedWindow()
    const attach = vi.spyOn(host.machines, 'attachConsole').mockReturnValue(undefined)
    const ticket = host.consoleTickets.issue({ machineId: fakeIds.running, channel: { type: 'graphics' } })
    const [first, second] = [new FakePort(), new FakePort()]
    askForPort(fromPage(window, [first]), { ringsidePort: 'console', ticket })
    expect(attach).toHaveBeenCalledExactlyOnceWith(fakeIds.running, { type: 'graphics' }, { kind: 'messagePort', port: first })
    askForPort(fromPage(window, [second]), { ringsidePort: 'console', ticket })
    expect([first.closed, second.closed]).toEqual([false, true])
  })

  test('a console whose machine ended meanwhile is closed', async () => {
    const window = await startedWindow()
    vi.spyOn(host.machines, 'attachConsole').mockImplementation(() => { throw new RingsideError('ILLEGAL_STATE', 'It is stopped.') })
    const port = new FakePort()
    askForPort(fromPage(window, [port]), { ringsidePort: 'console', ticket: host.consoleTickets.issue({ machineId: fakeIds.running, channel: { type: 'serial', port: 0 } }) })
    expect(port.closed).toBe(true)
  })
})

describe('calls of the page', () => {
  test('files are picked with the system’s dialog over the window', async () => {
    const window = await startedWindow()
    expect(await call(fromPage(window), 'pickFile', { title: 'Choose an image', filter: 'iso' })).toEqual({ ok: true, value: null })
    fake.state.chosenFile = '/isos/debian.iso'
    expect(await call(fromPage(window), 'pickFile', { title: 'Choose an image', filter: 'iso' })).toEqual({ ok: true, value: '/isos/debian.iso' })
    expect(fake.raw.dialog.showOpenDialog).toHaveBeenLastCalledWith(window, {
      title: 'Choose an image', properties: ['openFile'], filters: [expect.objectContaining({ extensions: ['iso', 'img', 'cdr'] }), { name: 'All files', extensions: ['*'] }],
    })
  })

  test('bytes are saved where a person says, under a name that is only a name', async () => {
    const window = await startedWindow()
    fake.state.chosenFile = join(profile, 'screen.png')
    const reply = await call(fromPage(window), 'saveFile', { suggestedName: '../../.ssh/scr:een.png', bytes: new Uint8Array([1, 2, 3]) })
    expect(reply).toEqual({ ok: true, value: fake.state.chosenFile })
    expect(fake.raw.dialog.showSaveDialog).toHaveBeenCalledWith(window, { defaultPath: '/home/ada/Downloads/scr_een.png' })
  })

  test('text and pictures reach the clipboard', async () => {
    const window = await startedWindow()
    await call(fromPage(window), 'writeClipboardText', 'hello')
    expect(await call(fromPage(window), 'readClipboardText')).toEqual({ ok: true, value: 'hello' })
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47])
    expect(await call(fromPage(window), 'writeClipboardImage', png)).toMatchObject({ ok: true })
    expect(await fake.state.clipboard.items[0]?.['image/png']?.bytes()).toEqual(png)
    expect(await call(fromPage(window), 'writeClipboardImage', new Uint8Array(4))).toEqual({ ok: false, message: 'That is no picture that can be copied.' })
  })

  test('what is there is shown in the file manager, and what is gone is named', async () => {
    const window = await startedWindow()
    expect(await call(fromPage(window), 'revealInFolder', profile)).toMatchObject({ ok: true })
    expect(fake.state.opened).toEqual([profile])
    expect(await call(fromPage(window), 'revealInFolder', join(profile, 'gone'))).toEqual({ ok: false, message: `${join(profile, 'gone')} is not there any more.` })
  })

  test.each([
    ['pickFile', { title: 'x', filter: 'secrets' }, 'filter'],
    ['revealInFolder', 'relative/path', 'not an absolute path'],
    ['saveFile', { suggestedName: 'x', bytes: 'text' }, 'bytes'],
    ['eval', 'process.exit()', 'does not know'],
    ['constructor', {}, 'does not know'],
  ])('%s is refused with a wrong value', async (name, input, words) => {
    const window = await startedWindow()
    const reply = await call(fromPage(window), name, input)
    expect(reply).toMatchObject({ ok: false, message: expect.stringContaining(words) as unknown })
  })

  test('nobody but the page is answered', async () => {
    const window = await startedWindow()
    expect(await call({ sender: window.webContents, senderFrame: { parent: null, url: 'https://example.com/' } }, 'readClipboardText')).toMatchObject({ ok: false })
  })
})

describe('menu, tray and notices', () => {
  test('the menu’s commands reach the page, also while it loads', async () => {
    const window = await startedWindow()
    click(labelled(fake.state.applicationMenu, '&File', 'New Machine…'))
    expect(window.webContents.sent).toEqual([[bridgeChannels.command, { type: 'newMachine' }]])
    window.webContents.loading = true
    click(labelled(fake.state.applicationMenu, '&File', 'This Computer'))
    expect(window.webContents.sent).toHaveLength(1)
    window.webContents.emit('did-finish-load')
    expect(window.webContents.sent.at(-1)).toEqual([bridgeChannels.command, { type: 'showComputer' }])
  })

  test('on macOS the window may close and is made anew', async () => {
    const window = await startedWindow({ platform: 'darwin' })
    window.close()
    fake.app.emit('window-all-closed')
    expect(fake.app.ended).toBeNull()
    fake.app.emit('activate')
    expect(fake.windows).toHaveLength(2)
  })

  test('the tray follows the machines that run', async () => {
    stopAll()
    const window = await startedWindow()
    const [tray] = fake.trays
    expect(labelled(tray?.menu ?? [], 'No machine is running').enabled).toBe(false)
    host.set(fakeIds.running, { state: 'running' })
    expect(tray?.toolTip).toBe('Ringside: web-01 is on')
    expect(labelled(tray?.menu ?? [], 'web-01', 'Pause').enabled).toBe(true)
    const before = tray?.menu
    host.set(fakeIds.running, { crash: null })
    expect(tray?.menu).toBe(before)
    click(labelled(tray?.menu ?? [], 'web-01', 'Pause'))
    await soon(() => { expect(labelled(tray?.menu ?? [], 'web-01 (paused)', 'Resume').enabled).toBe(true) })
    expect(labelled(tray?.menu ?? [], 'web-01 (paused)', 'Shut Down').enabled).toBe(false)
    click(labelled(tray?.menu ?? [], 'web-01 (paused)', 'Show'))
    expect(window.webContents.sent.at(-1)).toEqual([bridgeChannels.command, { type: 'showMachine', id: fakeIds.running }])
    tray?.emit('click')
    expect(window.visible).toBe(true)
  })

  test('an action of the tray that fails is told', async () => {
    await startedWindow()
    vi.spyOn(host.machines, 'shutDown').mockRejectedValue(new RingsideError('ILLEGAL_STATE', 'It is paused.', { hint: 'Resume it first.' }))
    click(labelled(fake.trays[0]?.menu ?? [], 'web-01', 'Shut Down'))
    await soon(() => { expect(fake.notifications[0]?.options).toMatchObject({ title: 'web-01', body: 'It is paused.\n\nResume it first.' }) })
  })

  test('a crash is told to whoever does not look, and leads to the machine', async () => {
    const window = await startedWindow()
    host.set(fakeIds.running, { state: 'crashed', crash: { at: '2026-11-21T00:00:00Z', reason: 'QEMU was killed.', process: null } })
    expect(fake.notifications.map(({ options }) => options)).toEqual([expect.objectContaining({ title: '“web-01” crashed', body: 'QEMU was killed.' })])
    fake.notifications[0]?.emit('click')
    expect(window.webContents.sent.at(-1)).toEqual([bridgeChannels.command, { type: 'showMachine', id: fakeIds.running }])
    window.focused = true
    host.set(fakeIds.busy, { state: 'crashed' })
    expect(fake.notifications).toHaveLength(1)
  })
})

describe('the end', () => {
  test('with nothing running it just ends, in order', async () => {
    stopAll()
    const window = await startedWindow()
    window.close()
    await soon(() => { expect(fake.app.ended).toBe(0) })
    expect(fake.boxes).toEqual([])
    expect(closeHost).toHaveBeenCalledExactlyOnceWith({ running: 'keepRunning' })
    expect(fake.trays[0]?.destroyed).toBe(true)
  })

  test('with machines running it asks, and cancelling keeps everything', async () => {
    const window = await startedWindow()
    fake.answers.push({ button: 'Cancel' })
    fake.app.quit()
    await soon(() => { expect(fake.boxes).toHaveLength(1) })
    expect(fake.boxes[0]?.buttons).toEqual(['Keep Running', 'Save to Disk', 'Shut Down', 'Cancel'])
    fake.answers.push({ button: 'Keep Running' })
    await soon(() => {
      if (!window.closed) window.close()
      expect(fake.app.ended).toBe(0)
    })
    expect(host.machines.get(fakeIds.running).state).toBe('running')
  })

  test('the end of the session and of the terminal keep machines running and ask nothing', async () => {
    await startedWindow()
    signal()
    await soon(() => { expect(fake.app.ended).toBe(0) })
    expect(fake.boxes).toEqual([])
    expect(closeHost).toHaveBeenCalledExactlyOnceWith({ running: 'keepRunning' })
    fake.raw.powerMonitor.emit('shutdown')
    expect(closeHost).toHaveBeenCalledOnce()
  })

  test('Windows ends the session through the window', async () => {
    const window = await startedWindow({ platform: 'win32' })
    window.emit('session-end', {})
    await soon(() => { expect(fake.app.ended).toBe(0) })
    expect(fake.boxes).toEqual([])
  })
})

describe('a start that fails', () => {
  test('says why', async () => {
    start({ openHost: () => Promise.reject(new RingsideError('FILE_UNREADABLE', 'The library cannot be read.', { hint: 'Check its permissions.' })) })
    await soon(() => { expect(fake.app.ended).toBe(3) })
    expect(fake.state.errorBoxes).toEqual(['Ringside could not start: The library cannot be read.\n\nCheck its permissions.'])
  })

  const locked = new RingsideError('LIBRARY_LOCKED', 'The library is in use by process 42.')

  test('offers the page of the host that has the library', async () => {
    fake.answers.push({ button: 'Open in Browser' })
    start({ openHost: () => Promise.reject(locked), linkOfOtherHost: () => Promise.resolve('http://127.0.0.1:8470/#token=x') })
    await soon(() => { expect(fake.app.ended).toBe(3) })
    expect(fake.state.opened).toEqual(['http://127.0.0.1:8470/#token=x'])
  })

  test('names the other host where it has no page', async () => {
    start({ openHost: () => Promise.reject(locked), linkOfOtherHost: () => Promise.reject(new Error('no page')) })
    await soon(() => { expect(fake.app.ended).toBe(3) })
    expect(fake.state.errorBoxes).toEqual(['Ringside could not start: The library is in use by process 42.'])
  })
})
