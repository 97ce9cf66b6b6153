import { randomUUID } from 'node:crypto'
import type { Backups, JobReporter } from '@core/app/services'
import { machineFolderName } from '@core/library'
import { RingsideError } from '@shared/errors'
import type { Backup, BackupPolicy, BackupReference, BackupSet } from '@shared/model'
import { fakeBackupFolder, type FakeBackupData } from './fake-backup-data'
import { fakeView } from './fake-data'
import type { FakeTrees } from './fake-trees'

const GiB = 2 ** 30

/** Backups that behave, in memory: whole first, then incremental; deleted ones are merged. */
export function createFakeBackups(trees: FakeTrees, pause: (ms: number) => Promise<void>, data: FakeBackupData = { sets: [], policies: {}, full: [] }): Backups {
  const sets = new Map<string, BackupSet>(data.sets.map((set) => [set.set, set]))
  const { machines } = trees
  let made = 0

  const requireFolder = (folder: string | null, policy: BackupPolicy | null): string => {
    const wanted = folder ?? policy?.folder
    if (wanted === undefined) throw new RingsideError('INVALID_INPUT', 'It is not said where the backups are.', { hint: 'Name a folder.' })
    if (wanted !== fakeBackupFolder) throw new RingsideError('FILE_NOT_FOUND', `The folder for backups is not there: ${wanted}`, { path: wanted, hint: 'Plug in its drive or connect the network share, or choose another folder.' })
    return wanted
  }
  const setOf = ({ set }: Pick<BackupReference, 'set'>): BackupSet => {
    const found = sets.get(set)
    if (found === undefined) throw new RingsideError('FILE_NOT_FOUND', `This is missing: ${fakeBackupFolder}/${set}`)
    return found
  }
  const backupOf = (reference: BackupReference): Backup => {
    const found = setOf(reference).backups.find(({ id }) => id === reference.backupId)
    if (found === undefined) throw new RingsideError('NOT_FOUND', `There is no such backup: ${reference.backupId}`)
    return found
  }
  const steps = async (job: JobReporter, words: readonly string[]): Promise<void> => {
    for (const [index, step] of words.entries()) {
      job.signal.throwIfAborted()
      job.report(index / words.length, step)
      await pause(100)
    }
  }
  const policyOf = (id: string): BackupPolicy | null => machines.get(id).definition.backupPolicy
  const setPolicy = (id: string, backupPolicy: BackupPolicy | null): void => {
    const machine = machines.get(id)
    machines.set(id, { definition: { ...machine.definition, backupPolicy } })
  }

  for (const [id, policy] of Object.entries(data.policies)) setPolicy(id, policy)

  return {
    // eslint-disable-next-line @typescript-eslint/require-await
    async list({ folder, id }) {
      const wanted = folder ?? (id === null ? null : policyOf(id))?.folder ?? ''
      try {
        requireFolder(wanted === '' ? null : wanted, null)
      } catch (error) {
        if (!(error instanceof RingsideError) || error.code !== 'FILE_NOT_FOUND') throw error
        return { folder: wanted, away: error.message, freeBytes: null, sets: [] }
      }
      return { folder: wanted, away: null, freeBytes: 412 * GiB, sets: [...sets.values()].filter((set) => (id === null || set.machine.id === id) && set.backups.length > 0) }
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async requirePossible({ id, folder }) {
      requireFolder(folder, policyOf(id))
    },
    async create({ id, folder, full, quiesce, verify }, job) {
      const machine = trees.require(id, 'backUp')
      const place = requireFolder(folder, policyOf(id))
      if (data.full.includes(id)) {
        await steps(job, ['Copying the disks', 'Copying to the folder for backups'])
        throw new RingsideError('DISK_FULL', `The backup takes 7.4 GiB, and 2.1 GiB are free in the folder for backups; 5.3 GiB are missing: ${place}`, { path: place, hint: 'Free some space there, or choose another folder. Earlier backups are whole.' })
      }
      await trees.task(id, 'backUp', ['Copying the disks', 'Taking checksums'], job, () => {
        const name = machineFolderName(machine.definition.name, id)
        const set = sets.get(name) ?? { set: name, machine: { id, name: machine.definition.name }, isHere: true, backups: [], problems: [] }
        const parent = full ? undefined : set.backups.at(-1)
        made += 1
        const at = new Date(Date.now() + made * 1000)
        const takenAt = at.toISOString()
        const sizeBytes = Math.round((parent === undefined ? 7.4 : 0.2 * (1 + (made % 3))) * GiB)
        sets.set(name, { ...set, backups: [...set.backups, {
          id: `${takenAt.replace(/[-:]|\.\d+/gu, '')}-${String(made).padStart(8, '0')}`, parentId: parent?.id ?? null, takenAt, kind: 'manual', machineState: machine.state, quiesced: quiesce && machine.state === 'running', pauseMs: machine.state === 'running' ? 6 : null,
          notes: [], machineName: machine.definition.name, sizeBytes, virtualBytes: 64 * GiB,
          disks: [{ key: 'disk0', incremental: parent !== undefined, reason: null, bytes: sizeBytes, virtualBytes: 64 * GiB, encrypted: false, contentSha256: 'a'.repeat(64) }],
          verified: verify ? { checkedAt: takenAt, faults: [] } : null, fault: null,
        }] })
        if (policyOf(id) === null) setPolicy(id, { folder: place, folderId: null, every: null, keep: { hourly: 0, daily: 7, weekly: 4 }, compress: true, quiesce: true, verify: false })
      })
    },
    async verify(reference, job) {
      const backup = backupOf(reference)
      await steps(job, ['Reading the backup'])
      const set = setOf(reference)
      sets.set(set.set, { ...set, backups: set.backups.map((one) => (one.id === backup.id ? { ...one, verified: { checkedAt: new Date().toISOString(), faults: [] } } : one)) })
      job.note?.('Everything in it is what was written.')
    },
    async delete(reference, job) {
      const backup = backupOf(reference)
      await steps(job, ['Deleting the backup'])
      const set = setOf(reference)
      sets.set(set.set, { ...set, backups: set.backups.filter(({ id }) => id !== backup.id).map((one) => (one.parentId === backup.id ? { ...one, parentId: backup.parentId } : one)) })
    },
    async restore(reference, job) {
      const backup = backupOf(reference)
      const { machine } = setOf(reference)
      if (reference.target.kind === 'same') {
        await trees.task(machine.id, 'restore', ['Restoring “disk0”'], job, () => undefined)
        return machine.id
      }
      const { name } = reference.target
      if (machines.list().some(({ definition }) => definition.name.toLowerCase() === name.toLowerCase())) throw new RingsideError('NAME_TAKEN', `A machine named “${name}” exists already; choose another name.`)
      await steps(job, ['Restoring “disk0”', 'Comparing “disk0” with its checksums'])
      const id = randomUUID()
      machines.add(fakeView({ ...machines.get(machine.id).definition, id, name, createdAt: backup.takenAt, backupPolicy: null, snapshotPolicy: null }, 'stopped', {}))
      return id
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    machineOf: async (reference) => {
      backupOf(reference)
      return setOf(reference).machine
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async setPolicy(id, policy) {
      if (policy !== null) requireFolder(policy.folder, null)
      setPolicy(id, policy)
    },
  }
}
