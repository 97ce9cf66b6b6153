import { isRingsideError, RingsideError } from '@shared/errors'
import type { OpenAgent } from './file-systems'
import { GuestAgent, type AskOptions } from './guest-agent'

/** For a guest that is busy: an idle one answers in a millisecond. */
const pingMs = 5_000
/** How long a channel that nobody needs stays open. A guest notices a new one within a tenth of a second only. */
const idleMs = 1_000

/**
 * The agent for those who ask it one thing after the other, several at a time: their commands go out in the order in which they come, on one channel. Whoever wants the channel
 * for itself (to hold the file systems still) gets it between two commands.
 */
export class AgentLine {
  #agent: GuestAgent | null = null
  #last: Promise<unknown> = Promise.resolve()
  #asking = 0
  #isWanted = false
  /** It is this line itself that wants the channel. */
  #isOpening = false
  #idle: NodeJS.Timeout | null = null

  /** @param open in turn with others, see `inTurn` */
  constructor(private readonly open: OpenAgent) {}

  /** Throws as `GuestAgent.ask` does, and `CAPABILITY_MISSING` when no agent answers. */
  ask(command: string, values: Record<string, unknown>, options: AskOptions): Promise<unknown> {
    this.#asking += 1
    const turn = this.#last.then(() => this.#ask(command, values, options)).finally(() => { this.#asked() })
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** Somebody else wants the channel. */
  letGo(): void {
    if (this.#isOpening) return
    if (this.#asking === 0) this.close()
    else this.#isWanted = true
  }

  close(): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
    this.#isWanted = false
    this.#agent?.close()
    this.#agent = null
  }

  async #ask(command: string, values: Record<string, unknown>, options: AskOptions): Promise<unknown> {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
    const agent = this.#agent?.isClosed === false ? this.#agent : await this.#connect()
    try {
      return await agent.ask(command, values, options)
    } catch (error) {
      const isRefusal = isRingsideError(error, 'CAPABILITY_MISSING') || isRingsideError(error, 'GUEST_FAILED')
      if (!isRefusal) this.close()
      throw error
    } finally {
      if (this.#isWanted) this.close()
    }
  }

  async #connect(): Promise<GuestAgent> {
    this.#isOpening = true
    const opening = this.open()
    this.#isOpening = false
    const agent = new GuestAgent(await opening)
    this.#agent = agent
    try {
      await agent.ping(pingMs)
      return agent
    } catch (cause) {
      this.close()
      if (!isRingsideError(cause, 'TIMED_OUT')) throw cause
      throw new RingsideError('CAPABILITY_MISSING', `No guest agent answers in the guest (asked for ${String(pingMs / 1000)} s).`, { hint: 'Install qemu-guest-agent in the guest and start it.' }, { cause })
    }
  }

  #asked(): void {
    this.#asking -= 1
    if (this.#asking > 0 || this.#agent === null) return
    this.#idle = setTimeout(() => { this.close() }, idleMs)
    this.#idle.unref()
  }
}
