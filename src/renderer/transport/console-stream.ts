import type { ConsoleChannel, PortRequest } from '@shared/contract'
import { useClient } from './client'
import { toRingsideError } from './errors'
import { socketUrl } from './link'
import type { RingsideError } from '@shared/errors'

/** The part of a WebSocket that noVNC and the terminal use, over whatever carries the bytes here. */
export interface ConsoleStream {
  /** As WebSocket's: 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number
  readonly protocol: string
  binaryType: BinaryType
  onopen: ((event: Event) => void) | null
  /** `data` is an ArrayBuffer. */
  onmessage: ((event: MessageEvent<ArrayBuffer>) => void) | null
  onerror: ((event: Event) => void) | null
  onclose: ((event: CloseEvent) => void) | null
  /** Why it could not be opened or broke, where that is known. */
  readonly error: RingsideError | null
  send(data: ArrayBuffer | ArrayBufferView | string): void
  close(code?: number, reason?: string): void
}

/** Opens a console of a running machine. Returns at once, connecting; failures arrive as `onerror` and then `onclose`. */
export function openConsole(id: string, channel: ConsoleChannel): ConsoleStream {
  return new TicketedStream(async (signal) => (await useClient().console.open({ id, channel }, { signal })).ticket)
}

const connecting = 0
const open = 1
const closing = 2
const closed = 3

/** What carries the bytes once there is a ticket. */
interface Carrier {
  send(data: Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
}

class TicketedStream implements ConsoleStream {
  // noVNC looks for own properties, so all of these are set in the object itself.
  readyState: number = connecting
  protocol = ''
  binaryType: BinaryType = 'arraybuffer'
  onopen: ConsoleStream['onopen'] = null
  onmessage: ConsoleStream['onmessage'] = null
  onerror: ConsoleStream['onerror'] = null
  onclose: ConsoleStream['onclose'] = null
  error: RingsideError | null = null
  #carrier: Carrier | null = null
  readonly #stop = new AbortController()

  constructor(getTicket: (signal: AbortSignal) => Promise<string>) {
    void (async () => {
      try {
        const ticket = await getTicket(this.#stop.signal)
        if (this.readyState !== connecting) return
        this.#carrier = window.ringside ? this.#overPort(ticket) : this.#overSocket(ticket)
      } catch (thrown) {
        this.#fail(toRingsideError(thrown))
      }
    })()
  }

  send(data: ArrayBuffer | ArrayBufferView | string): void {
    if (this.readyState !== open) return
    this.#carrier?.send(asBytes(data))
  }

  close(code?: number, reason?: string): void {
    if (this.readyState >= closing) return
    this.readyState = closing
    this.#stop.abort()
    if (this.#carrier) this.#carrier.close(code, reason)
    else this.#ended(code ?? 1000, reason ?? '', true)
  }

  #overSocket(ticket: string): Carrier {
    const socket = new WebSocket(socketUrl('/console', { ticket }))
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => { this.#opened() }
    socket.onmessage = (event: MessageEvent<unknown>) => { this.#received(event.data) }
    socket.onclose = (event) => { this.#ended(event.code, event.reason, event.wasClean) }
    socket.onerror = () => { this.onerror?.(new Event('error')) }
    return {
      send: (data) => { socket.send(data) },
      close: (code, reason) => { socket.close(code, reason) },
    }
  }

  #overPort(ticket: string): Carrier {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = (event: MessageEvent<unknown>) => {
      this.#received(event.data)
      // Told only now, so that the guest's flood waits in the worker while the page is busy.
      if (ArrayBuffer.isView(event.data)) port1.postMessage(event.data.byteLength)
    }
    // A first number, even of nothing, says that more will follow.
    port1.postMessage(0)
    port1.addEventListener('close', () => { this.#ended(1006, '', false) })
    const request: PortRequest = { ringsidePort: 'console', ticket }
    window.postMessage(request, '*', [port2])
    queueMicrotask(() => { this.#opened() })
    return {
      // Copied on its way, never transferred: Electron's ports lose transferred buffers.
      send: (data) => { port1.postMessage(data) },
      close: (code, reason) => {
        port1.close()
        this.#ended(code ?? 1000, reason ?? '', true)
      },
    }
  }

  #opened(): void {
    if (this.readyState !== connecting) return
    this.readyState = open
    this.onopen?.(new Event('open'))
  }

  #received(data: unknown): void {
    if (this.readyState !== open) return
    const bytes = data instanceof ArrayBuffer ? data : ArrayBuffer.isView(data) ? copyOf(data).buffer : null
    if (bytes) this.onmessage?.(new MessageEvent('message', { data: bytes }))
  }

  #fail(error: RingsideError): void {
    if (this.readyState === closed) return
    this.error = error
    this.onerror?.(new Event('error'))
    this.#ended(1006, error.message, false)
  }

  #ended(code: number, reason: string, wasClean: boolean): void {
    if (this.readyState === closed) return
    this.readyState = closed
    this.onclose?.(new CloseEvent('close', { code, reason: reason.slice(0, 120), wasClean }))
  }
}

function asBytes(data: ArrayBuffer | ArrayBufferView | string): Uint8Array<ArrayBuffer> {
  if (typeof data === 'string') return new TextEncoder().encode(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : copyOf(data)
}

function copyOf(view: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(view.byteLength)
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  return copy
}
