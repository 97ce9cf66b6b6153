import { expect, test } from 'vitest'
import { quoteForShell } from './shell-quote'

test('quotes what a shell would take apart, and nothing else', () => {
  expect(['-m', 'size=512M', 'a b', "it's", ''].map(quoteForShell)).toEqual(['-m', 'size=512M', "'a b'", `'it'\\''s'`, "''"])
})
