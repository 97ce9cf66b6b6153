import { expect, test } from 'vitest'
import { rankUse } from './usage'

test('ranks by use, sums what is known and counts what is not', () => {
  const { ranked, total, unknown } = rankUse([
    { id: 'a', name: 'alpha', cores: 0.25 }, { id: 'b', name: 'beta', cores: null }, { id: 'c', name: 'gamma', cores: 1.5 }, { id: 'd', name: 'delta', cores: undefined },
  ])
  expect(ranked.map((each) => each.name)).toEqual(['gamma', 'alpha'])
  expect(total).toBe(1.75)
  expect(unknown).toBe(2)
})
