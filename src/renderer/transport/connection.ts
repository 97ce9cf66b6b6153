import type { ClientLink } from '@orpc/client'
import { readonly, shallowRef, type ShallowRef } from 'vue'
import { backoffMs } from './backoff'
import { connectionLost } from './errors'
import { openPortLink, openSocketLink, type NoContext, type OpenLink } from './link'
import { checkSession, openSession, takeToken } from './session'

/** What the window may say about its way to the host. */
export type ConnectionState =
  | { type: 'connecting' }
  | { type: 'open' }
  /** The way was lost and is tried again. `retryAt` is in milliseconds since the epoch. */
  | { type: 'lost'; attempt: number; retryAt: number }
  /** The server wants a new link with a token; only a person can bring it. */
  | { type: 'refused' }
  /** The host speaks another version of the contract than this page. */
  | { type: 'versionMismatch'; host: number; page: number }

/** Ways that a connection is made, swapped in specs. */
export interface Ways {
  desktop: boolean
  openPort(): OpenLink
  openSocket(signal: AbortSignal): Promise<OpenLink>
  takeToken(): string | null
  openSession(token: string): Promise<'ok' | 'refused' | 'unreachable'>
  checkSession(): Promise<'ok' | 'refused' | 'unreachable'>
}

const realWays: Ways = {
  get desktop() { return window.ringside !== undefined },
  openPort: openPortLink,
  openSocket: openSocketLink,
  takeToken,
  openSession,
  checkSession,
}

/** Holds the one way to the host open: connects, notices a loss, tries again with growing pauses until it is told to stop. */
export class Connection {
  readonly #state: ShallowRef<ConnectionState> = shallowRef({ type: 'connecting' })
  readonly state = readonly(this.#state)
  readonly #ways: Ways
  readonly #stop = new AbortController()
  #open: OpenLink | null = null
  #token: string | null = null
  #waiting = new Set<() => void>()
  #wakeUp: (() => void) | null = null

  constructor(ways: Ways = realWays) {
    this.#ways = ways
  }

  start(): void {
    this.#token = this.#ways.desktop ? null : this.#ways.takeToken()
    void this.#keepOpen()
  }

  stop(): void {
    this.#stop.abort()
    this.#open?.close()
    this.#wakeUp?.()
  }

  /** Tries at once instead of waiting the pause out. */
  retryNow(): void {
    this.#wakeUp?.()
  }

  /** Tries another link's token, after the first was refused; connects when it is good. */
  async signIn(token: string): Promise<'ok' | 'refused' | 'unreachable'> {
    const outcome = await this.#ways.openSession(token)
    if (outcome === 'ok' && this.#state.value.type === 'refused') {
      this.#token = null
      this.#state.value = { type: 'connecting' }
      void this.#keepOpen()
    }
    return outcome
  }

  /** The host turned out to speak another version: no use in trying further with this page. */
  reportVersion(host: number, page: number): void {
    this.#state.value = { type: 'versionMismatch', host, page }
    this.stop()
  }

  /** The link to call on. The first connection is waited for; a lost one is an error at once, so that no button hangs. */
  async link(signal?: AbortSignal): Promise<ClientLink<NoContext>> {
    if (this.#state.value.type === 'connecting') await this.whenOpen(signal)
    if (!this.#open) throw connectionLost()
    return this.#open.link
  }

  /** Resolves when there is a way to the host; rejects when the signal is aborted. */
  whenOpen(signal?: AbortSignal): Promise<void> {
    if (this.#open) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const settle = (): void => { this.#waiting.delete(settle); resolve() }
      this.#waiting.add(settle)
      signal?.addEventListener('abort', () => {
        this.#waiting.delete(settle)
        reject(new DOMException('Aborted', 'AbortError'))
      }, { once: true })
    })
  }

  async #keepOpen(): Promise<void> {
    let attempt = 0
    while (!this.#stop.signal.aborted) {
      const outcome = await this.#tryOnce()
      if (this.#stop.signal.aborted) return
      if (outcome === 'refused') {
        this.#state.value = { type: 'refused' }
        return
      }
      if (outcome === 'ended') attempt = 0
      const pause = backoffMs(attempt++)
      this.#state.value = { type: 'lost', attempt, retryAt: Date.now() + pause }
      await this.#pause(pause)
    }
  }

  /** Opens, stays until it is lost. */
  async #tryOnce(): Promise<'ended' | 'failed' | 'refused'> {
    if (this.#token !== null) {
      const outcome = await this.#ways.openSession(this.#token)
      if (outcome === 'unreachable') return 'failed'
      // A spent token is no loss while the cookie that it once bought still opens the door: reloading an old link works.
      if (outcome === 'refused' && (await this.#ways.checkSession()) !== 'ok') return 'refused'
      this.#token = null
    }
    try {
      this.#open = this.#ways.desktop ? this.#ways.openPort() : await this.#ways.openSocket(this.#stop.signal)
    } catch {
      return (await this.#ways.checkSession()) === 'refused' ? 'refused' : 'failed'
    }
    this.#state.value = { type: 'open' }
    for (const settle of [...this.#waiting]) settle()
    await this.#open.closed
    this.#open = null
    return 'ended'
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => { this.#wakeUp?.() }, milliseconds)
      this.#wakeUp = () => {
        clearTimeout(timer)
        this.#wakeUp = null
        resolve()
      }
    })
  }
}

/** The window's own connection. */
export const connection = new Connection()
