import { expect, test } from 'vitest'
import { RingsideError } from '@shared/errors'
import { type BackupPolicy, MachineDefinition, type MachineView, machineSchemaVersion } from '@shared/model'
import { createJobs } from '../app/jobs'
import { machinePaths } from '../library'
import { type BackupWork, BackupSchedule, prunableBackups, type ScheduledBackup } from './schedule'

const daily: BackupPolicy = { folder: '/media/backup', folderId: null, every: 'day', keep: { hourly: 0, daily: 2, weekly: 0 }, compress: true, quiesce: true, verify: false }
const id = '00000000-0000-4000-8000-000000000001'

/** One machine whose backups are only a list, and a clock that a test sets. */
class Fixture implements BackupWork {
  now = new Date('2026-11-25T10:15:00Z')
  policy: BackupPolicy | null = daily
  task: MachineView['task'] = null
  made: ScheduledBackup[] = []
  failure: RingsideError | null = null
  changed = true
  asked = 0
  readonly jobs = createJobs()
  readonly schedule = new BackupSchedule({
    library: { list: () => [{ definition: this.#definition(), paths: machinePaths('/library/web', '/run', id) }] },
    machines: { get: () => ({ state: 'stopped', task: this.task, run: null, definition: this.#definition() }) as MachineView },
    jobs: this.jobs, work: this, now: () => this.now, timeZone: 'UTC',
  })

  #definition(): MachineDefinition {
    return MachineDefinition.parse({
      schemaVersion: machineSchemaVersion, createdBy: 'test', id, name: 'web', createdAt: '2026-01-01T00:00:00.000Z', osId: 'other', machineType: 'q35', firmware: { type: 'bios' },
      processors: { sockets: 1, cores: 1, threads: 1 }, memoryMiB: 16, boot: {}, display: { model: 'none' }, backupPolicy: this.policy,
    })
  }

  async at(time: string): Promise<string[]> {
    this.now = new Date(time)
    await this.schedule.look()
    return this.made.map(({ takenAt }) => takenAt.slice(0, 13))
  }

  backups(): Promise<ScheduledBackup[]> {
    return this.failure?.code === 'FILE_NOT_FOUND' ? Promise.reject(this.failure) : Promise.resolve([...this.made])
  }

  requirePossible(): Promise<void> {
    return this.failure?.code === 'KEY_REQUIRED' ? Promise.reject(this.failure) : Promise.resolve()
  }

  create(): Promise<void> {
    this.asked += 1
    if (this.failure !== null) return Promise.reject(this.failure)
    if (this.changed) this.made.push({ id: `b${String(this.asked)}`, takenAt: this.now.toISOString(), kind: 'automatic' })
    return Promise.resolve()
  }

  delete(_machine: string, backupId: string): Promise<void> {
    this.made = this.made.filter((backup) => backup.id !== backupId)
    return Promise.resolve()
  }
}

test('once a day, at the first opportunity, and only the newest of each day stay', async () => {
  const it = new Fixture()
  expect(await it.at('2026-11-25T10:15:00Z')).toEqual(['2026-11-25T10'])
  expect(await it.at('2026-11-25T23:59:00Z')).toEqual(['2026-11-25T10'])
  expect(await it.at('2026-11-26T00:01:00Z')).toHaveLength(2)
  expect(await it.at('2026-11-27T08:00:00Z')).toEqual(['2026-11-26T00', '2026-11-27T08'])
  expect(it.jobs.list()).toEqual([])
})

test('while nothing was written none is made, and it is looked at once a period', async () => {
  const it = new Fixture()
  it.changed = false
  expect(await it.at('2026-11-25T10:15:00Z')).toEqual([])
  await it.at('2026-11-25T12:00:00Z')
  expect(it.asked).toBe(1)
  it.changed = true
  expect(await it.at('2026-11-26T12:00:00Z')).toHaveLength(1)
})

test('a drive that is away is waited for: it is told, looked for every minute, and made up for when it is back', async () => {
  const it = new Fixture()
  it.failure = new RingsideError('FILE_NOT_FOUND', 'The folder for backups is not there: /media/backup')
  await it.at('2026-11-25T10:15:00Z')
  expect(it.schedule.problems()).toMatchObject([{ code: 'BACKUP_FAILED', path: '/media/backup', message: 'The backup of “web” waits. The folder for backups is not there: /media/backup' }])
  await it.at('2026-11-27T10:15:00Z')
  it.failure = null
  expect(await it.at('2026-11-27T10:16:00Z')).toEqual(['2026-11-27T10'])
  expect(it.schedule.problems()).toEqual([])
})

test('a machine that is locked is told of, with no job at all, and backed up when its key is there', async () => {
  const it = new Fixture()
  it.failure = new RingsideError('KEY_REQUIRED', '“web” has encrypted disks. Its passphrase is needed.', { machineId: id })
  await it.at('2026-11-25T10:15:00Z')
  expect(it.schedule.problems()).toMatchObject([{ code: 'BACKUP_FAILED', machineId: id, message: 'The backup of “web” waits: its disks are encrypted, and it is locked.' }])
  expect(it.asked).toBe(0)
  it.failure = null
  expect(await it.at('2026-11-25T10:16:00Z')).toEqual(['2026-11-25T10'])
  expect(it.schedule.problems()).toEqual([])
})

test('any other failure is told once and tried later; a machine that is busy is none', async () => {
  const it = new Fixture()
  it.failure = new RingsideError('DISK_FULL', 'The drive is full.', { hint: 'Free some space.' })
  await it.at('2026-11-25T10:15:00Z')
  await it.at('2026-11-25T10:17:00Z')
  expect(it.asked).toBe(1)
  expect(it.schedule.problems()).toMatchObject([{ message: '“web” could not be backed up. The drive is full.', hint: 'Free some space.' }])
  it.failure = null
  expect(await it.at('2026-11-25T10:21:00Z')).toHaveLength(1)
  it.task = 'snapshot'
  expect(await it.at('2026-11-26T10:21:00Z')).toHaveLength(1)
  expect(it.schedule.problems()).toEqual([])
  it.policy = { ...daily, every: null }
  it.task = null
  expect(await it.at('2026-11-26T10:22:00Z')).toHaveLength(1)
})

test('never pruned: those made by hand, those of the future, and the newest', () => {
  const backup = (takenAt: string, kind: ScheduledBackup['kind'] = 'automatic'): ScheduledBackup => ({ id: takenAt, takenAt, kind })
  const all = [backup('2026-11-20T10:00:00Z', 'manual'), backup('2026-11-21T10:00:00Z'), backup('2026-11-22T10:00:00Z'), backup('2026-11-22T12:00:00Z'), backup('2030-01-01T00:00:00Z')]
  expect(prunableBackups(all, { hourly: 0, daily: 1, weekly: 0 }, new Date('2026-11-25T00:00:00Z'), 'UTC').map(({ id }) => id)).toEqual(['2026-11-21T10:00:00Z', '2026-11-22T10:00:00Z'])
  expect(prunableBackups(all.slice(0, 2), { hourly: 0, daily: 0, weekly: 0 }, new Date('2026-11-25T00:00:00Z'), 'UTC')).toEqual([])
})
