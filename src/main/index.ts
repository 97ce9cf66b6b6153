import { join } from 'node:path'
import * as electron from 'electron'
import { openHost } from '@core/app/host'
import { servePort } from '@core/app/serve-port'
import { defaultDataFolder, findHost, openRuntimeRoot } from '@core/library'
import { askForLink } from '@server/local-client'
import { serveLocally } from '@server/local-server'
import { startShell } from './shell'

// The composition root of the desktop application. Nothing here may wait for `whenReady` at the top level: Electron becomes ready only
// after this module has been evaluated.

const built = (path: string): string => join(import.meta.dirname, '..', path)
const ownData = process.env['RINGSIDE_DATA']
const dataFolder = ownData ?? defaultDataFolder()

const log = (message: string, cause?: unknown): void => { console.error(`ringside: ${message}`, ...(cause === undefined ? [] : [cause])) }
const logDefect = (error: unknown, where: string): void => { log(`a defect in ${where}:`, error) }

startShell({
  electron,
  async openHost({ launcher, trash, keychain }) {
    const host = await openHost({ shell: 'electron', dataFolder, launcher, trash, keychain, log: logDefect })
    // The command line attaches here while the window is open.
    const local = serveLocally(host.lock, host.services, logDefect, {
      // A utility process cannot be handed a socket.
      openChannel: () => {
        const { port1, port2 } = new electron.MessageChannelMain()
        return { here: port1, there: port2 }
      },
    })
    return {
      services: host.services,
      async close(options) {
        await local.close()
        await host.close(options)
      },
    }
  },
  async linkOfOtherHost() {
    const other = await findHost(dataFolder, await openRuntimeRoot(dataFolder))
    return other === null ? null : askForLink(other.address)
  },
  servePort: (port, services) => { servePort(port, services, logDefect) },
  paths: {
    renderer: built('renderer'),
    preload: built('preload/index.cjs'),
    worker: built('main/machine-worker.js'),
    icons: built('../resources/icons'),
    // On macOS the folder of the application's data is the library's too, so the profile has one of its own in it.
    profile: ownData === undefined ? join(electron.app.getPath('appData'), 'Ringside', 'window') : join(ownData, 'window'),
  },
  devServerUrl: process.env['ELECTRON_RENDERER_URL'],
  platform: process.platform,
  // Chromium has handlers of its own until Electron is ready; later ones take their place.
  onSignal: (listener) => { for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, listener) },
  log,
})
