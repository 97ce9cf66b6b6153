import { randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { RingsideError } from '@shared/errors'
import { cleanText } from './clean-text'

/** Most answers are short. What is longer than its command allows comes from a guest that means harm. */
const usualAnswerBytes = 64 * 1024

/** What may come beside an answer: what is left of earlier talks, what other programs wrote to the channel. */
const besideBytes = 4 * 2 ** 20

/** Precedes the answer to `guest-sync-delimited`, and occurs in no JSON [docs/interop/qemu-ga-ref: guest-sync-delimited]. */
const sentinel = 0xff
const newline = 10

const Answer = z.union([z.object({ return: z.unknown() }).refine((answer) => 'return' in answer), z.object({ error: z.object({ class: z.string().optional(), desc: z.string() }) })])

export interface AskOptions {
  /** The longest that the answer may take, milliseconds. */
  limitMs: number
  /** The longest that the answer may be. */
  answerBytes?: number
}

interface Pending {
  command: string
  answerBytes: number
  syncId: number
  resolve(value: unknown): void
  reject(error: Error): void
}

/**
 * A client of qemu-guest-agent over a byte stream whose other end is in the guest, and therefore not trusted: whatever is no answer is passed over, and nothing
 * grows without a bound. Every command goes out behind a sync of its own, so that an answer to a command that was given up is never taken for another's.
 */
export class GuestAgent {
  /** What has come of a piece whose end has not. */
  #rest: Buffer[] = []
  #restBytes = 0
  /** All that has come since the command under way was sent. */
  #heardBytes = 0
  #reading: 'sentinel' | 'sync' | 'answer' = 'sentinel'
  #pending: Pending | null = null
  #closed = false

  /** The stream belongs to the agent's client from now on. */
  constructor(private readonly stream: Duplex) {
    stream.on('data', (chunk: Buffer) => { this.#receive(chunk) })
    stream.on('error', () => { this.close() })
    stream.on('close', () => { this.close() })
  }

  /** Whether it is there. Throws as `ask` does. */
  async ping(limitMs: number): Promise<void> {
    await this.ask('guest-ping', {}, { limitMs })
  }

  /** Has every file system of the guest write out what it holds and keep still. @returns how many do */
  async freeze(limitMs: number): Promise<number> {
    return understood(z.int().min(0), await this.ask('guest-fsfreeze-freeze', {}, { limitMs }))
  }

  /** Lets all file systems go on; fine when none was held. Sent at once, even while an earlier command is not answered: the agent does one after the other. */
  async thaw(limitMs: number): Promise<void> {
    await this.ask('guest-fsfreeze-thaw', {}, { limitMs })
  }

  async isFrozen(limitMs: number): Promise<boolean> {
    return understood(z.enum(['thawed', 'frozen']), await this.ask('guest-fsfreeze-status', {}, { limitMs })) === 'frozen'
  }

  get isClosed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.stream.destroy()
    this.#settle()?.reject(channelClosed())
  }

  /**
   * Sends a command. What it answers is not checked here. Nothing of `values` gets into an error or a log.
   * Throws `TIMED_OUT` without an answer in time, `CAPABILITY_MISSING` when the agent has no such command or may not obey it, `GUEST_FAILED` when it failed, `PROTOCOL` when
   * the agent talks nonsense; the channel is closed then.
   */
  async ask(command: string, values: Record<string, unknown>, { limitMs, answerBytes = usualAnswerBytes }: AskOptions): Promise<unknown> {
    if (this.#closed) throw channelClosed()
    if (this.#pending !== null) throw new RingsideError('INTERNAL', `The guest agent is still busy with “${this.#pending.command}”.`)
    const syncId = randomInt(1, 2 ** 31)
    const wait = Promise.withResolvers<unknown>()
    this.#pending = { command, syncId, answerBytes, resolve: wait.resolve, reject: wait.reject }
    this.#reading = 'sentinel'
    this.#keep(null)
    this.#heardBytes = 0
    const timer = setTimeout(() => {
      this.#settle()?.reject(new RingsideError('TIMED_OUT', `The guest agent did not answer “${command}” within ${String(limitMs / 1000)} s.`, {
        hint: 'Check that qemu-guest-agent is installed and runs in the guest.',
      }))
    }, limitMs)
    const sync = JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id: syncId } })
    const order = JSON.stringify({ execute: command, ...(Object.keys(values).length === 0 ? {} : { arguments: values }) })
    // The agent throws away half a command that it got before when it meets the sentinel.
    this.stream.write(Buffer.concat([Buffer.of(sentinel), Buffer.from(`${sync}\n${order}\n`)]))
    try {
      return await wait.promise
    } finally {
      clearTimeout(timer)
    }
  }

  #receive(chunk: Buffer): void {
    // What comes while nothing was asked is nothing that was asked for.
    if (this.#pending === null) return
    this.#heardBytes += chunk.length
    let left = chunk
    while (this.#pending !== null && left.length > 0) left = this.#advance(left)
    const pending = this.#pending
    if (pending === null || (this.#restBytes <= pending.answerBytes && this.#heardBytes <= pending.answerBytes + besideBytes)) return
    this.#settle()?.reject(new RingsideError('PROTOCOL', `The guest agent floods its channel instead of answering “${pending.command}”; the connection to it was cut.`, { hint: restartHint }))
    this.close()
  }

  /** Takes the next piece out of what has come. @returns what comes behind it */
  #advance(bytes: Buffer): Buffer {
    if (this.#reading === 'sentinel') {
      const at = bytes.indexOf(sentinel)
      if (at === -1) return Buffer.alloc(0)
      this.#reading = 'sync'
      return bytes.subarray(at + 1)
    }
    const end = bytes.indexOf(newline)
    this.#keep(end === -1 ? bytes : bytes.subarray(0, end))
    if (end === -1) return Buffer.alloc(0)
    const line = Buffer.concat(this.#rest)
    this.#keep(null)
    this.#line(line.subarray(line.lastIndexOf(sentinel) + 1).toString('utf8'))
    return bytes.subarray(end + 1)
  }

  #keep(bytes: Buffer | null): void {
    if (bytes === null) this.#rest = []
    else this.#rest.push(bytes)
    this.#restBytes = bytes === null ? 0 : this.#restBytes + bytes.length
  }

  #line(text: string): void {
    const answer = parseAnswer(text)
    if (this.#reading === 'sync') {
      const isOurs = answer !== null && 'return' in answer && answer.return === this.#pending?.syncId
      this.#reading = isOurs ? 'answer' : 'sentinel'
      return
    }
    if (answer === null) return
    const pending = this.#settle()
    if ('return' in answer) pending?.resolve(answer.return)
    else pending?.reject(refusal(pending.command, answer.error))
  }

  #settle(): Pending | null {
    const pending = this.#pending
    this.#pending = null
    return pending
  }
}

