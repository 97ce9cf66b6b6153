import { open as openFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BackupSchedule, type BackupService } from '@core/backup'
import { BackupBench, kinds } from './support/backup-bench'
import { digestOfEncrypted, encryptedLedgerMachine, leaksOf, passphrase, plainParts } from './support/encrypted-machines'
import { LedgerConsole } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines } from './support/real-host'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

/* Backups of a machine with an encrypted disk: nothing of it lies in the clear, and it comes back without its passphrase, which then opens it. */

const at = useLibrary()

test('what is backed up of an encrypted disk is encrypted, goes on from what is proved, and comes back as it was', async () => {
  let key = ''
  const [id = ''] = await addMachines(at.library, [encryptedLedgerMachine('vault', (made) => { key = made })])
  await using folder = await TemporaryFolder.make('ringside-backups-')
  await using open = await OpenLibrary.open(at.programs, at.library)
  const bench = new BackupBench(open.calls, id, 'vault', folder.path)
  const { backups, encryption, images, machines, snapshots } = open.calls
  const unlock = (): Promise<void> => encryption.unlock(id, passphrase, false)
  const digest = async (machine = id): Promise<string> => {
    const { definition, folder: machineFolder } = await machines.get(machine)
    return digestOfEncrypted(join(machineFolder, definition.disks[0]?.image.path ?? ''), key)
  }

  // Locked, none is made, by hand or by the schedule, and that is told; nothing lies in the folder.
  await expect(bench.begin()).rejects.toMatchObject({ code: 'KEY_REQUIRED' })
  await expect(backups.requirePossible({ id, folder: folder.path })).rejects.toMatchObject({ code: 'KEY_REQUIRED', data: { machineId: id } })
  await backups.setPolicy(id, { folder: folder.path, folderId: null, every: 'hour', keep: { hourly: 9, daily: 0, weekly: 0 }, compress: true, quiesce: true, verify: false })
  const { library, jobs } = open.services
  const schedule = new BackupSchedule({ library, machines: open.services.machines, jobs, work: (open.services.backups as BackupService).scheduledWork() })
  await schedule.look()
  expect(schedule.problems()).toMatchObject([{ code: 'BACKUP_FAILED', machineId: id, message: expect.stringContaining('it is locked') as string }])
  expect(await bench.list()).toEqual([])

  await unlock()
  await machines.start(id)
  using guest = await LedgerConsole.open(open, id)
  await guest.write(3)
  await schedule.look()
  expect(schedule.problems()).toEqual([])
  const [whole] = await bench.list()
  if (whole === undefined) throw new Error('There is no backup.')
  expect(whole).toMatchObject({ kind: 'automatic', disks: [{ encrypted: true, incremental: false, contentSha256: null }] })
  await guest.write(3)
  await snapshots.take(id, { name: 'running', description: '', memory: false, quiesce: false })
  await guest.write(3)
  const second = await bench.backUp()
  expect(kinds(second)).toEqual([true])
  await images.work({ kind: 'grow', path: await bench.diskPath('disk0'), sizeBytes: 4 * 2 ** 20 })
  const kept = await guest.verify()
  await machines.powerOff(id)

  // Off, with the key.
  await expect(bench.begin()).rejects.toMatchObject({ code: 'KEY_REQUIRED' })
  await unlock()
  const third = { backup: await bench.backUp({ verify: true }), content: await digest() }
  expect(kinds(third.backup)).toEqual([true])
  expect(third.backup.verified?.faults).toEqual([])
  await snapshots.take(id, { name: 'off', description: '', memory: false, quiesce: false })
  await unlock()
  await machines.start(id)
  {
    using again = await LedgerConsole.open(open, id)
    await again.write(3)
  }
  await machines.powerOff(id)
  await unlock()
  const last = { backup: await bench.backUp(), content: await digest() }
  expect(kinds(last.backup)).toEqual([true])
  expect(last.backup.sizeBytes).toBeLessThan(last.backup.virtualBytes)
  expect(await plainParts(folder.path)).toEqual([])
  expect(await leaksOf([passphrase, key], [folder.path, at.library.data])).toEqual([])

  // Nobody needs the passphrase to check it or to bring it back; it opens what came back.
  await encryption.setPassphrase(id, passphrase, 'another one, longer', false)
  await encryption.lock(id)
  await backups.verify(bench.reference(last.backup))
  const restored = await bench.restore(third.backup, { kind: 'new', name: 'restored', sameIdentity: false })
  await expect(machines.start(restored)).rejects.toMatchObject({ code: 'KEY_REQUIRED' })
  expect(await plainParts((await machines.get(restored)).folder)).toEqual([])
  expect(await digest(restored)).toBe(third.content)
  await encryption.unlock(restored, passphrase, false)
  await machines.start(restored)
  {
    using again = await LedgerConsole.open(open, restored)
    await again.write(2)
    expect(await again.verify()).toBeGreaterThan(kept)
  }
  await machines.powerOff(restored)

  // In its place, today's passphrase stays.
  await bench.restore(last.backup, { kind: 'same', keepPresent: null })
  expect(await digest()).toBe(last.content)
  await bench.restore(third.backup, { kind: 'same', keepPresent: null })
  expect(await digest()).toBe(third.content)
  await expect(encryption.unlock(id, passphrase, false)).rejects.toMatchObject({ code: 'KEY_WRONG' })
  await encryption.unlock(id, 'another one, longer', false)
  await machines.start(id)
  {
    using again = await LedgerConsole.open(open, id)
    await again.write(2)
    await again.verify()
  }
  const reverted = await bench.backUp()
  expect(kinds(reverted)).toEqual([false])
  await machines.powerOff(id)

  // Deleted ones stay for those that go on from them, and go with the last of these.
  for (const gone of [whole, second]) await backups.delete(bench.reference(gone))
  expect((await bench.list()).map((backup) => backup.id)).toEqual([third.backup.id, last.backup.id, reverted.id])
  await backups.verify(bench.reference(last.backup))
  await using file = await openFile(bench.fileOf(whole, 'disk0.qcow2'), 'r+')
  await file.write(Buffer.alloc(4096, 0x55), 0, 4096, (await file.stat()).size - 4096)
  await expect(backups.verify(bench.reference(last.backup))).rejects.toMatchObject({ code: 'IMAGE_DAMAGED', message: expect.stringContaining(bench.fileOf(whole, 'disk0.qcow2')) as string })
  await expect(bench.restore(third.backup, { kind: 'new', name: 'broken', sameIdentity: false })).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' })
  await expect(bench.restore(third.backup, { kind: 'same', keepPresent: null })).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' })
  expect((await machines.list()).map(({ definition: { name } }) => name).toSorted()).toEqual(['restored', 'vault'])
  for (const gone of [third.backup, last.backup]) await backups.delete(bench.reference(gone))
  expect(await readdir(join(folder.path, bench.set))).toEqual([reverted.id])
  expect(open.defects).toEqual([])
})
