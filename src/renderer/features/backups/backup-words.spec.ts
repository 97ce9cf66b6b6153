import type { Backup } from '@shared/model'
import { expect, test } from 'vitest'
import { chainRows, kindWords, policyWords, whyFull } from './backup-words'

const backup = (id: string, parentId: string | null, reason: string | null = null): Backup => ({
  id, parentId, takenAt: '2026-11-01T10:00:00.000Z', kind: 'manual', machineState: 'running', quiesced: false, pauseMs: 1, notes: [], machineName: 'web', sizeBytes: 1, virtualBytes: 1,
  disks: [{ key: 'disk0', incremental: parentId !== null, reason, bytes: 1, virtualBytes: 1, encrypted: false, contentSha256: '' }], verified: null, fault: null,
})

test('a chain is drawn newest first; a full one begins another', () => {
  const rows = chainRows([backup('a', null), backup('b', 'a'), backup('c', 'b'), backup('d', null, 'The last backup is damaged.')])
  expect(rows.map(({ backup: { id }, toNewer, toOlder }) => [id, toNewer, toOlder])).toEqual([['d', false, false], ['c', false, true], ['b', true, true], ['a', true, false]])
  expect(rows.map((row) => kindWords(row.backup))).toEqual(['Full', 'Changes only', 'Changes only', 'Full'])
  expect(rows.map((row) => whyFull(row.backup))).toEqual(['The last backup is damaged.', null, null, null])
})

test('a policy in words', () => {
  const policy = { folder: '/b', folderId: null, every: null, keep: { hourly: 0, daily: 7, weekly: 1 }, compress: true, quiesce: true, verify: false }
  expect(policyWords(policy)).toBe('Only when you ask')
  expect(policyWords({ ...policy, every: 'day' })).toBe('Every day · keeps 7 days, 1 week')
})
