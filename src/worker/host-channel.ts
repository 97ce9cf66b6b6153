import type { WorkerMessage } from '@core/machine/worker-protocol'

/** The worker's way to its host. */
export interface HostChannel {
  send(message: WorkerMessage): void
  /** `transfer`: the socket or port that came with the message. */
  onMessage(listener: (message: unknown, transfer: unknown) => void): void
  /** The host is gone. */
  onClose(listener: () => void): void
}

/** What Electron puts on `process` in a utility process. */
interface ParentPort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { data: unknown; ports: unknown[] }) => void): void
  on(event: 'close', listener: () => void): void
}

/** Finds out how this process was started: by Electron as a utility process, or by `child_process.fork`. */
export function openHostChannel(): HostChannel {
  const parentPort = (process as unknown as { parentPort?: ParentPort }).parentPort
  if (parentPort !== undefined) {
    return {
      send(message) {
        parentPort.postMessage(message)
      },
      onMessage(listener) {
        parentPort.on('message', ({ data, ports }) => {
          listener(data, ports[0])
        })
      },
      onClose(listener) {
        parentPort.on('close', listener)
      },
    }
  }
  if (process.send === undefined) throw new Error('The machine worker is started by Ringside, not by hand.')
  return {
    send(message) {
      // The host may have died a moment ago; `disconnect` follows.
      process.send?.(message, undefined, undefined, () => undefined)
    },
    onMessage(listener) {
      process.on('message', listener)
    },
    onClose(listener) {
      process.on('disconnect', listener)
    },
  }
}
