import type { IpcMainEvent, IpcMainInvokeEvent, MessagePortMain, WebContents } from 'electron'
import { z } from 'zod'
import type { HostServices } from '@core/app/services'
import { messageOf } from '@shared/errors'
import { bridgeChannels, type BridgeReply } from '@shared/contract/bridge'
import type { BridgeActions } from './bridge-actions'
import type { ElectronApi } from './electron-api'
import type { Page } from './page'
import { isFromPage } from './sender'

const PortRequest = z.discriminatedUnion('ringsidePort', [
  z.object({ ringsidePort: z.literal('contract') }),
  z.object({ ringsidePort: z.literal('console'), ticket: z.string().max(256) }),
])

export interface BridgeDependencies {
  ipcMain: ElectronApi['ipcMain']
  page: Page
  /** The window's contents; null while there is no window. */
  contents: () => WebContents | null
  services: Pick<HostServices, 'consoleTickets' | 'machines'>
  serveContract: (port: MessagePortMain) => void
  actions: BridgeActions
  log: (message: string, cause?: unknown) => void
}

/** Answers the preload script: message ports for the contract and for consoles, and the calls of `DesktopBridge`. */
export function serveBridge({ ipcMain, page, contents, services, serveContract, actions, log }: BridgeDependencies): void {
  const mayAsk = (event: IpcMainEvent | IpcMainInvokeEvent): boolean => isFromPage(event, contents(), page)

  ipcMain.on(bridgeChannels.port, (event, request: unknown) => {
    const [port] = event.ports
    if (!port) return
    const parsed = PortRequest.safeParse(request)
    if (!mayAsk(event) || !parsed.success) {
      port.close()
    } else if (parsed.data.ringsidePort === 'contract') {
      serveContract(port)
    } else {
      openConsole(port, parsed.data.ticket)
    }
  })

  ipcMain.handle(bridgeChannels.call, async (event, name: unknown, input: unknown): Promise<BridgeReply> => {
    if (!mayAsk(event)) return { ok: false, message: 'Only Ringside’s own page may ask for this.' }
    const action = typeof name === 'string' && Object.hasOwn(actions, name) ? actions[name as keyof BridgeActions] : undefined
    if (!action) return { ok: false, message: 'The page asked for something that this version does not know.' }
    try {
      return { ok: true, value: await action(input) }
    } catch (error) {
      return { ok: false, message: wordsOf(error) }
    }
  })

  function openConsole(port: MessagePortMain, ticket: string): void {
    const grant = services.consoleTickets.redeem(ticket)
    try {
      if (grant === null) port.close()
      else services.machines.attachConsole(grant.machineId, grant.channel, { kind: 'messagePort', port })
    } catch (error) {
      // The machine may have ended between the ticket and its use; the page sees the port close and asks anew.
      log('A console could not be attached.', error)
      port.close()
    }
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof z.ZodError) return `The page asked for this with a wrong value: ${z.prettifyError(error)}`
  return messageOf(error)
}
