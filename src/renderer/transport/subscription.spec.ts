import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { keepSubscribed } from './subscription'

const whenOpen = (): Promise<void> => Promise.resolve()

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

async function* events(...values: number[]): AsyncGenerator<number> {
  yield* values
  await Promise.resolve()
}

test('a subscription that ends is opened again, a failed one too, until it is stopped', async () => {
  const seen: number[] = []
  const failures: string[] = []
  const open = vi.fn<(signal: AbortSignal) => Promise<AsyncIterable<number>>>()
    .mockResolvedValueOnce(events(1, 2))
    .mockRejectedValueOnce(new Error('The WebSocket closed.'))
    .mockResolvedValueOnce(events(3))
    .mockImplementation((signal) => new Promise((_, reject) => { signal.addEventListener('abort', () => { reject(new Error('stopped')) }) }))
  const stop = keepSubscribed(open, (event) => seen.push(event), { whenOpen, onError: (error) => failures.push(error.code) })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(seen).toEqual([1, 2, 3])
  expect(failures).toEqual(['PROTOCOL'])
  const calls = open.mock.calls.length
  stop()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(open).toHaveBeenCalledTimes(calls)
})
