import { contextBridge, ipcRenderer, webUtils, type IpcRendererEvent } from 'electron'
import { bridgeChannels, type BridgeCall, type BridgeReply, type DesktopBridge, type MenuCommand } from '@shared/contract/bridge'

async function call<Value>(name: BridgeCall, input?: unknown): Promise<Value> {
  const reply = (await ipcRenderer.invoke(bridgeChannels.call, name, input)) as BridgeReply
  if (!reply.ok) throw new Error(reply.message)
  return reply.value as Value
}

/** Commands that came before the page listened. */
let waiting: MenuCommand[] = []
const listeners = new Set<(command: MenuCommand) => void>()

ipcRenderer.on(bridgeChannels.command, (_event: IpcRendererEvent, command: MenuCommand) => {
  if (listeners.size === 0) waiting.push(command)
  for (const listener of listeners) listener(command)
})

const bridge: DesktopBridge = {
  platform: process.platform as DesktopBridge['platform'],
  pickFile: (options) => call('pickFile', options),
  pathForFile: (file) => webUtils.getPathForFile(file),
  saveFile: (options) => call('saveFile', options),
  readClipboardText: () => call('readClipboardText'),
  writeClipboardText: (text) => call('writeClipboardText', text),
  writeClipboardImage: (png) => call('writeClipboardImage', png),
  revealInFolder: (path) => call('revealInFolder', path),
  onCommand(listener) {
    listeners.add(listener)
    const due = waiting
    waiting = []
    for (const command of due) listener(command)
    return () => { listeners.delete(listener) }
  },
}
contextBridge.exposeInMainWorld('ringside', bridge)

// A MessagePort cannot cross the context bridge, so the page posts it to its own window and it goes on from here.
window.addEventListener('message', (event: MessageEvent<unknown>) => {
  const [port] = event.ports
  const isPortRequest = typeof event.data === 'object' && event.data !== null && 'ringsidePort' in event.data
  if (event.source === window && port && isPortRequest) ipcRenderer.postMessage(bridgeChannels.port, event.data, [port])
})
