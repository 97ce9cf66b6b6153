import { backoffMs } from './backoff'
import { connection } from './connection'
import { toRingsideError } from './errors'
import type { RingsideError } from '@shared/errors'

export interface SubscriptionOptions {
  /** Waits for a way to the host. */
  whenOpen?: (signal: AbortSignal) => Promise<void>
  /** Told of each failure; the subscription goes on trying. */
  onError?: (error: RingsideError) => void
}

/**
 * Keeps a subscription of the contract going: opens it, hands on its events, and opens it again when it ends or the connection
 * came back. Returns what stops it for good.
 */
export function keepSubscribed<T>(
  open: (signal: AbortSignal) => Promise<AsyncIterable<T>>,
  onEvent: (event: T) => void,
  options: SubscriptionOptions = {},
): () => void {
  const stop = new AbortController()
  const whenOpen = options.whenOpen ?? ((signal: AbortSignal) => connection.whenOpen(signal))
  void (async () => {
    let failures = 0
    while (!stop.signal.aborted) {
      try {
        await whenOpen(stop.signal)
        for await (const event of await open(stop.signal)) {
          if (stopped(stop)) return
          failures = 0
          onEvent(event)
        }
      } catch (thrown) {
        if (stopped(stop)) return
        options.onError?.(toRingsideError(thrown))
      }
      await pause(backoffMs(failures++), stop.signal)
    }
  })()
  return () => { stop.abort() }
}

/** Read through a function: a stop may have come in while the loop was waiting. */
function stopped(stop: AbortController): boolean {
  return stop.signal.aborted
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
  })
}
