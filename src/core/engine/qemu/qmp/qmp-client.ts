import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { RingsideError } from '@shared/errors'
import { LineSplitter } from './line-splitter'
import { QmpClosedError, QmpCommandError, QmpTimeoutError } from './qmp-error'
import { isEvent, type JsonObject, type QmpCommandName, type QmpCommands, type QmpEvent, type QmpEventName, type QmpEvents, type QmpGreeting } from './qmp-types'

/** The whole schema of QEMU 10 is about 250 KB in one line; what is far longer is no monitor. */
const lineLimit = 64 * 1024 * 1024

const defaultTimeoutMs = 10_000

const Version = z.object({ qemu: z.object({ major: z.number(), minor: z.number(), micro: z.number() }), package: z.string() })
const Greeting = z.object({ QMP: z.object({ version: Version, capabilities: z.array(z.unknown()) }) })
const Reply = z.object({ id: z.unknown(), return: z.unknown() }).refine((reply) => 'return' in reply)
const Refusal = z.object({ id: z.unknown(), error: z.object({ class: z.string(), desc: z.string() }) })
const Event = z.object({
  event: z.string(),
  data: z.record(z.string(), z.json()).default({}),
  timestamp: z.object({ seconds: z.number(), microseconds: z.number() }),
})

interface Pending {
  command: string
  resolve(value: unknown): void
  reject(error: Error): void
  timer: NodeJS.Timeout | null
}

export interface QmpOptions {
  /** For the greeting, and for each command that names no other. */
  timeoutMs?: number
}

type ArgumentsOf<C extends QmpCommandName> = QmpCommands[C]['arguments'] extends undefined ? [] : [QmpCommands[C]['arguments']]

/**
 * A client of QEMU's machine protocol over any byte stream. Commands may be sent without waiting for the one before; each
 * promise settles by the id of its reply. What does not follow the protocol closes the connection with a `PROTOCOL` error, which
 * every command in flight gets: half-understood replies are worse than none.
 */
export class QmpClient {
  readonly #splitter = new LineSplitter(lineLimit)
  readonly #pending = new Map<string, Pending>()
  readonly #listeners = new Set<(event: QmpEvent) => void>()
  readonly #timeoutMs: number
  readonly #closed = Promise.withResolvers<Error | null>()
  readonly #greeted = Promise.withResolvers<QmpGreeting>()
  #greeting: QmpGreeting | null = null
  #isClosed = false
  #nextId = 1

