import { expect, test } from 'vitest'
import { aSnapshot, snapshotId } from '../../stores/spec-data'
import { followersOf, nearestLeft } from './lineage'

const all = [aSnapshot(1), aSnapshot(2, 1), aSnapshot(3, 2), aSnapshot(4, 1), aSnapshot(5)]

test('what came of a snapshot is found at any depth, itself and its siblings left out', () => {
  expect(followersOf(all, snapshotId(1))).toEqual([2, 3, 4].map(snapshotId))
  expect(followersOf(all, snapshotId(2))).toEqual([snapshotId(3)])
  expect(followersOf(all, snapshotId(5))).toEqual([])
})

test('where a snapshot is gone, the nearest before it that is left stands for it', () => {
  expect(nearestLeft(all, all, snapshotId(3))).toBe(snapshotId(3))
  expect(nearestLeft([aSnapshot(1), aSnapshot(4, 1)], all, snapshotId(3))).toBe(snapshotId(1))
  expect(nearestLeft([aSnapshot(4)], all, snapshotId(3))).toBeNull()
  expect(nearestLeft([aSnapshot(4)], [], snapshotId(3))).toBeNull()
})
