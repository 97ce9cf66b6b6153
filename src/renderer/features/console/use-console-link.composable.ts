import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import { nextLink, type LinkEvent, type LinkState } from './console-link'

export interface ConsoleLink {
  state: Readonly<ShallowRef<LinkState>>
  /** To be called by the owner when what `open` began has got through, or ended. */
  opened(): void
  closed(reason: string): void
  /** Tries at once instead of waiting the pause out. */
  retry(): void
}

/**
 * Keeps one console open while it is wanted and the component lives. `open` begins and returns what ends it again; ending is
 * silent: `closed` need not be called for it.
 */
export function useConsoleLink(wanted: () => boolean, open: () => () => void): ConsoleLink {
  const state = shallowRef<LinkState>({ phase: 'idle' })
  let close: (() => void) | null = null
  let timer: ReturnType<typeof setTimeout> | undefined

  function step(event: LinkEvent): void {
    const next = nextLink(state.value, event)
    if (next.state === state.value) return
    clearTimeout(timer)
    state.value = next.state
    switch (next.effect?.type) {
      case 'open':
        close = open()
        break
      case 'close':
        end()
        break
      case 'wait':
        end()
        timer = setTimeout(() => { step({ type: 'waited' }) }, next.effect.ms)
        break
      case undefined:
        break
    }
  }

  function end(): void {
    const ending = close
    close = null
    ending?.()
  }

  watch(wanted, (now) => { step({ type: now ? 'wanted' : 'unwanted' }) }, { immediate: true, flush: 'post' })
  onScopeDispose(() => { step({ type: 'unwanted' }) })
  return {
    state,
    opened: () => { step({ type: 'opened' }) },
    closed: (reason) => { step({ type: 'closed', reason }) },
    retry: () => { step({ type: 'retry' }) },
  }
}
