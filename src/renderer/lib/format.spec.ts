import { expect, test } from 'vitest'
import { countOf, formatAgo, formatBytes, formatDuration, formatMiB, formatPercent, formatRate } from './format'

test('bytes have three figures at most and binary units', () => {
  expect([0, 1023, 1024, 1536, 734_003_200, 5 * 2 ** 40].map(formatBytes)).toEqual(['0 B', '1023 B', '1 KiB', '1.50 KiB', '700 MiB', '5 TiB'])
  expect(formatMiB(8192)).toBe('8 GiB')
})

test('rates have decimal units', () => {
  expect([0, 999.4, 1000, 1_250_000, 48_300_000].map(formatRate)).toEqual(['0 B/s', '999 B/s', '1 kB/s', '1.25 MB/s', '48.3 MB/s'])
})

test('small per cents keep a decimal, zero and large ones do not', () => {
  expect([0, 0.004, 0.0749, 0.31, 1].map(formatPercent)).toEqual(['0 %', '0.4 %', '7.5 %', '31 %', '100 %'])
})

test('durations name their two largest units', () => {
  expect([-5, 45_000, 60_000, 7_500_000, 26 * 3_600_000, 8 * 86_400_000].map(formatDuration)).toEqual(['0 s', '45 s', '1 min', '2 h 5 min', '1 d 2 h', '8 d'])
})

test('a moment ago, and a date that is none', () => {
  expect(formatAgo('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:02Z'))).toBe('just now')
  expect(formatAgo('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:00Z'))).toBe('5 min ago')
  expect(formatAgo('never', 0)).toBe('never')
})

test('counts take the plural', () => {
  expect([countOf(1, 'machine'), countOf(0, 'machine'), countOf(2, 'entry', 'entries')]).toEqual(['1 machine', '0 machines', '2 entries'])
})
