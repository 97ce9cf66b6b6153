import { z } from 'zod'
import { isRingsideError } from '@shared/errors'
import type { AgentLine } from './agent-line'
import { nonsense, understood } from './guest-agent'

/** How much goes over in one command. The agent takes commands apart byte by byte, and answers nothing else meanwhile. */
export const chunkBytes = 64 * 1024
const limitMs = 30_000
const chunkBase64 = Math.ceil(chunkBytes / 3) * 4
/** So often an agent may answer with nothing before that is nonsense. */
const maxEmptyReads = 100

const Handle = z.int()
const Read = z.object({ count: z.int().min(0).max(chunkBytes), 'buf-b64': z.string().max(chunkBase64 + 4), eof: z.boolean() })
const Written = z.object({ count: z.int().min(0).max(chunkBytes) })
const Position = z.object({ position: z.int().min(0) })

/** An open file of the guest. */
export class GuestFile {
  #empty = 0

  private constructor(private readonly line: AgentLine, private readonly handle: number) {}

  /** @param mode as of `fopen` */
  static async open(line: AgentLine, path: string, mode: 'r' | 'w'): Promise<GuestFile> {
    return new GuestFile(line, understood(Handle, await line.ask('guest-file-open', { path, mode }, { limitMs })))
  }

  /** The next bytes; null at the end. */
  async read(): Promise<Buffer | null> {
    for (;;) {
      const { count, eof, 'buf-b64': encoded } = understood(Read, await this.line.ask('guest-file-read', { handle: this.handle, count: chunkBytes }, { limitMs, answerBytes: chunkBase64 + 4096 }))
      const bytes = Buffer.from(encoded, 'base64')
      if (bytes.length !== count) throw nonsense()
      if (count > 0) return bytes
      this.#empty += 1
      if (this.#empty > maxEmptyReads) throw nonsense()
      if (eof) return null
    }
  }

  /** @param bytes at most `chunkBytes` */
  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { count } = understood(Written, await this.line.ask('guest-file-write', { handle: this.handle, 'buf-b64': bytes.subarray(at).toString('base64') }, { limitMs }))
      if (count === 0 || count > bytes.length - at) throw nonsense()
      at += count
    }
  }

  /** How long it is; null for what has no length, such as a pipe. Goes back to the beginning. */
  async size(): Promise<number | null> {
    try {
      const { position } = understood(Position, await this.#seek(0, 'end'))
      await this.#seek(0, 'set')
      return position
    } catch (error) {
      if (isRingsideError(error, 'GUEST_FAILED')) return null
      throw error
    }
  }

  async flush(): Promise<void> {
    await this.line.ask('guest-file-flush', { handle: this.handle }, { limitMs })
  }

  async close(): Promise<void> {
    await this.line.ask('guest-file-close', { handle: this.handle }, { limitMs })
  }

  #seek(offset: number, whence: 'set' | 'cur' | 'end'): Promise<unknown> {
    return this.line.ask('guest-file-seek', { handle: this.handle, offset, whence }, { limitMs })
  }
}
