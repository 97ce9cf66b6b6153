import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError } from '@shared/errors'
import { QmpClient, type QmpOptions } from './qmp-client'

export interface ConnectQmpOptions extends QmpOptions {
  /** How long to go on trying while nothing listens, milliseconds. */
  patienceMs: number
  /** Ends the attempts early: the process is known to be gone. */
  signal?: AbortSignal
}

const firstPauseMs = 2
/** A try costs 0.1 ms; a longer pause would be felt at every start. */
const longestPauseMs = 8

/**
 * Connects to a monitor that may not listen yet: QEMU makes its socket some 20 ms after it was spawned, and says so to nobody, so
 * this tries again in short, growing pauses.
 * Throws what the last attempt threw, or the signal's reason.
 */
export async function connectQmp(open: () => Promise<Duplex>, options: ConnectQmpOptions): Promise<QmpClient> {
  const deadline = performance.now() + options.patienceMs
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    throwIfAborted(options.signal)
    try {
      return await QmpClient.connect(await open(), options)
    } catch (error) {
      if (!isNotThereYet(error) || performance.now() + pauseMs > deadline) throw error
    }
    await delay(pauseMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => undefined)
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  const reason: unknown = signal.reason
  throw reason instanceof Error ? reason : new RingsideError('CANCELLED', 'Connecting to QEMU was cancelled.')
}

/** No socket yet, or one that is bound but does not listen. */
function isNotThereYet(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}
