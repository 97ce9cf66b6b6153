import { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import type { MessagePort } from 'node:worker_threads'
import type { BrowserWindowConstructorOptions, MenuItemConstructorOptions, MessageBoxOptions } from 'electron'
import { vi } from 'vitest'
import type { ElectronApi } from '../../src/main/electron-api'

/** A message box that was shown. */
type Box = MessageBoxOptions

/** An answer to a message box: the button's label, and whether its box was ticked. */
export interface BoxAnswer {
  button: string
  checked?: boolean
}

export class FakeContents extends EventEmitter {
  sent: unknown[][] = []
  loading = false
  /** Main frame of the window, at the page that the window shows. */
  readonly mainFrame = { parent: null, url: 'ringside://app/' }
  windowOpenHandler: ((details: { url: string }) => { action: string }) | null = null
  readonly send = (...message: unknown[]): void => { this.sent.push(message) }
  readonly isLoadingMainFrame = (): boolean => this.loading
  readonly setWindowOpenHandler = (handler: (details: { url: string }) => { action: string }): void => { this.windowOpenHandler = handler }
}

export class FakeWindow extends EventEmitter {
  static made: FakeWindow[] = []
  readonly webContents = new FakeContents()
  url = ''
  visible = false
  focused = false
  minimized = false
  maximized = false
  progress = -1
  closed = false
  reloads = 0
  bounds = { x: 10, y: 20, width: 1000, height: 700 }
  constructor(readonly options: BrowserWindowConstructorOptions) {
    super()
    FakeWindow.made.push(this)
  }
  loadURL(url: string): Promise<void> { this.url = url; return Promise.resolve() }
  show(): void { this.visible = true }
  focus(): void { this.focused = true }
  restore(): void { this.minimized = false }
  maximize(): void { this.maximized = true }
  reload(): void { this.reloads++ }
  isMinimized(): boolean { return this.minimized }
  isMaximized(): boolean { return this.maximized }
  isFocused(): boolean { return this.focused }
  getNormalBounds(): object { return this.bounds }
  setProgressBar(fraction: number): void { this.progress = fraction }
  /** As a person closes it. */
  close(): void {
    const event = cancellable()
    this.emit('close', event)
    if (event.prevented) return
    this.closed = true
    this.emit('closed')
  }
}

export class FakeTray extends EventEmitter {
  static made: FakeTray[] = []
  menu: MenuItemConstructorOptions[] = []
  toolTip = ''
  destroyed = false
  constructor() {
    super()
    FakeTray.made.push(this)
  }
  setToolTip(text: string): void { this.toolTip = text }
  setContextMenu(menu: { template: MenuItemConstructorOptions[] }): void { this.menu = menu.template }
  destroy(): void { this.destroyed = true }
}

export class FakeNotification extends EventEmitter {
  static shown: FakeNotification[] = []
  static isSupported(): boolean { return true }
  constructor(readonly options: { title: string; body: string }) { super() }
  show(): void { FakeNotification.shown.push(this) }
}

/** A utility process that notes what it is told. */
export class FakeUtilityProcess extends EventEmitter {
  pid: number | undefined = 777
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  messages: { message: unknown; transfer: unknown[] | undefined }[] = []
  killed = false
  postMessage(message: unknown, transfer?: unknown[]): void { this.messages.push({ message, transfer }) }
  kill(): boolean { this.killed = true; return true }
}

/** A MessagePortMain that notes what becomes of it. */
export class FakePort extends EventEmitter {
  closed = false
  posted: unknown[] = []
  start(): void { this.emit('start') }
  postMessage(message: unknown): void { this.posted.push(message) }
  close(): void { this.closed = true; this.emit('close') }
}

/** A port of Node's with the face of Electron's `MessagePortMain`: an emitter of events that carry `data`, and nothing of the DOM's. */
export class PortMain extends EventEmitter {
  constructor(private readonly port: MessagePort) {
    super()
    port.on('message', (data: unknown) => this.emit('message', { data, ports: [] }))
    port.on('close', () => this.emit('close'))
  }
  start(): void { this.port.start() }
  postMessage(message: unknown): void { this.port.postMessage(message) }
  close(): void { this.port.close() }
}

export interface CancellableEvent {
  prevented: boolean
  preventDefault(): void
}

export function cancellable<Extra extends object>(extra?: Extra): CancellableEvent & Extra {
  const event = { prevented: false, preventDefault() { event.prevented = true }, ...extra }
  return event as CancellableEvent & Extra
}

class FakeIpcMain extends EventEmitter {
  readonly handlers = new Map<string, (event: unknown, ...input: unknown[]) => unknown>()
  readonly handle = (channel: string, handler: (event: unknown, ...input: unknown[]) => unknown): void => { this.handlers.set(channel, handler) }
}

class FakeApp extends EventEmitter {
  paths: Record<string, string> = { downloads: '/home/ada/Downloads' }
  sandboxed = false
  firstInstance = true
  ended: number | null = null
  /** Electron's own way to the end: asks `before-quit`, then closes every window. */
  readonly quit = vi.fn(() => {
    const event = cancellable()
    this.emit('before-quit', event)
    if (event.prevented) return
    for (const window of FakeWindow.made) if (!window.closed) window.close()
    this.ended = 0
  })
  readonly exit = vi.fn((code: number) => { this.ended = code })
  readonly enableSandbox = (): void => { this.sandboxed = true }
  readonly requestSingleInstanceLock = (): boolean => this.firstInstance
  readonly whenReady = (): Promise<void> => Promise.resolve()
  readonly setPath = (name: string, path: string): void => {
    if (!existsSync(path)) throw new Error(`Failed to set ${name}: ${path} does not exist`)
    this.paths[name] = path
  }
  readonly getPath = (name: string): string => this.paths[name] ?? ''
  readonly getAppPath = (): string => '/opt/ringside'
}

type PermissionRequest = (contents: unknown, permission: string, answer: (granted: boolean) => void, details: { requestingUrl: string; isMainFrame: boolean }) => void
type PermissionCheck = (contents: unknown, permission: string, origin: string, details: { isMainFrame: boolean }) => boolean
type BeforeRequest = (details: { url: string }, answer: (response: { cancel: boolean }) => void) => void

/**
 * All of Electron that the shell uses, in memory. What Electron does by itself (asking before it quits, closing a window) it does too;
 * everything else is noted down.
 */
export function fakeElectron() {
  FakeWindow.made = []
  FakeTray.made = []
  FakeNotification.shown = []
  const app = new FakeApp()
  const ipcMain = new FakeIpcMain()
  const boxes: Box[] = []
  const answers: BoxAnswer[] = []
  const processes: FakeUtilityProcess[] = []
  const state = {
    schemes: [] as unknown[],
    serve: null as ((request: Request) => Promise<Response>) | null,
    requestPermission: null as PermissionRequest | null,
    checkPermission: null as PermissionCheck | null,
    beforeRequest: null as BeforeRequest | null,
    applicationMenu: [] as MenuItemConstructorOptions[],
    opened: [] as string[],
    errorBoxes: [] as string[],
    clipboard: { text: '', items: [] as Record<string, Blob>[] },
    chosenFile: null as string | null,
    forks: [] as { path: string; args: string[] }[],
  }
  const showMessageBox = (...given: unknown[]): Promise<{ response: number; checkboxChecked: boolean }> => {
    const box = given.at(-1) as Box
    boxes.push(box)
    const answer = answers.shift()
    if (!answer) return new Promise(() => undefined)
    const response = box.buttons?.indexOf(answer.button) ?? -1
    if (response < 0) throw new Error(`The box “${box.message}” has no button ${answer.button} but ${String(box.buttons)}.`)
    return Promise.resolve({ response, checkboxChecked: answer.checked ?? false })
  }
  const electron = {
    app, ipcMain,
    Tray: FakeTray,
    BrowserWindow: FakeWindow,
    Notification: FakeNotification,
    ClipboardItem: class { constructor(readonly items: Record<string, Blob>) {} },
    clipboard: {
      readText: () => Promise.resolve(state.clipboard.text),
      writeText: (text: string) => { state.clipboard.text = text; return Promise.resolve() },
      write: (items: { items: Record<string, Blob> }[]) => { state.clipboard.items.push(...items.map((item) => item.items)); return Promise.resolve() },
    },
    dialog: {
      showMessageBox,
      showErrorBox: (title: string, content: string) => { state.errorBoxes.push(`${title}: ${content}`) },
      showOpenDialog: vi.fn((..._given: unknown[]) => Promise.resolve({ canceled: state.chosenFile === null, filePaths: state.chosenFile === null ? [] : [state.chosenFile] })),
      showSaveDialog: vi.fn((..._given: unknown[]) => Promise.resolve({ canceled: state.chosenFile === null, filePath: state.chosenFile ?? '' })),
    },
    Menu: {
      buildFromTemplate: (template: MenuItemConstructorOptions[]) => ({ template }),
      setApplicationMenu: (menu: { template: MenuItemConstructorOptions[] }) => { state.applicationMenu = menu.template },
    },
    nativeImage: {
      createFromPath: (path: string) => ({ path }),
      createFromBuffer: (bytes: Buffer) => ({ isEmpty: () => bytes.subarray(1, 4).toString() !== 'PNG' }),
    },
    nativeTheme: { shouldUseDarkColors: true },
    safeStorage: {
      isAsyncEncryptionAvailable: () => Promise.resolve(false),
      getSelectedStorageBackend: () => 'basic_text',
    },
    powerMonitor: new EventEmitter(),
    protocol: {
      registerSchemesAsPrivileged: (schemes: unknown[]) => { state.schemes = schemes },
      handle: (_scheme: string, handler: (request: Request) => Promise<Response>) => { state.serve = handler },
    },
    screen: { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1040 } }] },
    session: {
      defaultSession: {
        setPermissionRequestHandler: (handler: PermissionRequest) => { state.requestPermission = handler },
        setPermissionCheckHandler: (handler: PermissionCheck) => { state.checkPermission = handler },
        setDevicePermissionHandler: () => undefined,
        webRequest: { onBeforeRequest: (_filter: unknown, handler: BeforeRequest) => { state.beforeRequest = handler } },
      },
    },
    shell: {
      openExternal: (url: string) => { state.opened.push(url); return Promise.resolve() },
      openPath: (path: string) => { state.opened.push(path); return Promise.resolve('') },
      showItemInFolder: (path: string) => { state.opened.push(path) },
      trashItem: () => Promise.resolve(),
    },
    utilityProcess: {
      fork: (path: string, args: string[]) => {
        state.forks.push({ path, args })
        const child = new FakeUtilityProcess()
        processes.push(child)
        return child
      },
    },
  }
  return { electron: electron as unknown as ElectronApi, raw: electron, app, ipcMain, state, boxes, answers, trays: FakeTray.made, processes, windows: FakeWindow.made, notifications: FakeNotification.shown }
}
