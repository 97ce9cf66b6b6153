import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type RawData } from 'ws'

/** The part of a `MessagePortMain` or of Node's `MessagePort` that a bridge needs. */
export interface BridgePort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: unknown) => void): unknown
  on(event: 'close', listener: () => void): unknown
  start(): void
  close(): void
}

/** Makes the two ends of a message channel: one stays here, the other goes to the worker. */
export type OpenChannel = () => { here: BridgePort; there: unknown }

/** Bytes that may wait for the browser before the worker is told to hold on. */
const highWaterBytes = 1 << 20

const handshakes = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: 4 << 20, perMessageDeflate: false, handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false) })

/**
 * Completes a console's handshake in the host and pumps its bytes to a message port: for workers that cannot be handed a socket,
 * which are Electron's utility processes. How much the viewer has taken is told to the worker as numbers (see its port channel).
 */
export function bridgeConsole(request: IncomingMessage, socket: Duplex, head: Buffer, port: BridgePort): void {
  handshakes.handleUpgrade(request, socket, head, (client) => {
    let untold = 0
    const tell = (): void => {
      if (untold > 0) port.postMessage(untold)
      untold = 0
    }
    client.on('message', (data: RawData) => {
      const bytes = Array.isArray(data) ? Buffer.concat(data) : new Uint8Array(data as Buffer)
      // A copy of its own: Electron would send the whole pool behind a view.
      port.postMessage(new Uint8Array(bytes))
    })
    port.on('message', (event) => {
      const data = isEvent(event) ? event.data : event
      if (!(data instanceof Uint8Array)) return
      untold += data.length
      client.send(data, { binary: true }, () => { if (client.bufferedAmount < highWaterBytes) tell() })
    })
    port.on('close', () => { client.close(1000) })
    client.on('close', () => { port.close() })
    client.on('error', () => undefined)
    port.start()
    // From its first number on, the worker counts what has not been taken.
    port.postMessage(0)
  })
}

/** Electron hands over an event with `data`, Node the message itself. */
function isEvent(value: unknown): value is { data: unknown } {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && 'data' in value
}
