import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, createWebSocketStream } from 'ws'
import type { MachineManager } from '@core/app/services'

/** `serial`: the first port. */
export type ConsoleKind = 'graphics' | 'serial' | `serial${number}`

/** Consoles at `/<machine>/<kind>`, without any of the server's guards. */
export async function serveConsoles(machines: Pick<MachineManager, 'attachConsole'>): Promise<{ port: number; close: () => void }> {
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const [, id = '', kind = ''] = (request.url ?? '').split('/')
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    try {
      machines.attachConsole(id, kind === 'graphics' ? { type: 'graphics' } : { type: 'serial', port: Number(kind.slice('serial'.length)) }, {
        kind: 'webSocketUpgrade',
        socket,
        headers,
        head: new Uint8Array(head),
      })
    } catch (error) {
      socket.end(`HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nX-Reason: ${encodeURIComponent((error as Error).message)}\r\n\r\n`)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

/** Opens a console as a browser does, behind the handshake that the worker completes. */
export async function openConsoleAt(port: number, id: string, kind: ConsoleKind): Promise<Duplex> {
  const socket = new WebSocket(`ws://127.0.0.1:${String(port)}/${id}/${kind}`, ['binary'])
  // Before it is open, as the first bytes may come along with the answer to the handshake.
  const stream = createWebSocketStream(socket)
  // That it could not be opened is said below, and whoever listens to it hears what happens to it later.
  stream.on('error', () => undefined)
  await once(socket, 'open')
  return stream
}
