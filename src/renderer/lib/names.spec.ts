import { MachineName, SnapshotName } from '@shared/model'
import { expect, test } from 'vitest'
import { branchName, cloneName, freeName, keptName, nextSnapshotName } from './names'

test('a name that is taken gets the first number that is free', () => {
  expect(freeName('web', [])).toBe('web')
  expect(freeName('web', ['WEB', 'web 2'])).toBe('web 3')
})

test('snapshots are numbered on', () => {
  expect(nextSnapshotName([])).toBe('Snapshot 1')
  expect(nextSnapshotName(['before', 'snapshot 3'])).toBe('Snapshot 4')
})

test('a clone of a numbered machine is the next one, of any other a clone', () => {
  expect(cloneName('web-01', ['web-01', 'web-02'])).toBe('web-03')
  expect(cloneName('web-009', [])).toBe('web-010')
  expect(cloneName('Debian 12', ['Debian 12'])).toBe('Debian 12 clone')
  expect(cloneName('Debian 12', ['Debian 12 clone'])).toBe('Debian 12 clone 2')
  expect(cloneName('007', [])).toBe('007 clone')
})

test('a branch bears both names, as a machine may be called', () => {
  expect(branchName('web-01', 'before 1/2', [])).toBe('web-01 before 1-2')
})

test('names that would be too long are cut, between characters', () => {
  const long = '🐧'.repeat(50)
  for (const name of [freeName(`${long}more`, []), branchName(long, long, []), cloneName(long, []), freeName(long, [long])]) expect(MachineName.safeParse(name).success).toBe(true)
  const kept = keptName(long, [])
  expect(SnapshotName.safeParse(kept).success).toBe(true)
  expect(kept.endsWith('🐧…')).toBe(true)
})
