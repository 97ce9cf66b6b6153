import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { onOneLine, quotedForShell, shown } from './words'

test('what a terminal would obey is written as its code; all else stays', () => {
  expect(shown('a\u001b]0;x\u0007\r\u009b2J\n\tb\u202eb')).toBe('a\\x1b]0;x\\x07\\x0d\\x9b2J\n\tb\\u202eb')
  expect(shown('Größe 🎉 👩‍💻 עברית')).toBe('Größe 🎉 👩‍💻 עברית')
  expect(onOneLine('a\nb\tc')).toBe('a\\nb\\tc')
})

test.each(['plain', '-x', 'a b', `it's`, '$(id) `id` "q" \\ !x', 'a;b|c&d', '', 'né\n2'])('the shell takes %j as one word', (word) => {
  expect(execFileSync('/bin/sh', ['-c', `printf %s ${quotedForShell(word)}`], { encoding: 'utf8' })).toBe(word)
})
