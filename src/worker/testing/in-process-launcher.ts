import type { WorkerHandle, WorkerLauncher } from '@core/machine/launcher'
import type { Engine } from '@core/engine/engine'
import { MachineWorker } from '../machine-worker'

/** A worker without a process of its own, whose messages are copied as between processes. */
export interface InProcessWorker {
  readonly pid: number
  /** Ends it as a crash would. */
  die(): void
  /** Stops answering, as a process that is stuck. */
  hang(): void
  readonly alive: boolean
}

/** Workers that run in this very process, for tests of the host and the worker together. */
export function inProcessLauncher(engine: Engine): { launcher: WorkerLauncher; workers: InProcessWorker[] } {
  const workers: InProcessWorker[] = []
  const launcher: WorkerLauncher = () => {
    let alive = true
    let hangs = false
    let toHost: (message: unknown) => void = () => undefined
    let toWorker: (message: unknown, transfer: unknown) => void = () => undefined
    let onExit: (exit: { code: number | null; signal: string | null }) => void = () => undefined
    const end = (exit: { code: number | null; signal: string | null }): void => {
      if (!alive) return
      alive = false
      queueMicrotask(() => { onExit(exit) })
    }
    const pid = 100_000 + workers.length
    new MachineWorker(
      {
        send(message) {
          if (!alive) return
          const copy: unknown = structuredClone(message)
          setImmediate(() => { toHost(copy) })
        },
        onMessage(listener) {
          toWorker = listener
        },
        onClose() {
          // The host of a test does not die alone.
        },
      },
      engine,
      () => { setImmediate(() => { end({ code: 0, signal: null }) }) },
    )
    const handle: WorkerHandle = {
      pid,
      send(message, transfer) {
        const copy: unknown = structuredClone(message)
        setImmediate(() => { if (alive && !hangs) toWorker(copy, transfer) })
      },
      onMessage(listener) {
        toHost = (message) => { listener(message) }
      },
      onExit(listener) {
        onExit = listener
      },
      kill() {
        end({ code: null, signal: 'SIGKILL' })
      },
    }
    workers.push({ pid, die: () => { end({ code: null, signal: 'SIGKILL' }) }, hang: () => { hangs = true }, get alive() { return alive } })
    return handle
  }
  return { launcher, workers }
}
