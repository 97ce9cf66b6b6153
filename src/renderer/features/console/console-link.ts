/**
 * When a console connects, waits and tries again. Pure: the owner carries out the effect that a step names.
 * A console is only ever opened while its machine lives, and reopens by itself until it is closed.
 */
export type LinkState =
  | { phase: 'idle' }
  | { phase: 'connecting'; attempt: number }
  | { phase: 'connected' }
  /** `reason`: why the last try ended, for people. */
  | { phase: 'waiting'; attempt: number; delayMs: number; reason: string }

export type LinkEvent =
  | { type: 'wanted' }
  | { type: 'unwanted' }
  | { type: 'opened' }
  | { type: 'closed'; reason: string }
  | { type: 'waited' }
  /** A person asked to connect now. */
  | { type: 'retry' }

export type LinkEffect = { type: 'open' } | { type: 'close' } | { type: 'wait'; ms: number } | null

const firstDelayMs = 250
const longestDelayMs = 5000

/** A machine that has just started opens its sockets within a moment, so the first tries come quickly. */
export function retryDelayMs(attempt: number): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.max(0, attempt - 1))
}

export function nextLink(state: LinkState, event: LinkEvent): { state: LinkState; effect: LinkEffect } {
  const stay = { state, effect: null }
  switch (event.type) {
    case 'wanted':
      return state.phase === 'idle' ? { state: { phase: 'connecting', attempt: 1 }, effect: { type: 'open' } } : stay
    case 'unwanted':
      return state.phase === 'idle' ? stay : { state: { phase: 'idle' }, effect: { type: 'close' } }
    case 'opened':
      return state.phase === 'connecting' ? { state: { phase: 'connected' }, effect: null } : stay
    case 'closed': {
      if (state.phase === 'idle' || state.phase === 'waiting') return stay
      const attempt = state.phase === 'connecting' ? state.attempt : 1
      const delayMs = retryDelayMs(attempt)
      return { state: { phase: 'waiting', attempt, delayMs, reason: event.reason }, effect: { type: 'wait', ms: delayMs } }
    }
    case 'waited':
      return state.phase === 'waiting' ? { state: { phase: 'connecting', attempt: state.attempt + 1 }, effect: { type: 'open' } } : stay
    case 'retry':
      return state.phase === 'waiting' ? { state: { phase: 'connecting', attempt: 1 }, effect: { type: 'open' } } : stay
  }
}
