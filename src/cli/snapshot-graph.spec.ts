import { expect, test } from 'vitest'
import { drawTree } from './snapshot-graph'

/** A tree as `child<parent`, the present as `now<parent`. */
function drawn(...edges: string[]): string[] {
  const pairs = edges.map((edge) => edge.split('<') as [string, string])
  const snapshots = pairs.filter(([id]) => id !== 'now').map(([id, parent]) => ({ id, parentId: parent === '' ? null : parent }))
  const parentId = pairs.find(([id]) => id === 'now')?.[1] ?? ''
  return drawTree({ snapshots, current: { parentId: parentId === '' ? null : parentId, sizeBytes: 0 } }).map(({ graph, node }) => `${graph} ${node}`)
}

test('nothing but the present', () => {
  expect(drawn('now<')).toEqual(['● now'])
})

test('what follows one after the other stays in one column', () => {
  expect(drawn('a<', 'b<a', 'c<b', 'now<c')).toEqual(['○ a', '○ b', '○ c', '● now'])
})

test('the line to the present goes straight on, other branches hang where they begin', () => {
  expect(drawn('a<', 'b<a', 'c<a', 'd<b', 'e<b', 'f<e', 'g<c', 'now<d')).toEqual(['○ a', '├─○ c', '│ ○ g', '○ b', '├─○ e', '│ ○ f', '○ d', '● now'])
})

test('branches of branches', () => {
  expect(drawn('a<', 'x<a', 'y<x', 'z<x', 'now<a')).toEqual(['○ a', '├─○ x', '│ ├─○ y', '│ ○ z', '● now'])
})

test('the present as a branch of its own', () => {
  expect(drawn('a<', 'b<a', 'now<a')).toEqual(['○ a', '├─○ b', '● now'])
})

test('several first ones, or the present before all of them, begin at one point', () => {
  expect(drawn('a<', 'b<', 'now<b')).toEqual(['◌ beginning', '├─○ a', '○ b', '● now'])
  expect(drawn('a<', 'now<')).toEqual(['◌ beginning', '├─○ a', '● now'])
})

test('a parent that is not there is no parent', () => {
  expect(drawn('a<gone', 'b<a', 'now<b')).toEqual(['○ a', '○ b', '● now'])
})

test('a chain of many thousands is drawn', () => {
  const edges = Array.from({ length: 20_000 }, (_, index) => `s${String(index)}<${index === 0 ? '' : `s${String(index - 1)}`}`)
  expect(drawn(...edges, 'now<s19999')).toHaveLength(20_001)
})
