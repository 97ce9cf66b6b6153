import type { BrowserWindow, NativeImage } from 'electron'
import { bridgeChannels, type MenuCommand } from '@shared/contract/bridge'
import type { ElectronApi } from './electron-api'
import type { Page } from './page'
import { boundsFor, minimumSize, readWindowState, writeWindowState } from './window-state'

export interface MainWindowDependencies {
  electron: Pick<ElectronApi, 'BrowserWindow' | 'nativeTheme' | 'screen'>
  page: Page
  preloadPath: string
  statePath: string
  icon: NativeImage
  /** Asked when a person closes the window. `false` keeps it open. */
  mayClose: () => boolean
  onSessionEnd: () => void
  log: (message: string, cause?: unknown) => void
}

/** The one window: made when it is first shown, and again after it was closed. */
export interface MainWindow {
  current: () => BrowserWindow | null
  /** Makes it, or brings the one that is there to the front. */
  show: () => void
  /** Whether a person is looking at it. */
  isFocused: () => boolean
  /** Shows the window and tells its page. */
  command: (command: MenuCommand) => void
}

/** A page that crashes again within this time is not loaded a third time by itself. */
const crashLoopMs = 10_000

export function createMainWindow(dependencies: MainWindowDependencies): MainWindow {
  const { electron, page, preloadPath, statePath, icon, mayClose, onSessionEnd, log } = dependencies
  let window: BrowserWindow | null = null

  function open(): BrowserWindow {
    const saved = readWindowState(statePath)
    const opened = new electron.BrowserWindow({
      ...boundsFor(saved.bounds, electron.screen.getAllDisplays().map((display) => display.workArea)),
      minWidth: minimumSize.width,
      minHeight: minimumSize.height,
      title: 'Ringside',
      icon,
      show: false,
      backgroundColor: electron.nativeTheme.shouldUseDarkColors ? '#18181b' : '#ffffff',
      webPreferences: {
        preload: preloadPath, sandbox: true, contextIsolation: true, nodeIntegration: false, webSecurity: true, webviewTag: false,
        navigateOnDragDrop: false, spellcheck: false,
      },
    })
    if (saved.maximized) opened.maximize()
    opened.once('ready-to-show', () => { opened.show() })
    opened.on('close', (event) => {
      if (!mayClose()) {
        event.preventDefault()
        return
      }
      try {
        writeWindowState(statePath, { bounds: opened.getNormalBounds(), maximized: opened.isMaximized() })
      } catch (error) {
        log('Where the window was could not be saved.', error)
      }
    })
    opened.once('closed', () => { window = null })
    // Windows tells of the session's end through its windows.
    opened.on('session-end', onSessionEnd)
    reloadAfterCrash(opened)
    opened.loadURL(page.url).catch((error: unknown) => { log(`The page ${page.url} could not be loaded.`, error) })
    return opened
  }

  function reloadAfterCrash(opened: BrowserWindow): void {
    let crashedAt = -Infinity
    opened.webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason === 'clean-exit') return
      const now = performance.now()
      const again = now - crashedAt < crashLoopMs
      crashedAt = now
      log(`The window’s page ended (${reason}); its machines go on. ${again ? 'It did so twice in a row and is left as it is.' : 'It is loaded again.'}`)
      if (!again) opened.reload()
    })
  }

  function show(): BrowserWindow {
    if (window === null) {
      window = open()
    } else {
      if (window.isMinimized()) window.restore()
      window.show()
      window.focus()
    }
    return window
  }

  return {
    current: () => window,
    show: () => { show() },
    isFocused: () => window?.isFocused() ?? false,
    command(command) {
      const { webContents } = show()
      const send = (): void => { webContents.send(bridgeChannels.command, command) }
      // While the page loads there is no script yet that could hear it; the preload script keeps it until the page listens.
      if (webContents.isLoadingMainFrame()) webContents.once('did-finish-load', send)
      else send()
    },
  }
}
