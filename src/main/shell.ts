import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { MessagePortMain } from 'electron'
import type { Keychain } from '@core/encryption'
import type { HostServices } from '@core/app/services'
import type { WorkerLauncher } from '@core/machine/launcher'
import type { MachineView } from '@shared/model'
import { registerAppScheme, serveAppScheme } from './app-scheme'
import { serveBridge } from './bridge'
import { bridgeActions } from './bridge-actions'
import { guardContents, guardSession } from './content-guards'
import type { ElectronApi } from './electron-api'
import { electronKeychain } from './keychain'
import { createMainWindow, type MainWindow } from './main-window'
import { applicationMenu } from './menu'
import { watchForNotices, type Notice } from './notifications'
import { pageFrom } from './page'
import type { Ask } from './question'
import { createQuitFlow, type QuitFlow } from './quit'
import { explainStartFailure, inWords } from './start-failure'
import { openTray, type TrayAction } from './tray'
import { utilityProcessLauncher } from './worker-launcher'

/** A person has been told why in a dialog. `npm start` knows it (tools/setup/electron.mjs) and does not look for another way to open. */
const startFailedExitCode = 3

/** The host as the shell uses it; see `openHost` in core/app. */
export interface ShellHost {
  services: HostServices
  close: (options: { running: 'keepRunning' }) => Promise<void>
}

export interface ShellDependencies {
  electron: ElectronApi
  openHost: (options: { launcher: WorkerLauncher; trash: (path: string) => Promise<void>; keychain: Keychain }) => Promise<ShellHost>
  /** A link to the page of the host that has the library already; null when it serves none. */
  linkOfOtherHost: () => Promise<string | null>
  servePort: (port: MessagePortMain, services: HostServices) => void
  paths: {
    /** `<folder>/index.html` is the page. */
    renderer: string
    preload: string
    worker: string
    /** Holds icon.png and the tray's pictures. */
    icons: string
    /** Chromium's own files and the window's state. */
    profile: string
  }
  /** Vite's server during development. */
  devServerUrl: string | undefined
  platform: NodeJS.Platform
  /** Signals of the terminal or the session that end the process. */
  onSignal: (listener: () => void) => void
  log: (message: string, cause?: unknown) => void
}

/**
 * Starts the desktop shell: the host in this process, one window on it, menu and tray. Returns at once; everything else follows from
 * Electron's events.
 */
export function startShell(dependencies: ShellDependencies): void {
  const { electron, paths, devServerUrl, log } = dependencies
  const { app } = electron
  const page = pageFrom(devServerUrl)

  // The lock of the single instance lies in the profile, whose folder Electron wants to be there.
  mkdirSync(paths.profile, { recursive: true, mode: 0o700 })
  app.setPath('userData', paths.profile)
  app.enableSandbox()
  registerAppScheme(electron.protocol)
  if (!app.requestSingleInstanceLock()) {
    app.quit()
    return
  }
  app.on('web-contents-created', (_event, contents) => {
    guardContents(contents, page, (url) => { electron.shell.openExternal(url).catch((error: unknown) => { log(`${url} could not be opened.`, error) }) })
  })
  const start = async (): Promise<void> => {
    await app.whenReady()
    try {
      guardSession(electron.session.defaultSession, page)
      serveAppScheme(electron.protocol, paths.renderer)
      await openShell(dependencies, page)
    } catch (error) {
      log('Ringside could not start.', error)
      await explainStartFailure(error, dependencies)
      app.exit(startFailedExitCode)
    }
  }
  start().catch((error: unknown) => { log('The shell failed.', error) })
}

