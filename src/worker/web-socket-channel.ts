import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'
import { type ByteChannel, closeCode, lowWaterBytes } from './byte-channel'

/** The longest message that a viewer may send: a pasted text, not a film. */
const maxPayload = 4 * 1024 * 1024

const handshakes = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  maxPayload,
  // Console bytes hardly shrink for what compressing them costs in time and memory.
  perMessageDeflate: false,
  // noVNC's older name for plain bytes; a client that asks for a protocol wants one back.
  handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
})

/** Completes the WebSocket handshake that the host left to the worker. */
export async function acceptWebSocket(socket: unknown, headers: Record<string, string>, head: Uint8Array): Promise<ByteChannel> {
  if (!(socket instanceof Socket)) throw new Error('The console came without its socket: the viewer left while it was handed over.')
  socket.setNoDelay(true)
  const request = { method: 'GET', url: '/console', headers, httpVersion: '1.1', socket } as unknown as IncomingMessage
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => {
      reject(new Error('The viewer left during the handshake.'))
    })
    handshakes.handleUpgrade(request, socket, Buffer.from(head), (webSocket) => {
      resolve(new WebSocketChannel(webSocket))
    })
  })
}

class WebSocketChannel implements ByteChannel {
  #onDrain: () => void = () => undefined
  #wasFull = false

  constructor(private readonly socket: WebSocket) {
    socket.binaryType = 'nodebuffer'
    // `close` follows and is what counts.
    socket.on('error', () => undefined)
  }

  get queuedBytes(): number {
    return this.socket.bufferedAmount
  }

  send(bytes: Uint8Array): void {
    if (this.socket.readyState !== this.socket.OPEN) return
    this.socket.send(bytes, { binary: true }, () => {
      if (this.#wasFull && this.socket.bufferedAmount <= lowWaterBytes) {
        this.#wasFull = false
        this.#onDrain()
      }
    })
    if (this.socket.bufferedAmount > lowWaterBytes) this.#wasFull = true
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.socket.on('message', (data: RawData) => {
      listener(Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data)
    })
  }

  onClose(listener: () => void): void {
    if (this.socket.readyState === this.socket.CLOSED) queueMicrotask(listener)
    else this.socket.once('close', listener)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  close(code: number, reason: string): void {
    if (code === closeCode.tooSlow) {
      // A viewer that does not read would never answer a polite close, and its queue would stay.
      this.socket.close(code, fit(reason))
      setTimeout(() => {
        this.socket.terminate()
      }, 1000).unref()
      return
    }
    this.socket.close(code, fit(reason))
  }
}

/** The reason of a close frame has at most 123 bytes (RFC 6455 section 5.5). */
function fit(reason: string): string {
  const bytes = Buffer.from(reason)
  return bytes.length <= 123 ? reason : bytes.subarray(0, 120).toString('utf8').replace(/\uFFFD*$/u, '…')
}
