import type { WorkerHandle, WorkerLauncher } from './launcher'

/** How long a guest that was just started has the processors to itself, milliseconds: a worker costs a fifth of a second of one of them. */
const calmMs = 1000

/**
 * Workers, with one kept ready on demand: a process of Node takes longer to be there than QEMU takes to start a guest, and a person
 * should not wait for it.
 */
export class WorkerPool {
  #spare: WorkerHandle | null = null
  #closed = false
  #calm: NodeJS.Timeout | null = null

  /** @param logFile where workers print to; shared by all of them */
  constructor(
    private readonly launch: WorkerLauncher,
    private readonly logFile: string,
    private readonly keepSpare: boolean,
  ) {}

  /** A worker for a machine, at once. */
  take(machine: { id: string; name: string }): WorkerHandle {
    const spare = this.#spare
    this.#spare = null
    return spare ?? this.launch({ ...machine, logFile: this.logFile })
  }

  /** Readies a worker for the next machine; to be called when there is nothing more urgent. */
  prepare(): void {
    if (!this.keepSpare || this.#closed || this.#spare !== null) return
    const spare = this.launch({ id: 'spare', name: 'spare', logFile: this.logFile })
    this.#spare = spare
    spare.onExit(() => {
      if (this.#spare === spare) this.#spare = null
    })
  }

  /** The same, once the guest that was just started has got going. */
  prepareSoon(): void {
    if (this.#calm !== null) clearTimeout(this.#calm)
    this.#calm = setTimeout(() => { this.prepare() }, calmMs).unref()
  }

  close(): void {
    this.#closed = true
    if (this.#calm !== null) clearTimeout(this.#calm)
    this.#spare?.kill()
    this.#spare = null
  }
}
