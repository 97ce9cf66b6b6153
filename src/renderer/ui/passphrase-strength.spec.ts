import { expect, test } from 'vitest'
import { passphraseFault } from './new-passphrase'
import { passphraseStrength } from './passphrase-strength'

const levelOf = (passphrase: string): string => passphraseStrength(passphrase).level

test.each([
  'password', 'Password2024', '12345678', 'aaaaaaaaaaaaaaaa', 'qwertzuiop', 'abcdefgh', 'mountain', 'mountain mountain mountain', 'summer2026!', 'hunter12',
])('“%s” is weak', (passphrase) => { expect(levelOf(passphrase)).toBe('weak') })

test.each(['mountain river candle 7', 'correct horse battery'])('“%s” holds for a while', (passphrase) => { expect(levelOf(passphrase)).toBe('fair') })

test.each(['correct horse battery staple river', 'xkqj7vbwzp2m', 'Überfluss Bahnhof Kranich Leiter 4 !'])('“%s” is strong', (passphrase) => { expect(levelOf(passphrase)).toBe('strong') })

test('a longer passphrase is never worth less', () => {
  const whole = 'mountain river 1984 xkqjz!! candle'
  const worth = [...whole].map((_, index) => passphraseStrength(whole.slice(0, index + 1)).bits)
  expect(passphraseStrength('').bits).toBe(0)
  expect(worth.at(-1)).toBeGreaterThan(worth[10] ?? Infinity)
})

test('a passphrase that is too short, or not the same twice, is told so one thing at a time', () => {
  expect(passphraseFault('short', 'short')).toMatch(/at least 8/u)
  expect(passphraseFault('long enough', '')).toMatch(/once more/u)
  expect(passphraseFault('long enough', 'long enougj')).toMatch(/not the same/u)
  expect(passphraseFault('long enough', 'long enough')).toBeNull()
})
