import { expect, test } from 'vitest'
import { withoutQueries } from './terminal-queries'

const clean = (text: string): string => Buffer.from(withoutQueries(Buffer.from(text, 'latin1'))).toString('latin1')

test.each([
  ['cursor position', '\x1b[6n'],
  ['device status', '\x1b[5n'],
  ['private device status', '\x1b[?6n'],
  ['primary attributes', '\x1b[c'],
  ['primary attributes with a number', '\x1b[0c'],
  ['secondary attributes', '\x1b[>c'],
  ['tertiary attributes', '\x1b[=0c'],
  ['identify', '\x1bZ'],
  ['a mode', '\x1b[?2004$p'],
  ['the version', '\x1b[>0q'],
  ['the size', '\x1b[18t'],
  ['the background colour', '\x1b]11;?\x07'],
  ['a colour of the palette', '\x1b]4;1;?\x1b\\'],
  ['a setting', '\x1bP$qm\x1b\\'],
  ['a capability', '\x1bP+q544e\x1b\\'],
  ['answerback', '\x05'],
])('a question for %s is left out', (_name, question) => {
  expect(clean(`before${question}after`)).toBe('beforeafter')
})

test.each([
  ['colours', '\x1b[1;31mred\x1b[0m'],
  ['moves', '\x1b[2J\x1b[H\x1b[10;20Hhere'],
  ['titles', '\x1b]0;title?\x07'],
  ['settings of a colour', '\x1b]11;#ffffff\x07'],
  ['modes', '\x1b[?2004h\x1b[?25l'],
  ['bytes of any value', '\xff\xfe\x80 plain \x00'],
])('%s stay', (_name, text) => {
  expect(clean(text)).toBe(text)
})

test('bytes without any control are handed back as they are', () => {
  const bytes = Buffer.from('plain text')
  expect(withoutQueries(bytes)).toBe(bytes)
})
