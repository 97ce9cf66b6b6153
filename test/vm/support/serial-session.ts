import type { Duplex } from 'node:stream'

/** How long a guest under software emulation on a busy machine may take to say something. */
const patienceMs = 60_000

interface Waiter {
  pattern: RegExp | string
  settle(text: string): void
  fail(error: Error): void
}

/**
 * Talks with a guest over its serial port, as expect(1) does: what arrives is kept, and a wait consumes it up to the end of its match,
 * so that the next wait only sees what came after.
 */
export class SerialSession implements Disposable {
  readonly #stream: Duplex
  #pending = ''
  #transcript = ''
  #waiter: Waiter | null = null
  #ended: Error | null = null

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('data', this.#onData)
    stream.on('close', this.#onClose)
    stream.on('error', this.#onError)
  }

  /** Everything that the guest has printed so far. */
  get transcript(): string {
    return this.#transcript
  }

  /**
   * Waits until the guest prints `pattern`.
   * @returns the text up to and including the match; use a capture of `pattern` on it for details
   * @throws when it doesn't within `timeoutMs`, or the port closes first; the message ends with the last lines
   */
  waitFor(pattern: RegExp | string, timeoutMs = patienceMs): Promise<string> {
    if (this.#waiter) throw new Error('A session waits for one thing at a time.')
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiter?.fail(new Error(`The guest did not print ${String(pattern)} within ${String(timeoutMs)} ms. ${this.#lastWords()}`))
      }, timeoutMs)
      const done = (): void => {
        clearTimeout(timer)
        this.#waiter = null
      }
      this.#waiter = {
        pattern,
        settle: (text) => (done(), resolve(text)),
        fail: (error) => (done(), reject(error)),
      }
      this.#match()
    })
  }

  /** Types text and the Enter key. */
  sendLine(text: string): void {
    this.#stream.write(`${text}\r`)
  }

  send(text: string): void {
    this.#stream.write(text)
  }

  /**
   * Runs a shell command and returns what it printed, without the echo of the command and without the prompt.
   * @throws when the command's exit status isn't 0
   */
  async run(command: string, timeoutMs = patienceMs): Promise<string> {
    // The marks are split in what is typed, so that the echo of the line never looks like the answer.
    this.sendLine(`echo '<<''<'; ${command}; echo ">>"">$?"`)
    const text = await this.waitFor(/<<<\r?\n([\s\S]*?)>>>(\d+)\r?\n/, timeoutMs)
    const [, output = '', status = ''] = /<<<\r?\n([\s\S]*?)>>>(\d+)\r?\n$/.exec(text) ?? []
    if (status !== '0') throw new Error(`In the guest, "${command}" ended with status ${status}: ${output.trim()}`)
    return output.replaceAll('\r\n', '\n').trimEnd()
  }

  /** Stops listening; the stream stays the caller's. */
  [Symbol.dispose](): void {
    this.#stream.off('data', this.#onData)
    this.#stream.off('close', this.#onClose)
    this.#stream.off('error', this.#onError)
    this.#waiter?.fail(new Error('The session was closed.'))
  }

  readonly #onData = (chunk: Buffer | string): void => {
    const text = chunk.toString('latin1')
    this.#pending += text
    this.#transcript += text
    this.#match()
  }

  readonly #onClose = (): void => {
    this.#end(new Error(`The serial port closed. ${this.#lastWords()}`))
  }

  readonly #onError = (error: Error): void => {
    this.#end(error)
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#waiter?.fail(error)
  }

  #match(): void {
    if (!this.#waiter) return
    const { pattern } = this.#waiter
    const index = typeof pattern === 'string' ? this.#pending.indexOf(pattern) : this.#pending.search(pattern)
    if (index >= 0) {
      const length = typeof pattern === 'string' ? pattern.length : (pattern.exec(this.#pending)?.[0].length ?? 0)
      const text = this.#pending.slice(0, index + length)
      this.#pending = this.#pending.slice(index + length)
      this.#waiter.settle(text)
    } else if (this.#ended) this.#waiter.fail(this.#ended)
  }

  #lastWords(): string {
    return `Its last lines were:\n${this.#transcript.split('\n').slice(-15).join('\n')}`
  }
}
