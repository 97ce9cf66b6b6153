import { afterEach, expect, test, vi } from 'vitest'
import { useSharedClipboard } from './use-shared-clipboard.composable'

function clipboard(text: string | null): { readText: ReturnType<typeof vi.fn>; writeText: ReturnType<typeof vi.fn> } {
  const fake = { readText: vi.fn(() => (text === null ? Promise.reject(new Error('No.')) : Promise.resolve(text))), writeText: vi.fn(() => Promise.resolve()) }
  vi.stubGlobal('navigator', { clipboard: fake })
  localStorage.clear()
  return fake
}
afterEach(() => { vi.unstubAllGlobals() })

test('in a browser nothing is read or written until a person switches it on', async () => {
  const host = clipboard('secret')
  const send = vi.fn()
  const shared = useSharedClipboard(() => true, send)
  await shared.toGuest()
  await shared.fromGuest('hello')
  expect([host.readText.mock.calls.length, host.writeText.mock.calls.length, send.mock.calls.length]).toEqual([0, 0, 0])
  expect(shared.state.value).toMatch(/not shared/u)
})

test('text goes each way once and never back where it came from', async () => {
  const host = clipboard('from host')
  const send = vi.fn()
  const shared = useSharedClipboard(() => true, send)
  shared.on.value = true
  await shared.toGuest()
  await shared.toGuest()
  expect(send.mock.calls).toEqual([['from host']])
  await shared.fromGuest('from host')
  expect(host.writeText).not.toHaveBeenCalled()
  await shared.fromGuest('from guest')
  expect(host.writeText.mock.calls).toEqual([['from guest']])
  expect(shared.state.value).toMatch(/both directions/u)
})

test('a machine without the channel and a browser that refuses are told apart', async () => {
  clipboard(null)
  const send = vi.fn()
  expect(useSharedClipboard(() => false, send).state.value).toMatch(/no clipboard channel/u)
  const shared = useSharedClipboard(() => true, send)
  shared.on.value = true
  expect(shared.state.value).toMatch(/spice-vdagent/u)
  await shared.toGuest()
  expect(shared.state.value).toMatch(/did not allow/u)
  expect(send).not.toHaveBeenCalled()
})
