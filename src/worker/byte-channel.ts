/** A viewer's byte stream, whatever carries it. */
export interface ByteChannel {
  /** Hands bytes on. They are not kept: the caller may use the memory again. */
  send(bytes: Uint8Array): void
  /** Bytes that were sent and wait here for the viewer. */
  readonly queuedBytes: number
  /** Called when `queuedBytes` has become small again. */
  onDrain(listener: () => void): void
  onData(listener: (bytes: Uint8Array) => void): void
  /** Called once, whoever closed it. */
  onClose(listener: () => void): void
  /** Asks the viewer's side to hold its bytes back. */
  pause(): void
  resume(): void
  close(code: number, reason: string): void
}

/** Close codes of RFC 6455 section 7.4.1 and the IANA registry, used on message ports too. */
export const closeCode = { normal: 1000, goingAway: 1001, failed: 1011, tooSlow: 1013 } as const

/** What may wait for a viewer before its source is paused, bytes. */
export const highWaterBytes = 1024 * 1024
/** Below this a paused source goes on, bytes. */
export const lowWaterBytes = 256 * 1024
