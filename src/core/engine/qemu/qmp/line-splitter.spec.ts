import { expect, test } from 'vitest'
import { LineSplitter } from './line-splitter'

test('lines end with LF or CR LF, and empty ones are left out', () => {
  expect(new LineSplitter(100).push(Buffer.from('a\r\n\r\nb\nc'))).toEqual(['a', 'b'])
})

test('a line without an end is bounded', () => {
  const splitter = new LineSplitter(10)
  splitter.push(Buffer.from('12345'))
  expect(() => splitter.push(Buffer.from('678901'))).toThrow(RangeError)
})
