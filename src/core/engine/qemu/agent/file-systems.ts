import type { Duplex } from 'node:stream'
import { messageOf } from '@shared/errors'
import { GuestAgent } from './guest-agent'

/** For a guest that is busy: an idle one answers in a millisecond. */
const answerMs = 3_000
/** The agent may first have to finish a freeze that was given up. */
const thawMs = 10_000

/** Connects to the channel of the guest agent, which takes one client at a time. */
export type OpenAgent = () => Promise<Duplex>

/**
 * Has those who want the agent wait until the one before has closed the channel: a second client would hear nothing.
 * @param onWanted somebody comes; the one who has the channel may want to let go of it
 */
export function inTurn(open: OpenAgent, onWanted: () => void = () => undefined): OpenAgent {
  let last: Promise<void> = Promise.resolve()
  return async () => {
    onWanted()
    const before = last
    const gone = Promise.withResolvers<void>()
    last = gone.promise
    await before
    try {
      const channel = await open()
      channel.once('close', () => { gone.resolve() })
      return channel
    } catch (error) {
      gone.resolve()
      throw error
    }
  }
}

/** The guest's file systems, held still. */
export interface HeldFileSystems {
  /** Lets them go on. Throws when that can't be confirmed; the order to do so is with the agent all the same. */
  thaw(): Promise<void>
}

/**
 * Holds the guest's file systems still. When that fails or takes too long they are let go again, and the reason is thrown.
 * @param limitMs for the file systems to write out what they hold
 */
export async function holdFileSystems(open: OpenAgent, limitMs: number): Promise<HeldFileSystems> {
  const agent = new GuestAgent(await open())
  try {
    await agent.ping(answerMs)
  } catch (error) {
    agent.close()
    throw error
  }
  try {
    await agent.freeze(limitMs)
    return { thaw: () => thaw(agent) }
  } catch (error) {
    await thaw(agent).catch(() => undefined)
    throw error
  }
}

/** Why the guest's file systems can't be held, a sentence; null when they can. */
export async function freezeObstacle(open: OpenAgent): Promise<string | null> {
  return withAgent(open, async (agent) => {
    if (await agent.isFrozen(answerMs)) return 'The guest’s file systems are held still already, by somebody else.'
    return null
  }).catch((error: unknown) => messageOf(error))
}

/** Lets the file systems of a guest go on that may be held: since its memory was kept at such a moment, or by a worker that is gone. */
export async function thawFileSystems(open: OpenAgent): Promise<void> {
  await withAgent(open, (agent) => agent.thaw(answerMs))
}

async function withAgent<T>(open: OpenAgent, work: (agent: GuestAgent) => Promise<T>): Promise<T> {
  const agent = new GuestAgent(await open())
  try {
    return await work(agent)
  } finally {
    agent.close()
  }
}

async function thaw(agent: GuestAgent): Promise<void> {
  try {
    await agent.thaw(thawMs)
  } finally {
    agent.close()
  }
}
