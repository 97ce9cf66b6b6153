import type { Backup, BackupPolicy, BackupSet } from '@shared/model'
import { machineFolderName } from '@core/library'
import { fakeIds } from './fake-data'

/** The one folder that the fake host has a drive for. */
export const fakeBackupFolder = '/media/ada/Backup'
const GiB = 2 ** 30

/** What a fake host begins with, for pictures: a long chain, a drive that is away, a drive that is full. */
export interface FakeBackupData {
  readonly sets: readonly BackupSet[]
  readonly policies: Readonly<Record<string, BackupPolicy>>
  /** Machines whose backups find no room. */
  readonly full: readonly string[]
}

export function fakeBackupData(): FakeBackupData {
  const daily: BackupPolicy = { folder: fakeBackupFolder, folderId: null, every: 'day', keep: { hourly: 0, daily: 7, weekly: 4 }, compress: true, quiesce: true, verify: false }
  const away = '/media/ada/External drive of the office/Ringside/Machines of the department for testing and quality/2026'
  return {
    sets: [{ set: machineFolderName('web-01', fakeIds.running), machine: { id: fakeIds.running, name: 'web-01' }, isHere: true, backups: chain(), problems: [`A backup has lost its record: ${fakeBackupFolder}/web-01-11111111/20261101T040000Z-0badc0de`] }],
    policies: { [fakeIds.running]: daily, [fakeIds.stopped]: { ...daily, folder: away, every: 'week' }, [fakeIds.paused]: daily },
    full: [fakeIds.paused],
  }
}

function chain(): Backup[] {
  const reason = 'What was written since the last backup is not known: the machine was reverted, its disk replaced or worked on, or QEMU did not end in order.'
  const days = [
    { size: 7.4, whole: null }, { size: 0.31 }, { size: 0.08 }, { size: 1.2, fault: `The file of “disk0” is not what was written: ${fakeBackupFolder}/web-01-11111111/20261117T040000Z-00000004/disk0.qcow2` },
    { size: 7.9, whole: reason }, { size: 0.42 }, { size: 0.2 }, { size: 0.35, isManual: true }, { size: 0.011 },
  ]
  const backups: Backup[] = []
  for (const [index, { size, whole, fault = null, isManual = false }] of days.entries()) {
    const at = new Date(Date.now() - (days.length - index - 1) * 86_400_000 - 3 * 3_600_000)
    const bytes = Math.round(size * GiB)
    const checkedAt = at.toISOString()
    backups.push({
      id: `${checkedAt.replace(/[-:]|\.\d+/gu, '')}-${String(index + 1).padStart(8, '0')}`, parentId: whole === undefined ? (backups.at(-1)?.id ?? null) : null, takenAt: checkedAt, kind: isManual ? 'manual' : 'automatic', machineState: 'running',
      quiesced: true, pauseMs: 6, notes: [], machineName: 'web-01', sizeBytes: bytes, virtualBytes: 64 * GiB, verified: fault !== null ? { checkedAt, faults: [fault] } : index < 6 ? { checkedAt, faults: [] } : null, fault,
      disks: [{ key: 'disk0', incremental: whole === undefined, reason: whole ?? null, bytes, virtualBytes: 64 * GiB, encrypted: false, contentSha256: 'a'.repeat(64) }],
    })
  }
  return backups
}
