import { expect, test } from 'vitest'
import { Scrollback } from './scrollback'

const text = (scrollback: Scrollback): string => Buffer.from(scrollback.contents()).toString()

test('keeps the last bytes, and starts behind a line break once it has lost some', () => {
  const scrollback = new Scrollback(10)
  scrollback.push(Buffer.from('one\n'))
  expect(text(scrollback)).toBe('one\n')
  for (const line of ['two\n', 'three\n', 'four\n']) scrollback.push(Buffer.from(line.padEnd(1100, '.')))
  expect(text(scrollback)).toBe('..........')
  expect(scrollback.length).toBe(10)
})

test('a single long line is kept although it has no break', () => {
  const scrollback = new Scrollback(4)
  scrollback.push(Buffer.from('abcdefgh'))
  expect(text(scrollback)).toBe('efgh')
})

test('single bytes are gathered, and the memory of the giver is not kept', () => {
  const scrollback = new Scrollback(100_000)
  const byte = Buffer.from('a')
  for (let index = 0; index < 5000; index += 1) scrollback.push(byte)
  byte[0] = 0x62
  expect(text(scrollback)).toBe('a'.repeat(5000))
})

test('old chunks go when newer ones fill the room', () => {
  const scrollback = new Scrollback(3000)
  for (let index = 0; index < 10; index += 1) scrollback.push(Buffer.from(`${String(index)}\n`.padStart(1025, '-')))
  expect(scrollback.length).toBeLessThan(3000 + 1025)
  expect(text(scrollback)).toMatch(/^-+8\n-+9\n$/u)
})
