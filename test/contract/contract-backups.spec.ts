import { expect, test } from 'vitest'
import { BackupFolder } from '@shared/model'
import { fakeBackupFolder as folder } from '../fakes/fake-backup-data'
import { fakeIds } from '../fakes/fake-data'
import { overBothTransports } from './frames'
import { failure } from './transports'

overBothTransports('backups', ({ client, ended }) => {
  const id = fakeIds.running

  test('they are made, listed, verified, restored and deleted, each as a job', async () => {
    expect(await ended(await client.backup.create({ id, folder }))).toMatchObject({ kind: 'backup.create', title: 'Backing up “web-01”', machineId: id, state: 'succeeded' })
    await ended(await client.backup.create({ id }))
    const listed = BackupFolder.parse(await client.backup.list({ id }))
    expect(listed).toMatchObject({ folder, away: null, sets: [{ machine: { id, name: 'web-01' }, isHere: true, backups: [{ parentId: null }, {}] }] })
    const set = listed.sets[0]?.set ?? ''
    const [whole, next] = listed.sets[0]?.backups.map((backup) => ({ folder, set, backupId: backup.id })) ?? []
    if (whole === undefined || next === undefined) throw new Error('There are no backups.')
    expect(await ended(await client.backup.verify(next))).toMatchObject({ kind: 'backup.verify', state: 'succeeded', notes: ['Everything in it is what was written.'] })
    const restored = await ended(await client.backup.restore({ ...next, target: { kind: 'new', name: 'web-02' } }))
    expect((await client.machine.get({ id: restored.machineId ?? '' })).definition.name).toBe('web-02')
    expect(await failure(client.backup.restore({ ...next, target: { kind: 'same' } }))).toMatchObject({ code: 'ILLEGAL_STATE', defined: true })
    expect(await ended(await client.backup.delete(whole))).toMatchObject({ kind: 'backup.delete', state: 'succeeded' })
    expect((await client.backup.list({ id })).sets[0]?.backups).toMatchObject([{ id: next.backupId, parentId: null }])
  })

  test('a folder that is away is told, and refused before a job begins', async () => {
    expect(await client.backup.list({ folder: '/media/away' })).toMatchObject({ away: expect.stringContaining('not there') as string, sets: [] })
    expect(await failure(client.backup.create({ id, folder: '/media/away' }))).toMatchObject({ code: 'FILE_NOT_FOUND', defined: true })
    expect(await failure(client.backup.verify({ folder, set: '../x', backupId: '20261101T100000Z-00000001' }))).toMatchObject({ code: 'INVALID_INPUT' })
    expect(await client.job.list()).toEqual([])
  })

  test('a policy says where to and when', async () => {
    const policy = { folder, every: 'day' as const, keep: { hourly: 0, daily: 7, weekly: 4 }, compress: true, quiesce: true, verify: true }
    expect((await client.backup.setPolicy({ id, policy })).definition.backupPolicy).toEqual({ ...policy, folderId: null })
    expect((await client.backup.setPolicy({ id, policy: null })).definition.backupPolicy).toBeNull()
  })
})
