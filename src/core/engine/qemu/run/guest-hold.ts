import { readFile, rm, writeFile } from 'node:fs/promises'
import { isEvent, type QmpClient, type QmpEvent } from '../qmp'

const frozenMark = 'frozen'

/** Commands that wait for the guest's disks. */
export const slowCommandMs = 60_000

/**
 * The time in which a guest stands still because its state is being kept, not because anybody asked. Nobody is told of it, and it leaves a mark in the run's folder,
 * so that the next worker lets the guest go on when this one dies meanwhile.
 */
export class GuestHold {
  #stoppedAt: number | null = null
  #resumedAt: number | null = null
  #over = false

  /**
   * @param wasPaused the guest stands still already, and does so afterwards
   * @param mark path of the mark
   */
  constructor(private readonly qmp: QmpClient, private readonly wasPaused: boolean, private readonly mark: string) {}

  /** Whether this is our own doing. Asked of every STOP and RESUME. */
  owns(event: QmpEvent): boolean {
    if (this.#over) return false
    if (isEvent(event, 'STOP')) this.#stoppedAt ??= timeOf(event)
    if (isEvent(event, 'RESUME') && !this.wasPaused) {
      this.#resumedAt = timeOf(event)
      this.#over = true
    }
    return true
  }

  /** Whether the guest has gone on since. */
  get hasResumed(): boolean {
    return this.#resumedAt !== null
  }

  /** How long the guest stood still, milliseconds, by QEMU's own clock; null when it did not because of this. */
  get pauseMs(): number | null {
    return this.#stoppedAt === null || this.#resumedAt === null ? null : Math.max(0, this.#resumedAt - this.#stoppedAt)
  }

  /**
   * Leaves the mark: from here on whatever comes, the guest is to go on.
   * @param freezes its file systems are about to be held still too
   */
  async begin(freezes = false): Promise<void> {
    if (!this.wasPaused) await writeFile(this.mark, freezes ? frozenMark : '', { mode: 0o600 })
  }

  async stop(): Promise<void> {
    if (!this.wasPaused) await this.qmp.executeWithin(slowCommandMs, 'stop')
  }

  /** Lets the guest go on, if it did before. */
  async resume(): Promise<void> {
    if (this.wasPaused) await leavePostmigrate(this.qmp)
    else if (!this.hasResumed) await this.qmp.executeWithin(slowCommandMs, 'cont')
  }

  /** The guest is again as it was. */
  async end(): Promise<void> {
    this.#over = true
    await rm(this.mark, { force: true })
  }
}

/** What the mark says: null when there is none. */
export async function readMark(mark: string): Promise<{ freezes: boolean } | null> {
  const text = await readFile(mark, 'utf8').catch(() => null)
  return text === null ? null : { freezes: text === frozenMark }
}

/**
 * Brings a paused guest out of the state in which QEMU leaves it after its memory was written, and out of which it neither could be saved again nor has its disks open for
 * writing. There is no other way than to let it go and stop it in the same breath.
 */
export async function leavePostmigrate(qmp: QmpClient): Promise<void> {
  const { status } = await qmp.execute('query-status')
  if (status !== 'postmigrate') return
  await Promise.all([qmp.executeWithin(slowCommandMs, 'cont'), qmp.executeWithin(slowCommandMs, 'stop')])
}

/** Milliseconds since 1970. */
function timeOf({ timestamp }: QmpEvent): number {
  return timestamp.seconds * 1000 + timestamp.microseconds / 1000
}
