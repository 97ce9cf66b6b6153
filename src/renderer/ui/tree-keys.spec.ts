import { expect, test } from 'vitest'
import { treeMove, typedMove, type WalkedRow } from './tree-keys'

const rows: readonly WalkedRow[] = [
  { id: 'a', parentId: null, expanded: true }, { id: 'b', parentId: 'a', expanded: true }, { id: 'b1', parentId: 'b', expanded: null }, { id: 'c', parentId: 'a', expanded: true }, { id: 'c1', parentId: 'c', expanded: null },
]
const folded = rows.filter(({ id }) => id !== 'b1').map((row) => (row.id === 'b' ? { ...row, expanded: false } : row))

test('the arrows walk the rows, and into and out of branches', () => {
  expect(treeMove(rows, 'b', 'ArrowDown')).toEqual({ type: 'focus', id: 'b1' })
  expect(treeMove(rows, 'b', 'ArrowUp')).toEqual({ type: 'focus', id: 'a' })
  expect(treeMove(rows, 'a', 'ArrowUp')).toBeNull()
  expect(treeMove(rows, 'c1', 'ArrowDown')).toBeNull()
  expect(treeMove(rows, 'b1', 'Home')).toEqual({ type: 'focus', id: 'a' })
  expect(treeMove(rows, 'b1', 'End')).toEqual({ type: 'focus', id: 'c1' })
  expect(treeMove(rows, 'a', 'ArrowRight')).toEqual({ type: 'focus', id: 'b' })
  expect(treeMove(rows, 'b1', 'ArrowRight')).toBeNull()
  expect(treeMove(rows, 'b1', 'ArrowLeft')).toEqual({ type: 'focus', id: 'b' })
  expect(treeMove(rows, 'c1', 'ArrowLeft')).toEqual({ type: 'focus', id: 'c' })
  expect(treeMove(rows, 'b1', 'x')).toBeNull()
})

test('left folds what is open, right opens what is folded', () => {
  expect(treeMove(rows, 'b', 'ArrowLeft')).toEqual({ type: 'fold', id: 'b' })
  expect(treeMove(folded, 'b', 'ArrowRight')).toEqual({ type: 'unfold', id: 'b' })
  expect(treeMove(folded, 'b', 'ArrowLeft')).toEqual({ type: 'focus', id: 'a' })
  expect(treeMove(folded, 'b', 'ArrowDown')).toEqual({ type: 'focus', id: 'c' })
})

test('typing goes to the next name that begins so, and round', () => {
  const named = [{ id: '1', name: 'Before' }, { id: '2', name: 'After' }, { id: '3', name: 'beta' }, { id: '4', name: 'Now' }]
  expect(typedMove(named, '1', 'b')).toBe('3')
  expect(typedMove(named, '3', 'b')).toBe('1')
  expect(typedMove(named, '1', 'bb')).toBe('3')
  expect(typedMove(named, '1', 'be')).toBe('1')
  expect(typedMove(named, '1', 'bet')).toBe('3')
  expect(typedMove(named, '2', 'x')).toBeNull()
})
