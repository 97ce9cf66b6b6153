import { stat, writeFile } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import type { BrowserWindow, FileFilter } from 'electron'
import { z } from 'zod'
import type { BridgeCall, DesktopBridge, FileFilterName } from '@shared/contract/bridge'
import type { ElectronApi } from './electron-api'

/** One function for each call of the bridge; each parses what it was given. */
export type BridgeActions = Readonly<Record<BridgeCall, (input: unknown) => Promise<unknown>>>

const fileFilters: Readonly<Record<FileFilterName, FileFilter[]>> = {
  iso: [{ name: 'CD and DVD images', extensions: ['iso', 'img', 'cdr'] }],
  disk: [{ name: 'Disk images', extensions: ['qcow2', 'qcow', 'img', 'raw', 'vmdk', 'vdi', 'vhdx', 'vhd', 'vpc'] }],
  kernel: [],
  folder: [],
  any: [],
}
const everyFile: FileFilter = { name: 'All files', extensions: ['*'] }

const maxSavedBytes = 256 * 1024 * 1024
const maxClipboardText = 16 * 1024 * 1024

const PickFile = z.object({ title: z.string().max(200), filter: z.enum(['iso', 'disk', 'kernel', 'folder', 'any']) })
const Bytes = z.instanceof(Uint8Array).refine((bytes) => bytes.byteLength <= maxSavedBytes, 'more than 256 MiB')
const SaveFile = z.object({ suggestedName: z.string().min(1).max(255), bytes: Bytes })
const AbsolutePath = z.string().max(4096).refine(isAbsolute, 'not an absolute path')

type Electron = Pick<ElectronApi, 'app' | 'clipboard' | 'ClipboardItem' | 'dialog' | 'nativeImage' | 'shell'>

/** The system's dialogs, clipboard and file manager, for our own page. */
export function bridgeActions({ app, clipboard, ClipboardItem, dialog, nativeImage, shell }: Electron, window: () => BrowserWindow | null): BridgeActions {
  const answers = {
    async pickFile(input: unknown) {
      const { title, filter } = PickFile.parse(input)
      const options = filter === 'folder'
        ? { title, properties: ['openDirectory' as const, 'createDirectory' as const] }
        : { title, filters: [...fileFilters[filter], everyFile], properties: ['openFile' as const] }
      const parent = window()
      const { canceled, filePaths } = await (parent ? dialog.showOpenDialog(parent, options) : dialog.showOpenDialog(options))
      return canceled ? null : (filePaths[0] ?? null)
    },
    async saveFile(input: unknown) {
      const { suggestedName, bytes } = SaveFile.parse(input)
      const options = { defaultPath: join(app.getPath('downloads'), safeName(suggestedName)) }
      const parent = window()
      const { canceled, filePath } = await (parent ? dialog.showSaveDialog(parent, options) : dialog.showSaveDialog(options))
      if (canceled || filePath === '') return null
      await writeFile(filePath, bytes)
      return filePath
    },
    readClipboardText: () => clipboard.readText(),
    writeClipboardText: (input: unknown) => clipboard.writeText(z.string().max(maxClipboardText).parse(input)),
    async writeClipboardImage(input: unknown) {
      const png = Bytes.parse(input)
      if (nativeImage.createFromBuffer(Buffer.from(png)).isEmpty()) throw new Error('That is no picture that can be copied.')
      await clipboard.write([new ClipboardItem({ 'image/png': new Blob([new Uint8Array(png)], { type: 'image/png' }) })])
    },
    async revealInFolder(input: unknown) {
      const path = AbsolutePath.parse(input)
      await stat(path).catch((cause: unknown) => { throw new Error(`${path} is not there any more.`, { cause }) })
      shell.showItemInFolder(path)
    },
  } satisfies { [Call in BridgeCall]: (input: unknown) => ReturnType<DesktopBridge[Call]> }
  return answers
}

/** A suggestion is a name, never a path, and never one that the system's own files have. */
function safeName(name: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is taken out
  const cleaned = basename(name.replaceAll('\\', '/')).replace(/[<>:"|?*\u0000-\u001f]/gu, '_').replace(/^\.+/u, '')
  return cleaned === '' ? 'ringside' : cleaned
}
