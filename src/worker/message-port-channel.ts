import { type ByteChannel, lowWaterBytes } from './byte-channel'

/** The part that Electron's `MessagePortMain` and Node's `MessagePort` have in common. */
interface MessagePortLike {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: unknown) => void): unknown
  on(event: 'close', listener: () => void): unknown
  start(): void
  close(): void
}

/**
 * A viewer behind a message port: messages are `Uint8Array`s both ways. A port tells nothing about its other end's queue, so a viewer
 * that wants back-pressure answers with the number of bytes that it has taken in; from its first answer on, what it has not taken counts
 * as queued.
 */
export function acceptMessagePort(port: unknown): ByteChannel {
  if (!isPort(port)) throw new Error('The console came without its port.')
  return new MessagePortChannel(port)
}

class MessagePortChannel implements ByteChannel {
  #sent = 0
  #taken: number | null = null
  #held: Uint8Array[] | null = null
  #onDrain: () => void = () => undefined
  #onData: (bytes: Uint8Array) => void = () => undefined
  #closeListeners: (() => void)[] = []
  #closed = false

  constructor(private readonly port: MessagePortLike) {
    port.on('message', (event) => {
      this.#received(isEvent(event) ? event.data : event)
    })
    port.on('close', () => {
      this.#ended()
    })
    port.start()
  }

  get queuedBytes(): number {
    return this.#taken === null ? 0 : this.#sent - this.#taken
  }

  send(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#sent += bytes.length
    // Electron serialises the whole buffer behind a view, so only the bytes themselves go.
    this.port.postMessage(new Uint8Array(bytes))
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#onData = listener
  }

  onClose(listener: () => void): void {
    if (this.#closed) queueMicrotask(listener)
    else this.#closeListeners.push(listener)
  }

  pause(): void {
    this.#held ??= []
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const bytes of held) this.#onData(bytes)
  }

  close(): void {
    this.port.close()
    this.#ended()
  }

  #received(data: unknown): void {
    if (data instanceof Uint8Array) {
      if (this.#held === null) this.#onData(data)
      else this.#held.push(data)
    } else if (typeof data === 'number' && Number.isSafeInteger(data) && data >= 0) {
      const before = this.queuedBytes
      this.#taken = Math.min(this.#sent, (this.#taken ?? 0) + data)
      if (before > lowWaterBytes && this.queuedBytes <= lowWaterBytes) this.#onDrain()
    }
  }

  #ended(): void {
    if (this.#closed) return
    this.#closed = true
    for (const listener of this.#closeListeners) listener()
  }
}

function isPort(value: unknown): value is MessagePortLike {
  return typeof value === 'object' && value !== null && 'postMessage' in value && 'start' in value
}

/** Electron hands over an event with `data`, Node the message itself. A message of ours is never such an object. */
function isEvent(value: unknown): value is { data: unknown } {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && 'data' in value
}
