import { once } from 'node:events'
import type { Duplex } from 'node:stream'

/** Listens to a guest that prints something at short intervals, and tells how long it stood still. */
export class Heartbeat implements Disposable {
  readonly #beats: number[] = []

  constructor(private readonly stream: Duplex) {
    stream.on('data', this.#onData)
    stream.on('error', this.#onError)
  }

  /** Resolves when so many pieces have come from now on. */
  async beats(count: number): Promise<void> {
    const wanted = this.#beats.length + count
    const closed = new AbortController()
    const onClose = (): void => { closed.abort(new Error('The guest’s serial port closed.')) }
    this.stream.once('close', onClose)
    try {
      while (this.#beats.length < wanted) await once(this.stream, 'data', { signal: closed.signal })
    } finally {
      this.stream.off('close', onClose)
    }
  }

  /** The longest time without a sign of life since `from` (of `performance.now()`), milliseconds. */
  longestGap(from: number): number {
    const times = [from, ...this.#beats.filter((time) => time > from)]
    return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)))
  }

  [Symbol.dispose](): void {
    this.stream.off('data', this.#onData)
    this.stream.off('error', this.#onError)
  }

  readonly #onData = (): void => {
    this.#beats.push(performance.now())
  }

  readonly #onError = (): void => undefined
}
