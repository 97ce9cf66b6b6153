import { expect, test } from 'vitest'
import { findParents, withDescendants } from './parents'
import { graphOf, manifestOf, snapshotId } from './snapshot.fixture'

const own = (name: string): string => `disks/${name}.qcow2`

test('the layers decide: the parent is the nearest snapshot below, whatever the records say', () => {
  const graph = graphOf(['now', 'c', 'b', 'hidden', 'a'], ['d', 'b'])
  const manifests = ['a', 'b', 'c', 'd'].map((name, index) => manifestOf(index + 1, { disk0: own(name) }, { parentId: snapshotId(4) })).toReversed()
  const parents = findParents(graph, manifests, { tops: { disk0: own('now') }, parentId: snapshotId(1) })
  // The record of the first says that it goes on from one that goes on from it.
  expect(Object.fromEntries(parents.of)).toEqual({ [snapshotId(1)]: null, [snapshotId(2)]: snapshotId(1), [snapshotId(3)]: snapshotId(2), [snapshotId(4)]: snapshotId(2) })
  expect(parents.current).toBe(snapshotId(3))
})

test('a record that leads in a circle is not believed', () => {
  const parents = findParents(graphOf(), [manifestOf(1, {}, { parentId: snapshotId(2) }), manifestOf(2, {}, { parentId: snapshotId(1) }), manifestOf(3, {}, { parentId: snapshotId(3) }), manifestOf(4, {}, { parentId: snapshotId(2) })], { tops: {}, parentId: null })
  expect(Object.fromEntries(parents.of)).toEqual({ [snapshotId(1)]: null, [snapshotId(2)]: snapshotId(1), [snapshotId(3)]: null, [snapshotId(4)]: snapshotId(2) })
})

test('where no layer says anything, the record does: without disks, and for a disk that was replaced', () => {
  const none = findParents(graphOf(), [manifestOf(1, {}), manifestOf(2, {}, { parentId: snapshotId(1) })], { tops: {}, parentId: snapshotId(2) })
  expect(none.of.get(snapshotId(2))).toBe(snapshotId(1))
  expect(none.current).toBe(snapshotId(2))
  const replaced = findParents(graphOf(['a'], ['b']), [manifestOf(1, { disk0: own('a') }), manifestOf(2, { disk0: own('b') }, { parentId: snapshotId(1) })], { tops: {}, parentId: snapshotId(9) })
  expect(replaced.of.get(snapshotId(2))).toBe(snapshotId(1))
  // Deleted since.
  expect(replaced.current).toBeNull()
})

test('with several disks it is the one that has the others below it, also when one disk came later', () => {
  const graph = graphOf(['x3', 'x2', 'x1'], ['y3', 'y2'])
  const manifests = [manifestOf(1, { x: own('x1') }), manifestOf(2, { x: own('x2'), y: own('y2') }), manifestOf(3, { x: own('x3'), y: own('y3') })]
  const parents = findParents(graph, manifests, { tops: { y: own('y3') }, parentId: null })
  expect(parents.of.get(snapshotId(3))).toBe(snapshotId(2))
  expect(parents.current).toBe(snapshotId(3))
})

test('descendants come after those that they go on from', () => {
  const graph = graphOf(['c', 'b', 'a'], ['d', 'a'], ['e'])
  const parents = findParents(graph, ['a', 'b', 'c', 'd', 'e'].map((name, index) => manifestOf(index + 1, { disk0: own(name) })), { tops: {}, parentId: null })
  expect(withDescendants(parents, snapshotId(1))).toEqual([1, 2, 4, 3].map(snapshotId))
  expect(withDescendants(parents, snapshotId(5))).toEqual([snapshotId(5)])
})
