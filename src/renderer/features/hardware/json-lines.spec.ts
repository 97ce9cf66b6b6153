import { expect, test } from 'vitest'
import { lineOf, readJson } from './json-lines'

test('a text is read with the line of every value', () => {
  const reading = readJson('{\n  "a": [1, "x\\n", -2.5e3],\n  "b": {\n    "c": true, "d": null }\n}\n')
  if (!('value' in reading)) throw new Error(reading.fault.message)
  expect(reading.value).toEqual({ a: [1, 'x\n', -2500], b: { c: true, d: null } })
  expect([lineOf(reading.lines, 'a'), lineOf(reading.lines, 'b.c'), lineOf(reading.lines, 'b.gone'), lineOf(reading.lines, 'gone')]).toEqual([2, 4, 3, 1])
})

test.each([
  ['{\n  "a": 1\n  "b": 2\n}', 3, 'After “a” and its value comes “,”'],
  ['{\n  "a": 1,\n}', 3, 'no comma'],
  ['{ a: 1 }', 1, 'in quotation marks'],
  ['{ "a": yes }', 1, '“yes” is no value'],
  ['{\n"a": "x\n}', 2, 'does not end on this line'],
  ['{ "a": 1, "a": 2 }', 1, 'twice'],
  ['{ "a": 1', 1, 'the text ends'],
  ['{} {}', 1, 'more'],
  ['', 1, 'ends where a value'],
  ['[1 2]', 1, 'After an entry of a list'],
])('%j is told with its line', (text, line, words) => {
  const reading = readJson(text)
  if (!('fault' in reading)) throw new Error('It was read.')
  expect(reading.fault.line).toBe(line)
  expect(reading.fault.message).toContain(words)
})

test('a name that every object has by itself is a name like any other', () => {
  const reading = readJson('{ "__proto__": { "x": 1 } }')
  expect('value' in reading && Object.keys(reading.value as object)).toEqual(['__proto__'])
})
