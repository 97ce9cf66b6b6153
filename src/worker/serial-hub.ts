import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { endsWith, overlap } from './align-log'
import { type ByteChannel, closeCode } from './byte-channel'
import { Scrollback } from './scrollback'
import { SerialLog } from './serial-log'
import { withoutQueries } from './terminal-queries'

/** How much of the past a viewer is given, bytes. */
export const scrollbackBytes = 256 * 1024
/** What may wait for a viewer before it is dropped, bytes. More than the scrollback, which is sent in one go. */
const viewerLimitBytes = 2 * 1024 * 1024
/** How often a moment of silence is looked for, some milliseconds each. */
const alignAttempts = 40

const hasStopped = 'The machine has stopped.'

/**
 * One serial port of a running machine. QEMU's socket takes one client, so the worker is that client for as long as it lives and any number of
 * viewers share it: each gets what came before, then what comes, without a gap or a repetition, and each may type. A viewer that
 * reads too slowly is dropped; the guest never waits for one.
 */
export class SerialHub {
  readonly #scrollback = new Scrollback(scrollbackBytes)
  readonly #viewers = new Set<ByteChannel>()
  /** Viewers whose input is held back until the guest takes it. */
  readonly #held = new Set<ByteChannel>()
  #stream: Duplex | null = null
  readonly #log: SerialLog
  /** Live bytes that came before the log was read; null once the past is in place. */
  #early: Uint8Array[] | null = []
  #closed = false
  #why = hasStopped
  readonly #ready: Promise<void>

  /**
   * @param connect opens QEMU's socket
   * @param logPath what QEMU has logged of this port
   * @param reconnectMs how long to wait before another try
   */
  constructor(
    private readonly connect: () => Promise<Duplex>,
    logPath: string,
    private readonly reconnectMs = 1000,
  ) {
    this.#log = new SerialLog(logPath)
    this.#ready = this.#begin()
  }

  /** Resolves when the viewer has been given the past. */
  async attach(viewer: ByteChannel): Promise<void> {
    await this.#ready
    if (this.#closed) {
      viewer.close(closeCode.goingAway, this.#why)
      return
    }
    viewer.onClose(() => {
      this.#viewers.delete(viewer)
      this.#held.delete(viewer)
    })
    viewer.onData((bytes) => {
      this.#input(viewer, bytes)
    })
    // In one turn with joining, so that nothing falls between past and present.
    const past = withoutQueries(this.#scrollback.contents())
    if (past.length > 0) viewer.send(past)
    this.#viewers.add(viewer)
  }

  /** @param why told to viewers, a sentence */
  close(why = hasStopped): void {
    if (this.#closed) return
    this.#closed = true
    this.#why = why
    this.#stream?.destroy()
    for (const viewer of this.#viewers) viewer.close(closeCode.goingAway, why)
    this.#viewers.clear()
  }

  async #begin(): Promise<void> {
    await this.#open()
    await this.#seed()
  }

  async #open(): Promise<void> {
    if (this.#closed) return
    let stream
    try {
      stream = await this.connect()
    } catch {
      this.#retry()
      return
    }
    if (this.#closed) {
      stream.destroy()
      return
    }
    this.#stream = stream
    stream.on('data', (bytes: Buffer) => {
      this.#output(bytes)
    })
    stream.on('drain', () => {
      for (const viewer of this.#held) viewer.resume()
      this.#held.clear()
    })
    // `close` follows.
    stream.on('error', () => undefined)
    stream.on('close', () => {
      this.#stream = null
      this.#retry()
    })
  }

  /** QEMU closes the port when it ends, or takes the port out. If it did so for another reason, a later try meets it. */
  #retry(): void {
    if (this.#closed) return
    void delay(this.reconnectMs, undefined, { ref: false }).then(() => this.#open())
  }

  /**
   * Puts what QEMU logged before this worker connected in front of what came since. QEMU writes to the socket first and to the log right
   * after, so whatever is in the log has been sent, and is here after the next rounds of the event loop. When nothing came between
   * the reading and then, the log ends with just what came: the rest is the past. A port that is never silent for that moment is
   * aligned by its content.
   */
  async #seed(): Promise<void> {
    const early = this.#early ?? []
    for (let attempt = 1; ; attempt += 1) {
      const received = sum(early)
      const log = await this.#log.end(scrollbackBytes + received)
      await nextTurn()
      await nextTurn()
      const live = Buffer.concat(early)
      const silent = live.length === received && endsWith(log.bytes, live)
      if (!silent && attempt < alignAttempts && log.bytes.length > 0) continue
      const known = silent ? live.length : overlap(log.bytes, live)
      this.#early = null
      if (log.cut) this.#scrollback.markCut()
      this.#scrollback.push(log.bytes.subarray(0, log.bytes.length - known))
      this.#scrollback.push(live)
      this.#log.grew(live.length)
      return
    }
  }

  #output(bytes: Uint8Array): void {
    if (this.#early !== null) {
      this.#early.push(bytes.slice())
      return
    }
    this.#scrollback.push(bytes)
    this.#log.grew(bytes.length)
    for (const viewer of this.#viewers) {
      viewer.send(bytes)
      if (viewer.queuedBytes <= viewerLimitBytes) continue
      this.#viewers.delete(viewer)
      viewer.close(closeCode.tooSlow, 'This viewer read too slowly; open the console again.')
    }
  }

  #input(viewer: ByteChannel, bytes: Uint8Array): void {
    if (this.#stream === null || this.#closed) return
    if (this.#stream.write(Buffer.from(bytes))) return
    viewer.pause()
    this.#held.add(viewer)
  }
}

function sum(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((total, chunk) => total + chunk.length, 0)
}