async function openShell(dependencies: ShellDependencies, page: ReturnType<typeof pageFrom>): Promise<void> {
  const { electron, openHost, servePort, paths, devServerUrl, platform, onSignal, log } = dependencies
  const { app } = electron
  const host = await openHost({
    launcher: utilityProcessLauncher(electron.utilityProcess, paths.worker),
    trash: (path) => electron.shell.trashItem(path),
    keychain: electronKeychain(electron.safeStorage, platform),
  })
  const { services } = host
  const picture = (name: string) => electron.nativeImage.createFromPath(join(paths.icons, name))

  const window: MainWindow = createMainWindow({
    electron, page, log,
    preloadPath: paths.preload,
    statePath: join(paths.profile, 'window-state.json'),
    icon: picture('icon.png'),
    mayClose: () => {
      // On macOS the application outlives its window, everywhere else closing it means quitting.
      if (platform === 'darwin' || quitFlow.finished) return true
      void quitFlow.quit()
      return false
    },
    onSessionEnd: () => { leave() },
  })
  const leave = (): void => { void quitFlow.leave() }

  const ask: Ask = async ({ checkbox, buttons, ...question }) => {
    const options = { type: 'question' as const, ...question, buttons: [...buttons], noLink: true, ...(checkbox === undefined ? {} : { checkboxLabel: checkbox }) }
    const parent = window.current()
    const { response, checkboxChecked } = await (parent ? electron.dialog.showMessageBox(parent, options) : electron.dialog.showMessageBox(options))
    return { button: response, checked: checkboxChecked }
  }

  const disposers: (() => void)[] = []
  const quitFlow: QuitFlow = createQuitFlow({
    services, ask, log,
    progress: (fraction) => { window.current()?.setProgressBar(fraction === 'none' ? -1 : (fraction ?? 2)) },
    closeHost: async () => {
      for (const dispose of disposers.splice(0)) dispose()
      await host.close({ running: 'keepRunning' })
    },
    exit: () => { app.quit() },
  })

  serveBridge({
    ipcMain: electron.ipcMain, page, services, log,
    contents: () => window.current()?.webContents ?? null,
    serveContract: (port) => { servePort(port, services) },
    actions: bridgeActions(electron, window.current),
  })

  const menu = applicationMenu(platform, devServerUrl !== undefined, {
    command: window.command,
    openLibraryFolder: () => {
      services.info().then(({ libraryFolder }) => electron.shell.openPath(libraryFolder)).catch((error: unknown) => { log('The library’s folder could not be shown.', error) })
    },
  })
  electron.Menu.setApplicationMenu(electron.Menu.buildFromTemplate(menu))

  disposers.push(openTray({
    electron, platform,
    icon: picture(platform === 'darwin' ? 'trayTemplate.png' : 'tray.png'),
    machines: services.machines,
    actions: { show: window.show, command: window.command, act: (action, machine) => void act(action, machine), quit: () => void quitFlow.quit() },
  }))
  disposers.push(watchForNotices(services, (notice) => { if (!window.isFocused()) notify(notice) }))

  app.on('second-instance', window.show)
  app.on('activate', window.show)
  app.on('before-quit', (event) => {
    if (quitFlow.finished) return
    event.preventDefault()
    void quitFlow.quit()
  })
  // Without a listener Electron would end by itself; on macOS the menu bar and the tray stay.
  app.on('window-all-closed', () => {
    if (platform !== 'darwin') void quitFlow.quit()
  })
  electron.powerMonitor.on('shutdown', leave)
  onSignal(leave)

  window.show()

  async function act(action: TrayAction, machine: MachineView): Promise<void> {
    try {
      if (action === 'save') {
        services.jobs.run(
          { kind: 'machine.save', title: `Saving “${machine.definition.name}”`, machineId: machine.id, cancellable: true },
          async (job) => { await services.machines.save(machine.id, job) },
        )
      } else {
        await services.machines[action](machine.id)
      }
    } catch (error) {
      notify({ title: machine.definition.name, body: inWords(error), machineId: machine.id })
    }
  }

  function notify({ title, body, machineId }: Notice): void {
    if (!electron.Notification.isSupported()) return
    const notification = new electron.Notification({ title, body, icon: picture('icon.png') })
    notification.on('click', () => {
      if (machineId === null) window.show()
      else window.command({ type: 'showMachine', id: machineId })
    })
    notification.show()
  }
}
