/** What the preload script puts on `window.ringside` in the Electron shell; absent in a browser. */
export interface DesktopBridge {
  readonly platform: 'linux' | 'darwin' | 'win32'
  /** The system's own file dialog, for a folder with the filter `folder`. Resolves to an absolute path, or null when it was closed. */
  pickFile(options: { title: string; filter: FileFilterName }): Promise<string | null>
  /** Absolute path of a file that was dropped on the window. */
  pathForFile(file: File): string
  /** Asks where to save and writes the bytes there. Resolves to the path, or null when the dialog was closed. */
  saveFile(options: { suggestedName: string; bytes: Uint8Array }): Promise<string | null>
  readClipboardText(): Promise<string>
  writeClipboardText(text: string): Promise<void>
  writeClipboardImage(png: Uint8Array): Promise<void>
  /** Shows a file or folder in the system's file manager. */
  revealInFolder(path: string): Promise<void>
  /** A choice of the application menu or the tray. Returns what stops listening. */
  onCommand(listener: (command: MenuCommand) => void): () => void
}

export type FileFilterName = 'iso' | 'disk' | 'kernel' | 'folder' | 'any'

/** What the application menu and the tray ask of the window. */
export type MenuCommand =
  | { type: 'newMachine' }
  | { type: 'createSample' }
  | { type: 'showComputer' }
  | { type: 'showMachine'; id: string }
  /** Of the machine that is shown; nothing where none is. */
  | { type: 'takeSnapshot' }
  | { type: 'cloneMachine' }
  | { type: 'toggleDark' }

/**
 * A MessagePort cannot cross the context bridge, so the page posts it to its own window and the preload script passes it on.
 * `contract` carries oRPC frames; `console` carries the bytes of the console that `ticket` was issued for.
 */
export type PortRequest = { ringsidePort: 'contract' } | { ringsidePort: 'console'; ticket: string }

/** IPC channels between the preload script and the main process: message ports, calls of `DesktopBridge`, and commands to the page. */
export const bridgeChannels = { port: 'ringside:port', call: 'ringside:call', command: 'ringside:command' } as const

/** Functions of `DesktopBridge` that the main process answers. */
export type BridgeCall = Exclude<keyof DesktopBridge, 'platform' | 'pathForFile' | 'onCommand'>

/** The main process's answer to a call. Thrown errors would reach the page with Electron's own words around them. */
export type BridgeReply = { ok: true; value: unknown } | { ok: false; message: string }

declare global {
  interface Window {
    ringside?: DesktopBridge
  }
}
