import { expect, test } from 'vitest'
import type { BackupFolder } from '@shared/model'
import { fakeBackupFolder as folder } from '../fakes/fake-backup-data'
import { useCli } from './frames'

const { run } = useCli()

test.each([
  ['backup', 'nonsense'], ['backup', 'create'], ['backup', 'list'], ['backup', 'restore', 'web-01'], ['backup', 'restore', 'web-01', 'latest', '--as', 'x', '--in-place'], ['backup', 'schedule', 'web-01', '--every', 'minute'],
  ['backup', 'schedule', 'web-01', '--every', 'day'], ['backup', 'schedule', 'web-01', '--off', '--verify'], ['backup', 'schedule', 'web-01', '--manual', '--every', 'day'], ['backup', 'schedule', 'web-01', '--keep-daily', '999'],
])('%s %s %s is wrong usage: 2', async (...args) => {
  expect(await run(...args)).toMatchObject({ code: 2, stdout: '' })
})

test('backups are made, listed, verified, restored and deleted', async () => {
  expect(await run('backup', 'create', 'web-01', '--to', folder)).toMatchObject({ code: 0, stdout: '“web-01” is backed up: full, 7.40 GiB.\n' })
  expect((await run('backup', 'create', 'web-01', '--verify')).stdout).toContain('incremental')
  const listed = await run('backup', 'list', 'web-01')
  expect(listed.stdout).toMatch(/^MACHINE {2}TAKEN .*\nweb-01 .* full .*\nweb-01 .* incremental /u)
  const { backups } = ((await run('backup', 'list', '--folder', folder, '--json')).json as BackupFolder).sets[0] ?? { backups: [] }
  expect(await run('backup', 'verify', 'web-01')).toMatchObject({ code: 0, stdout: expect.stringContaining('is sound') as string })
  expect(await run('backup', 'restore', 'web', '--folder', folder, '--as', 'web-02')).toMatchObject({ code: 0, stdout: expect.stringContaining('“web-02” is made') as string })
  expect((await run('backup', 'restore', 'web-01', 'latest', '--in-place', '--yes')).code).toBe(4)
  expect((await run('backup', 'delete', 'web-01', backups[0]?.id ?? '')).code).toBe(2)
  expect(await run('backup', 'delete', 'web-01', backups[0]?.id ?? '', '--yes')).toMatchObject({ code: 0, stdout: 'Deleted.\n' })
  expect((await run('backup', 'verify', 'web-01', 'nothing'))).toMatchObject({ code: 3, stderr: expect.stringContaining('latest') as string })
  expect((await run('backup', 'list', '--folder', '/media/away')).stdout).toContain('is not there')
  expect((await run('backup', 'create', 'web-01', '--to', '/media/away')).code).toBe(5)
})

test('a schedule is shown and changed bit by bit', async () => {
  expect((await run('backup', 'schedule', 'web-01')).stdout).toBe('“web-01”: no backups.\n')
  expect((await run('backup', 'schedule', 'web-01', '--to', folder, '--every', 'day', '--keep-weekly', '0')).stdout).toBe(`“web-01”: every day to ${folder}; keeps one of each of the last 7 days.\n`)
  expect((await run('backup', 'schedule', 'web-01', '--verify', '--keep-daily', '1')).stdout).toBe(`“web-01”: every day to ${folder}, verified; keeps the newest of the last day.\n`)
  expect((await run('info', 'web-01')).stdout).toContain(`Backups`)
  expect((await run('backup', 'schedule', 'web-01', '--manual')).stdout).toBe(`“web-01”: to ${folder}, when asked.\n`)
  const off = await run('backup', 'schedule', 'web-01', '--off', '--json')
  expect(off.stderr).toBe('')
  expect(off.json).toMatchObject({ policy: null })
})
