import { RingsideError, reviveError } from '@shared/errors'
import type { EngineEvent } from '../engine/engine'
import type { MetricsSample } from '@shared/model'
import type { WorkerHandle } from './launcher'
import { type CommandInput, type CommandOutput, type HostMessage, type WorkerCommand, WorkerMessage, workerCommands } from './worker-protocol'

export interface LinkListeners {
  event(event: EngineEvent): void
  sample(sample: MetricsSample): void
  thumbnail(png: Uint8Array | null): void
  /** The worker is gone; every command under way has been refused with `WORKER_DIED` before this. */
  exit(exit: { code: number | null; signal: string | null }): void
  /** The worker said something that makes no sense. */
  nonsense(message: string): void
}

export interface CommandOptions {
  signal?: AbortSignal
  onProgress?: (fraction: number | null) => void
  /** The longest that an answer may take, in milliseconds. */
  timeoutMs?: number
}

interface Pending {
  name: WorkerCommand
  resolve: (output: unknown) => void
  reject: (error: RingsideError) => void
  onProgress: ((fraction: number | null) => void) | undefined
}

/** The host's end of the protocol with one worker process. */
export class WorkerLink {
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #gone = false

  constructor(
    private readonly handle: WorkerHandle,
    private readonly listeners: LinkListeners,
  ) {
    handle.onMessage((message) => {
      this.#received(message)
    })
    handle.onExit((exit) => {
      this.#gone = true
      for (const [id, pending] of this.#pending) {
        this.#pending.delete(id)
        pending.reject(workerDied(exit))
      }
      listeners.exit(exit)
    })
  }

  get pid(): number | undefined {
    return this.handle.pid
  }

  get alive(): boolean {
    return !this.#gone
  }

  /** Throws what the worker threw, `WORKER_DIED` when it dies meanwhile, `TIMED_OUT` after `timeoutMs`. */
  async command<C extends WorkerCommand>(name: C, input: CommandInput<C>, options: CommandOptions = {}): Promise<CommandOutput<C>> {
    if (this.#gone) throw workerDied({ code: null, signal: null })
    const id = this.#nextId
    this.#nextId += 1
    const cancel = (): void => {
      this.#post({ type: 'cancel', id })
    }
    let timer: NodeJS.Timeout | undefined
    try {
      const output = await new Promise<unknown>((resolve, reject) => {
        this.#pending.set(id, { name, resolve, reject, onProgress: options.onProgress })
        if (options.timeoutMs !== undefined) {
          timer = setTimeout(() => {
            reject(new RingsideError('TIMED_OUT', `The machine's worker did not answer within ${String(options.timeoutMs ?? 0)} ms (${name}).`, { hint: 'Try again; if it stays so, power the machine off.' }))
          }, options.timeoutMs)
        }
        this.#post({ type: 'command', id, name, input })
        if (options.signal?.aborted === true) cancel()
        options.signal?.addEventListener('abort', cancel)
      })
      return workerCommands[name].output.parse(output) as CommandOutput<C>
    } finally {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', cancel)
      this.#pending.delete(id)
    }
  }

  /** A message that has no answer. */
  tell(message: Exclude<HostMessage, { type: 'command' }>, transfer?: unknown): void {
    if (!this.#gone) this.#post(message, transfer)
  }

  kill(): void {
    if (!this.#gone) this.handle.kill()
  }

  #post(message: HostMessage, transfer?: unknown): void {
    this.handle.send(message, transfer)
  }

  #received(raw: unknown): void {
    const parsed = WorkerMessage.safeParse(raw)
    if (!parsed.success) {
      this.listeners.nonsense(`The worker sent a message that is none of the protocol's: ${parsed.error.issues[0]?.message ?? ''}`)
      return
    }
    const message = parsed.data
    switch (message.type) {
      case 'reply':
        this.#pending.get(message.id)?.resolve(message.output)
        break
      case 'failure':
        this.#pending.get(message.id)?.reject(reviveError(message.error))
        break
      case 'progress':
        this.#pending.get(message.id)?.onProgress?.(message.fraction)
        break
      case 'event':
        this.listeners.event(message.event)
        break
      case 'sample':
        this.listeners.sample(message.sample)
        break
      case 'thumbnail':
        this.listeners.thumbnail(message.png)
        break
    }
  }
}

/** How a process ended, in words: `killed (SIGKILL)`, `ended with code 1`. */
export function exitInWords(exit: { code: number | null; signal: string | null }): string {
  if (exit.signal !== null) return `was killed (${exit.signal})`
  return exit.code === null ? 'is gone' : `ended with code ${String(exit.code)}`
}

function workerDied(exit: { code: number | null; signal: string | null }): RingsideError {
  return new RingsideError('WORKER_DIED', `The process that looks after the machine ${exitInWords(exit)}.`, {
    hint: 'The machine itself goes on and a new process takes it over; try again in a moment.',
  })
}
