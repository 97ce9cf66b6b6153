import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Repeat } from './repeat'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_300 })
})

afterEach(() => {
  vi.useRealTimers()
})

test('works at whole multiples of the period, whenever it was begun', async () => {
  const times: number[] = []
  const repeat = new Repeat(() => {
    times.push(Date.now())
    return Promise.resolve()
  })
  repeat.every(1000)
  await vi.advanceTimersByTimeAsync(3000)
  expect(times).toEqual([1_001_000, 1_002_000, 1_003_000])
  repeat.every(null)
  await vi.advanceTimersByTimeAsync(3000)
  expect(times).toHaveLength(3)
  expect(vi.getTimerCount()).toBe(0)
})

test('work that takes longer than the period skips beats and never overlaps', async () => {
  const times: number[] = []
  const repeat = new Repeat(async () => {
    times.push(Date.now())
    await new Promise((resolve) => setTimeout(resolve, 1500))
  })
  repeat.every(1000)
  await vi.advanceTimersByTimeAsync(5000)
  expect(times).toEqual([1_001_000, 1_003_000, 1_005_000])
  repeat.every(null)
})

test('another period counts at once, and while work is done', async () => {
  const times: number[] = []
  const repeat = new Repeat(() => {
    times.push(Date.now())
    if (times.length === 2) repeat.every(10_000)
    return Promise.resolve()
  })
  repeat.every(10_000)
  repeat.every(1000)
  await vi.advanceTimersByTimeAsync(12_000)
  expect(times).toEqual([1_001_000, 1_002_000, 1_010_000])
  repeat.every(null)
})