/** What the agent says when it does not do something, for people. */
function refusal(command: string, { class: kind, desc }: { class?: string | undefined; desc: string }): RingsideError {
  const words = cleanText(desc, 300)
  if (kind === 'CommandNotFound') {
    return new RingsideError('CAPABILITY_MISSING', `The guest agent refused “${command}”: ${words}`, { hint: 'Update qemu-guest-agent in the guest, or allow the command in its settings (/etc/qemu/qemu-ga.conf, or /etc/sysconfig/qemu-ga).' })
  }
  return new RingsideError('GUEST_FAILED', `The guest agent could not do “${command}”: ${words}`)
}

/** @throws `PROTOCOL` when a value is not what the command is to answer */
export function understood<T>(schema: z.ZodType<T>, value: unknown): T {
  const read = schema.safeParse(value)
  if (!read.success) throw nonsense()
  return read.data
}

const restartHint = 'Restart qemu-guest-agent in the guest, or update it.'

/** What the agent answered makes no sense. */
export function nonsense(): RingsideError {
  return new RingsideError('PROTOCOL', 'The guest agent sends what is no answer.', { hint: restartHint })
}

function channelClosed(): RingsideError {
  return new RingsideError('QEMU_FAILED', 'The connection to the guest agent closed.', { hint: 'The machine may just have ended.' })
}

function parseAnswer(text: string): z.infer<typeof Answer> | null {
  try {
    return Answer.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}
