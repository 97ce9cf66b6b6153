import { expect, test } from 'vitest'
import { endsWith, overlap } from './align-log'

const bytes = (text: string): Uint8Array => Buffer.from(text)

test.each([
  ['', '', 0],
  ['abc', '', 0],
  ['', 'abc', 0],
  ['abc', 'xyz', 0],
  ['abcdef', 'def', 3],
  ['abcdef', 'defghi', 3],
  ['aaaa', 'aa', 2],
  ['xaab', 'aabaab', 3],
  ['n=1\nn=2\n', 'n=2\nn=3\n', 4],
  ['abcab', 'ab', 2],
  ['ab', 'xab', 0],
])('%j and %j overlap by %d', (log, live, expected) => {
  expect(overlap(bytes(log), bytes(live))).toBe(expected)
})

test('the overlap of long monotonous streams is found in linear time', () => {
  const log = new Uint8Array(300_000).fill(0x61)
  expect(overlap(log, new Uint8Array(200_000).fill(0x61))).toBe(200_000)
})

test('what a log ends with', () => {
  expect(endsWith(bytes('abc'), bytes('bc'))).toBe(true)
  expect(endsWith(bytes('abc'), bytes(''))).toBe(true)
  expect(endsWith(bytes('bc'), bytes('abc'))).toBe(false)
  expect(endsWith(bytes('abc'), bytes('ab'))).toBe(false)
})
