import { expect, test } from 'vitest'
import { ProgressReader } from './progress'

test('figures are read between carriage returns, cut anywhere', () => {
  const seen: number[] = []
  const reader = new ProgressReader((fraction) => seen.push(fraction))
  for (const piece of ['    (0.00/100%)\r    (1', '2.50/10', '0%)\r', '    (99.00/100%)\r    (100.00/100%)\r\n']) reader.push(piece)
  expect(seen).toEqual([0, 0.125, 1])
})