  private constructor(private readonly stream: Duplex, options: QmpOptions) {
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.#greeted.promise.catch(() => undefined)
    stream.on('data', (chunk: Uint8Array) => { this.#receive(chunk) })
    stream.on('error', (error) => { this.#end(error) })
    stream.on('end', () => { this.#end(null) })
    stream.on('close', () => { this.#end(null) })
  }

  /**
   * Waits for the greeting and negotiates. A second client of one monitor gets no greeting: `TIMED_OUT`.
   * The stream belongs to the client from now on and is destroyed when this throws.
   */
  static async connect(stream: Duplex, options: QmpOptions = {}): Promise<QmpClient> {
    const client = new QmpClient(stream, options)
    const timer = setTimeout(() => { client.#greeted.reject(new QmpTimeoutError('greeting', client.#timeoutMs)) }, client.#timeoutMs)
    try {
      client.#greeting = await client.#greeted.promise
      await client.execute('qmp_capabilities')
      return client
    } catch (error) {
      client.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  get greeting(): QmpGreeting {
    if (this.#greeting === null) throw new RingsideError('INTERNAL', 'The monitor has not greeted yet.')
    return this.#greeting
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Resolves when the connection is gone, with what broke it or null. Never rejects. */
  get closed(): Promise<Error | null> {
    return this.#closed.promise
  }

  /** Throws `QmpCommandError`, `QmpTimeoutError` or `QmpClosedError`. */
  execute<C extends QmpCommandName>(command: C, ...given: ArgumentsOf<C>): Promise<QmpCommands[C]['returns']> {
    return this.executeWithin(this.#timeoutMs, command, ...given)
  }

  /** @param timeoutMs null: wait for as long as the connection lasts */
  executeWithin<C extends QmpCommandName>(timeoutMs: number | null, command: C, ...given: ArgumentsOf<C>): Promise<QmpCommands[C]['returns']> {
    const [parameters] = given as [JsonObject | undefined]
    return this.#send(command, parameters, timeoutMs)
  }

  /** Asks QEMU to end. The reply may be lost on its way: the close is success too. */
  async quit(timeoutMs: number = this.#timeoutMs): Promise<void> {
    try {
      await this.executeWithin(timeoutMs, 'quit')
    } catch (error) {
      if (!(error instanceof QmpClosedError)) throw error
    }
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** The next event of that name for which `accept` holds. Subscribe before the command that causes it. */
  nextEvent<E extends QmpEventName>(name: E, accept: (data: QmpEvents[E]) => boolean = () => true, timeoutMs: number = this.#timeoutMs): Promise<QmpEvents[E]> {
    const wait = Promise.withResolvers<QmpEvents[E]>()
    const off = this.onEvent((event) => { if (isEvent(event, name) && accept(event.data)) wait.resolve(event.data) })
    const timer = setTimeout(() => { wait.reject(new QmpTimeoutError(`event ${name}`, timeoutMs)) }, timeoutMs)
    void this.closed.then(() => { wait.reject(new QmpClosedError(`event ${name}`)) })
    return wait.promise.finally(() => { off(); clearTimeout(timer) })
  }

  /** Lets go of the monitor; QEMU goes on. Commands in flight fail. */
  close(): void {
    this.#end(null)
  }

  async #send(command: string, parameters: JsonObject | undefined, timeoutMs: number | null): Promise<unknown> {
    if (this.#isClosed) throw new QmpClosedError(command)
    const id = `r${String(this.#nextId++)}`
    const wait = Promise.withResolvers<unknown>()
    const timer = timeoutMs === null ? null : setTimeout(() => {
      // The id stays unknown from here, so that a late reply is dropped.
      this.#pending.delete(id)
      wait.reject(new QmpTimeoutError(command, timeoutMs))
    }, timeoutMs)
    this.#pending.set(id, { command, resolve: wait.resolve, reject: wait.reject, timer })
    this.stream.write(`${JSON.stringify(parameters === undefined ? { execute: command, id } : { execute: command, arguments: parameters, id })}\r\n`)
    return wait.promise
  }

  #receive(chunk: Uint8Array): void {
    if (this.#isClosed) return
    try {
      for (const line of this.#splitter.push(chunk)) this.#message(line)
    } catch (cause) {
      this.#end(new RingsideError('PROTOCOL', 'The monitor sent something that is not QMP.', { hint: 'Report this; the machine can be powered off all the same.' }, { cause }))
    }
  }

  #message(line: string): void {
    const message: unknown = JSON.parse(line)
    const event = Event.safeParse(message)
    if (event.success) { this.#emit(event.data); return }
    const refusal = Refusal.safeParse(message)
    if (refusal.success) {
      const { id, error } = refusal.data
      this.#settle(id, (pending) => { pending.reject(new QmpCommandError(pending.command, error.class, error.desc)) })
      return
    }
    const reply = Reply.safeParse(message)
    if (reply.success) {
      this.#settle(reply.data.id, (pending) => { pending.resolve(reply.data.return) })
      return
    }
    const greeting = Greeting.parse(message)
    const { version, capabilities } = greeting.QMP
    this.#greeted.resolve({ version, capabilities: capabilities.filter((name) => typeof name === 'string') })
  }

  /** A reply with an id that is not awaited is a late one and dropped. One without an id answers a line that QEMU could not read. */
  #settle(id: unknown, settle: (pending: Pending) => void): void {
    if (typeof id !== 'string') throw new TypeError('A reply has no id.')
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    if (pending.timer !== null) clearTimeout(pending.timer)
    settle(pending)
  }

  #emit(event: QmpEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch (error) {
        // A listener's defect must not break the connection for the others.
        queueMicrotask(() => { throw error })
      }
    }
  }

  #end(error: Error | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.stream.destroy()
    for (const pending of this.#pending.values()) {
      if (pending.timer !== null) clearTimeout(pending.timer)
      pending.reject(error instanceof RingsideError ? error : new QmpClosedError(pending.command))
    }
    this.#pending.clear()
    this.#greeted.reject(error instanceof RingsideError ? error : new QmpClosedError('greeting'))
    this.#closed.resolve(error)
    this.#listeners.clear()
  }
}
