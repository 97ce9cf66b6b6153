import { expect, test } from 'vitest'
import { stampedName } from './save-bytes'

test('a file is named after the machine and the moment, with characters that every system takes', () => {
  expect(stampedName('a/b: "c"', 'log', new Date(2026, 10, 5, 9, 3, 7))).toBe('a_b_ _c_ 2026-11-05 09.03.07.log')
})
