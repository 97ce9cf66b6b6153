import type { Backup, BackupPolicy } from '@shared/model'
import { countOf } from '../../lib/format'

/** Whether all of its disks hold everything. */
export function isFull({ disks }: Pick<Backup, 'disks'>): boolean {
  return disks.every(({ incremental }) => !incremental)
}

/** Full or incremental, in a word for people. */
export function kindWords(backup: Pick<Backup, 'disks'>): string {
  return isFull(backup) ? 'Full' : 'Changes only'
}

/** Whether it is opened by a passphrase. */
export function isEncrypted({ disks }: Pick<Backup, 'disks'>): boolean {
  return disks.some(({ encrypted }) => encrypted)
}

/** Why a backup is full though there was one before it, a sentence; null: nothing is to be said. */
export function whyFull({ disks }: Pick<Backup, 'disks'>): string | null {
  return disks.find(({ reason }) => reason !== null)?.reason ?? null
}

/** `Every day · keeps 7 days, 4 weeks`. */
export function policyWords({ every, keep }: BackupPolicy): string {
  if (every === null) return 'Only when you ask'
  const kept = ([[keep.hourly, 'hour'], [keep.daily, 'day'], [keep.weekly, 'week']] as const).filter(([count]) => count > 0).map(([count, unit]) => countOf(count, unit))
  return `Every ${every} · keeps ${kept.join(', ')}`
}

/** A row of the picture of a chain: what is above and below its point. Newest first. */
export interface ChainRow {
  readonly backup: Backup
  /** The one above goes on from it. */
  readonly toNewer: boolean
  /** It goes on from the one below. */
  readonly toOlder: boolean
}

/** @param backups oldest first, as the host lists them */
export function chainRows(backups: readonly Backup[]): ChainRow[] {
  const newestFirst = [...backups].reverse()
  return newestFirst.map((backup, index) => ({
    backup, toNewer: newestFirst[index - 1]?.parentId === backup.id, toOlder: backup.parentId !== null && newestFirst[index + 1]?.id === backup.parentId,
  }))
}
