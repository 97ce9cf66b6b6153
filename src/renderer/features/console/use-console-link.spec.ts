import { effectScope, nextTick, ref } from 'vue'
import { afterEach, expect, test, vi } from 'vitest'
import { useConsoleLink, type ConsoleLink } from './use-console-link.composable'

afterEach(() => { vi.useRealTimers() })

function linkIn(wanted: () => boolean) {
  vi.useFakeTimers()
  const close = vi.fn()
  const open = vi.fn(() => close)
  const scope = effectScope()
  const link = scope.run(() => useConsoleLink(wanted, open)) as ConsoleLink
  return { link, open, close, scope }
}

test('opens while it is wanted and closes when it no longer is', async () => {
  const wanted = ref(false)
  const { open, close, scope } = linkIn(() => wanted.value)
  expect(open).not.toHaveBeenCalled()
  wanted.value = true
  await nextTick()
  expect(open).toHaveBeenCalledOnce()
  wanted.value = false
  await nextTick()
  expect(close).toHaveBeenCalledOnce()
  scope.stop()
  expect(close).toHaveBeenCalledOnce()
})

test('a lost console is let go of before the next is opened', async () => {
  const { link, open, close, scope } = linkIn(() => true)
  link.opened()
  link.closed('Gone.')
  expect(close).toHaveBeenCalledOnce()
  expect(open).toHaveBeenCalledOnce()
  await vi.advanceTimersByTimeAsync(250)
  expect(open).toHaveBeenCalledTimes(2)
  scope.stop()
})

test('leaving the page closes the console and leaves no timer behind', async () => {
  const { link, open, close, scope } = linkIn(() => true)
  link.closed('Gone.')
  expect(vi.getTimerCount()).toBe(1)
  scope.stop()
  expect(vi.getTimerCount()).toBe(0)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(open).toHaveBeenCalledOnce()
  expect(close).toHaveBeenCalledOnce()
})
