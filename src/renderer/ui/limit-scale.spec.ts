import { expect, test } from 'vitest'
import { doublingStops, fractionOf, nearestStop, parseAmount, tickRows } from './limit-scale'

test('stops are four to each doubling and hold both ends', () => {
  expect(doublingStops(512, 2000)).toEqual([512, 640, 768, 896, 1024, 1280, 1536, 1792, 2000])
  expect(doublingStops(1, 6)).toEqual([1, 2, 3, 4, 5, 6])
  expect(doublingStops(1, 1)).toEqual([1])
  expect(doublingStops(64, 8)).toEqual([64])
})

test('a value lies between its stops in proportion', () => {
  const stops = [1, 2, 4]
  expect([0, 1, 1.5, 2, 3, 4, 9].map((value) => fractionOf(stops, value))).toEqual([0, 0, 0.25, 0.5, 0.75, 1, 1])
  expect(nearestStop(stops, 3.5)).toBe(2)
  expect(fractionOf([5], 5)).toBe(0)
})

test('labels that would lie over each other take further rows', () => {
  expect(tickRows([0.9, 0.1, 0.15, 0.85], 0.2)).toEqual([1, 0, 1, 0])
  expect(tickRows([0, 0.01, 0.02], 0.2)).toEqual([0, 1, 2])
})

test.each([
  ['4096', 'MiB', 4096],
  ['4 GiB', 'MiB', 4096],
  ['1.5g', 'MiB', 1536],
  ['512m', 'GiB', 0.5],
  ['2T', 'GiB', 2048],
  ['2', null, 2],
  ['2g', null, Number.NaN],
  ['', 'MiB', Number.NaN],
  ['four', 'MiB', Number.NaN],
  ['-4', 'MiB', Number.NaN],
] as const)('%s in %s is %d', (text, unit, amount) => {
  expect(parseAmount(text, unit)).toBe(amount)
})
