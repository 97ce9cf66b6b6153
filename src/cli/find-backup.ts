import { resolve } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { Backup, BackupReference, BackupSet } from '@shared/model'
import type { Run } from './cli'
import { timeInWords } from './snapshot-output'

export interface FoundBackup {
  set: BackupSet
  backup: Backup
  reference: BackupReference
}

/**
 * The backup that a person means. Without a folder it is one of a machine of the library; in a folder the machine may be one that is gone, or somebody else's.
 * @param wanted `latest`, or any beginning of an id that no other one has
 * @throws `NOT_FOUND`, which names those that there are; `INVALID_INPUT` when several could be meant; `FILE_NOT_FOUND` while the folder is away
 */
export async function findBackup(run: Run, machine: string, wanted: string, folder: string | undefined): Promise<FoundBackup> {
  const id = folder === undefined ? (await run.machine(machine)).id : null
  const found = await run.client.backup.list({ folder: folder === undefined ? null : resolve(folder), id })
  if (found.away !== null) throw new RingsideError('FILE_NOT_FOUND', found.away, { path: found.folder, hint: 'Plug in its drive or connect the network share, or name another folder.' })
  const set = id === null ? pickSet(found.sets, machine, found.folder) : found.sets[0]
  if (set === undefined) throw new RingsideError('NOT_FOUND', `There is no backup of “${machine}” yet: ${found.folder}`, { hint: '`ringside backup create` makes one.' })
  const backup = pickBackup(set.backups, wanted)
  return { set, backup, reference: { folder: found.folder, set: set.set, backupId: backup.id } }
}

function pickSet(sets: readonly BackupSet[], wanted: string, folder: string): BackupSet {
  const key = wanted.trim().toLocaleLowerCase()
  const matching = sets.filter(({ set, machine }) => machine.name.toLocaleLowerCase() === key || set.startsWith(key) || (key.length >= 4 && machine.id.startsWith(key)))
  const [only] = matching
  if (only !== undefined && matching.length === 1) return only
  const list = sets.map(({ set, machine }) => `“${machine.name}” (${set})`).join(', ')
  if (matching.length > 1) throw new RingsideError('INVALID_INPUT', `“${wanted}” could be several machines there: ${matching.map(({ set }) => set).join(', ')}.`, { hint: 'Write more of it.' })
  throw new RingsideError('NOT_FOUND', `There are no backups of “${wanted}” in ${folder}.`, { hint: list === '' ? 'There are none at all.' : `There are those of ${list}.` })
}

export function pickBackup(backups: readonly Backup[], wanted: string): Backup {
  const newest = backups.at(-1)
  if (wanted === 'latest' && newest !== undefined) return newest
  const key = wanted.trim()
  const matching = key === '' ? [] : backups.filter(({ id }) => id.toLowerCase().startsWith(key.toLowerCase()) || id.slice(id.indexOf('-') + 1).startsWith(key.toLowerCase()))
  const [only] = matching
  if (only !== undefined && matching.length === 1) return only
  const list = backups.slice(-8).map(({ id, takenAt }) => `${id} (${timeInWords(takenAt)})`).join(', ')
  if (matching.length > 1) throw new RingsideError('INVALID_INPUT', `“${wanted}” could be ${String(matching.length)} backups.`, { hint: 'Write more of its id.' })
  throw new RingsideError('NOT_FOUND', `There is no backup “${wanted}”.`, { hint: list === '' ? 'There are none at all.' : `There is ${list}. “latest” is the newest.` })
}
