import type * as Electron from 'electron'

/**
 * What the shell uses of Electron, handed in by the composition root: Electron's own types, so that a change of its API is a type error,
 * and no import of Electron, so that tests run the shell in plain Node.
 */
export type ElectronApi = Pick<
  typeof Electron,
  | 'app' | 'BrowserWindow' | 'clipboard' | 'ClipboardItem' | 'dialog' | 'ipcMain' | 'Menu' | 'nativeImage' | 'Notification' | 'powerMonitor' | 'protocol'
  | 'nativeTheme' | 'safeStorage' | 'screen' | 'session' | 'shell' | 'Tray' | 'utilityProcess'
>
