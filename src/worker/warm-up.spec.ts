import { expect, test } from 'vitest'
import { warmUp } from './warm-up'

test('the plan that parsers are warmed up with is one that they take', () => {
  expect(warmUp).not.toThrow()
})
