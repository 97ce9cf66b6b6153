import { expect, test } from 'vitest'
import { createRateLimit } from './rate-limit'

test('so many at once, then so many per window', () => {
  let now = 0
  const limit = createRateLimit(10, 60_000, () => now)
  for (let count = 0; count < 10; count++) expect(limit.take('a')).toBe(true)
  expect(limit.isSpent('a')).toBe(true)
  expect(limit.take('a')).toBe(false)
  expect(limit.take('b')).toBe(true)
  now += 6000
  expect(limit.isSpent('a')).toBe(false)
  expect(limit.take('a')).toBe(true)
  expect(limit.take('a')).toBe(false)
  now += 3_600_000
  for (let count = 0; count < 10; count++) expect(limit.take('a')).toBe(true)
  expect(limit.take('a')).toBe(false)
})
