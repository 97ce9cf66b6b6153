import type { ClientLink } from '@orpc/client'
import { RPCLink as PortLink } from '@orpc/client/message-port'
import { RPCLink as SocketLink } from '@orpc/client/websocket'
import type { PortRequest } from '@shared/contract'

/** No context travels with a call. */
export type NoContext = Record<never, never>

/** One open way to the host. `closed` resolves when it is gone, however. */
export interface OpenLink {
  link: ClientLink<NoContext>
  closed: Promise<void>
  close(): void
}

/** In the desktop shell: a port of our own, whose other end the preload script hands to the main process. */
export function openPortLink(): OpenLink {
  const { port1, port2 } = new MessageChannel()
  const link = new PortLink<NoContext>({ port: port1 })
  const closed = new Promise<void>((resolve) => {
    port1.addEventListener('close', () => { resolve() })
  })
  const request: PortRequest = { ringsidePort: 'contract' }
  window.postMessage(request, '*', [port2])
  port1.start()
  return { link, closed, close: () => { port1.close() } }
}

/** In a browser: a WebSocket to where the page came from. Resolves once open, rejects when refused. */
export function openSocketLink(signal: AbortSignal): Promise<OpenLink> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(socketUrl('/rpc'))
    socket.binaryType = 'arraybuffer'
    const link = new SocketLink<NoContext>({ websocket: socket })
    const closed = new Promise<void>((gone) => {
      socket.addEventListener('close', () => { gone(); reject(new Error('The WebSocket closed before it opened.')) }, { once: true })
    })
    socket.addEventListener('open', () => { resolve({ link, closed, close: () => { socket.close() } }) }, { once: true })
    signal.addEventListener('abort', () => { socket.close() }, { once: true })
  })
}

/** The address of a WebSocket on the server that the page came from. */
export function socketUrl(path: string, query: Record<string, string> = {}): string {
  const url = new URL(path, location.origin)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}
