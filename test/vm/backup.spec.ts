import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Backup } from '@shared/model'
import { BackupSchedule, type BackupService } from '@core/backup'
import { BackupBench, kinds } from './support/backup-bench'
import { OpenLibrary } from './support/open-library'
import { LedgerConsole, ledgerMachine } from './support/ledger-machines'
import { addMachines } from './support/real-host'
import { digests, ledgerOf } from './support/sound-machine'
import { qemuIo } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'
import { StepHooks } from './support/step-hooks'
import { useLibrary } from './support/test-library'

/* Backups of a guest that writes all the time, and of one that is off: what is restored is what the guest had at that instant. */

const at = useLibrary()

/** A bench with a host of its own. */
class Bench extends BackupBench implements AsyncDisposable {
  private constructor(readonly open: OpenLibrary, id: string, private readonly temporary: TemporaryFolder) {
    super(open.calls, id, 'Ledger', temporary.path)
  }

  static async set(hooks?: StepHooks): Promise<Bench> {
    const [id = ''] = await addMachines(at.library, [ledgerMachine('Ledger')])
    return new Bench(await OpenLibrary.open(at.programs, at.library, hooks), id, await TemporaryFolder.make('ringside-backups-'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.open[Symbol.asyncDispose]()
    await this.temporary[Symbol.asyncDispose]()
  }
}

test('a chain of incremental backups of a guest that writes, with a snapshot taken, deleted and reverted to between them; each restores to what it was', async () => {
  await using bench = await Bench.set()
  const { machines, snapshots } = bench.open.calls
  await machines.start(bench.id)
  using guest = await LedgerConsole.open(bench.open, bench.id)
  await guest.write(3)
  const whole = await bench.backUp()
  expect(kinds(whole)).toEqual([false, false])
  expect(whole).toMatchObject({ parentId: null, machineState: 'running', quiesced: false, fault: null })

  await guest.write(3)
  const first = await bench.pausedBackup()
  expect(kinds(first.backup)).toEqual([true, true])
  expect(first.backup.parentId).toBe(whole.id)
  expect(first.backup.sizeBytes).toBeLessThan(whole.virtualBytes)

  await guest.write(3)
  const { id: snapshotId } = await snapshots.take(bench.id, { name: 'Between', description: '', memory: true, quiesce: false })
  await guest.write(3)
  const second = await bench.pausedBackup()
  expect(kinds(second.backup)).toEqual([true, true])

  const { id: another } = await snapshots.take(bench.id, { name: 'Another', description: '', memory: false, quiesce: false })
  await guest.write(2)
  await snapshots.delete(bench.id, another, { children: false })
  await guest.write(2)
  // While it writes: some instant, the same for both disks.
  const third = await bench.backUp()
  expect(kinds(third)).toEqual([true, true])
  expect(third.parentId).toBe(second.backup.id)

  await snapshots.revert(bench.id, { snapshotId, memory: true, keepPresent: null, start: true })
  using again = await LedgerConsole.open(bench.open, bench.id)
  await again.write(1)
  const reverted = await bench.pausedBackup()
  expect(kinds(reverted.backup)).toEqual([false, false])
  expect(reverted.backup.disks[0]?.reason).toMatch(/reverted/u)
  await again.verify()
  await machines.powerOff(bench.id)

  expect(digests(await bench.restored(first.backup))).toEqual(first.content)
  expect(digests(await bench.restored(second.backup))).toEqual(second.content)
  const running = [ledgerOf(await bench.restored(whole)), ledgerOf(await bench.restored(third))]
  expect(running[0]?.number).toBeGreaterThanOrEqual(3)
  expect(running[1]?.number).toBeGreaterThan(running[0]?.number ?? Infinity)

  // Deleted ones are merged into what goes on from them, and nothing of that changes.
  for (const gone of [first.backup, whole]) await bench.open.calls.backups.delete(bench.reference(gone))
  const left = await bench.list()
  expect(left.map(({ id, parentId }) => [id, parentId])).toEqual([[second.backup.id, null], [third.id, second.backup.id], [reverted.backup.id, null]])
  for (const backup of left) await bench.open.calls.backups.verify(bench.reference(backup))
  expect(ledgerOf(await bench.restored(third))).toEqual(running[1])
  expect(await readdir(join(bench.folder, bench.set))).toEqual(left.map(({ id }) => id))
  expect(bench.open.defects).toEqual([])
})

test('off: what was written by any program is noted; a power cut, a resized or a mended disk makes the next one whole', async () => {
  await using bench = await Bench.set()
  const { images } = bench.open.calls
  const whole = await bench.backUp()
  expect(kinds(whole)).toEqual([false, false])
  await qemuIo(await bench.diskPath('disk1'), ['write -q -P 7 128k 64k', 'write -q -z 512k 64k', 'discard 640k 64k'])
  const first = { backup: await bench.backUp() }
  expect(kinds(first.backup)).toEqual([true, true])
  expect(first.backup.disks[0]?.bytes).toBeLessThan(300_000)

  // A snapshot of a machine that is off carries on what is known.
  await bench.open.calls.snapshots.take(bench.id, { name: 'Off', description: '', memory: false, quiesce: false })
  await qemuIo(await bench.diskPath('disk1'), ['write -q -P 9 192k 64k'])
  const second = { backup: await bench.backUp(), content: digests(await bench.contentOf()) }
  expect(kinds(second.backup)).toEqual([true, true])

  await images.work({ kind: 'grow', path: await bench.diskPath('disk1'), sizeBytes: 4 * 2 ** 20 })
  await qemuIo(await bench.diskPath('disk1'), ['write -q -P 5 3M 64k'])
  const grown = { backup: await bench.backUp(), content: digests(await bench.contentOf()) }
  expect(kinds(grown.backup)).toEqual([true, true])
  await images.work({ kind: 'compact', path: await bench.diskPath('disk1') })

  // QEMU does not end in order.
  await bench.open.calls.machines.start(bench.id)
  using guest = await LedgerConsole.open(bench.open, bench.id)
  await guest.write(2)
  process.kill((await bench.machine).run?.qemuPid ?? 0, 'SIGKILL')
  await expect.poll(async () => (await bench.machine).state).toBe('crashed')
  const cut = { backup: await bench.backUp(), content: digests(await bench.contentOf()) }
  expect(kinds(cut.backup)).toEqual([false, false])
  expect(cut.backup.notes[0]).toMatch(/did not end in order/u)

  for (const { backup, content } of [second, grown, cut]) expect(digests(await bench.restored(backup))).toEqual(content)

  // In its own place: what it is now is kept as a snapshot.
  await bench.open.calls.backups.restore({ ...bench.reference(second.backup), target: { kind: 'same', keepPresent: 'Before' } })
  expect(digests(await bench.contentOf())).toEqual(second.content)
  expect((await bench.open.calls.snapshots.tree(bench.id)).snapshots.map(({ name }) => name)).toContain('Before')
  // What is there now is no continuation of the last backup.
  expect(kinds(await bench.backUp())).toEqual([false, false])
  expect(bench.open.defects).toEqual([])
})

test('a damaged file is found, a folder that is away is said to be, and a backup that is cancelled or cut off leaves earlier ones as they were', async () => {
  const hooks = new StepHooks()
  await using bench = await Bench.set(hooks)
  const { backups, machines } = bench.open.calls
  const whole = await bench.backUp()
  const second = await bench.backUp({ full: true, compress: false })
  const path = bench.fileOf(second, 'disk0.qcow2')
  await using file = await open(path, 'r+')
  await file.write(Buffer.alloc(65_536, 0x55), 0, 65_536, (await file.stat()).size - 65_536)
  await expect(backups.verify(bench.reference(second))).rejects.toMatchObject({ code: 'IMAGE_DAMAGED', message: expect.stringContaining(path) as string })
  await backups.verify(bench.reference(whole))
  expect((await bench.list()).map(({ fault, verified }) => [fault === null, verified?.faults.length === 0])).toEqual([[true, true], [false, false]])
  await expect(backups.restore({ ...bench.reference(second), target: { kind: 'new', name: 'Broken', sameIdentity: false } })).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' })
  expect((await machines.list()).map(({ definition }) => definition.name)).toEqual(['Ledger'])
  // It does not go on from a damaged one.
  const third = await bench.backUp()
  expect(kinds(third)).toEqual([false, false])
  await expect(backups.create({ id: bench.id, folder: join(bench.folder, 'away'), full: false, compress: true, quiesce: true, verify: false })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })

  await machines.start(bench.id)
  for (const step of ['backup:copied', 'backup:hashed', 'backup:recorded']) {
    const cut = hooks.during((at) => { if (at.name === step) throw new Error('cut off') }, () => bench.backUp())
    await expect(cut).rejects.toThrow('cut off')
  }
  expect((await bench.list()).map(({ id }) => id)).toEqual([whole.id, second.id, third.id])
  using guest = await LedgerConsole.open(bench.open, bench.id)
  await guest.write(2)
  expect(kinds(await bench.backUp())).toEqual([true, true])
  await guest.verify()
})

/** The schedule of a host that looks once an hour: between two looks everything that there is becomes an hour older. */
class Hours {
  schedule: BackupSchedule

  constructor(private readonly bench: Bench) {
    this.schedule = this.#begin()
  }

  #begin(): BackupSchedule {
    const { library, machines, jobs, backups } = this.bench.open.services
    return new BackupSchedule({ library, machines, jobs, work: (backups as BackupService).scheduledWork() })
  }

  /** The look of the next hour. @returns the backups that there are then */
  async next(): Promise<Backup[]> {
    for (const backup of await this.bench.list()) {
      const path = this.bench.fileOf(backup, 'backup.json')
      await writeFile(path, (await readFile(path, 'utf8')).replace(backup.takenAt, new Date(Date.parse(backup.takenAt) - 3_600_000).toISOString()))
    }
    this.schedule = this.#begin()
    await this.schedule.look()
    return this.bench.list()
  }
}

test('by a schedule, while the guest writes, its disk grows and moves: only what is needed is made, the last two hours stay, and a folder that is away is made up for', async () => {
  await using bench = await Bench.set()
  const { backups, images, machines } = bench.calls
  await backups.setPolicy(bench.id, { folder: bench.folder, folderId: null, every: 'hour', keep: { hourly: 2, daily: 0, weekly: 0 }, compress: true, quiesce: true, verify: true })
  const hours = new Hours(bench)
  await machines.start(bench.id)
  using guest = await LedgerConsole.open(bench.open, bench.id)
  await guest.write(3)
  const [whole] = await hours.next()
  expect(hours.schedule.problems()).toEqual([])
  expect(whole).toMatchObject({ kind: 'automatic', parentId: null, verified: { faults: [] } })

  await guest.write(3)
  await machines.pause(bench.id)
  const contents = new Map<string, unknown>()
  const keep = async (made: Backup[]): Promise<void> => void contents.set(made.at(-1)?.id ?? '', digests(await bench.contentOf()))
  const two = await hours.next()
  expect(two.map(kinds)).toEqual([[false, false], [true, true]])
  await keep(two)
  // Nothing was written since.
  expect((await hours.next()).map(({ id }) => id)).toEqual(two.map(({ id }) => id))
  await machines.resume(bench.id)

  await images.work({ kind: 'grow', path: await bench.diskPath('disk1'), sizeBytes: 4 * 2 ** 20 })
  await guest.write(3)
  await machines.pause(bench.id)
  // The oldest one is merged into the next.
  const grown = await hours.next()
  expect(grown.map(({ id }) => id)).toEqual([two[1]?.id, expect.any(String)])
  expect(grown.map(kinds)).toEqual([[false, false], [true, true]])
  await keep(grown)
  await machines.resume(bench.id)

  const outside = join(at.library.data, 'elsewhere', 'disk1.qcow2')
  await mkdir(join(outside, '..'))
  await images.work({ kind: 'move', path: await bench.diskPath('disk1'), to: outside })
  await guest.write(3)
  const away = `${bench.folder}-away`
  await rename(bench.folder, away)
  expect(await hours.next()).toEqual([])
  expect(hours.schedule.problems()).toMatchObject([{ code: 'BACKUP_FAILED', message: expect.stringContaining('waits') as string }])
  await rename(away, bench.folder)
  await machines.pause(bench.id)
  const moved = await hours.next()
  expect(hours.schedule.problems()).toEqual([])
  expect(moved.map(kinds)).toEqual([[false, false], [true, false]])
  expect(moved[1]?.disks[1]?.reason).toMatch(/own folder/u)
  await keep(moved)
  await machines.resume(bench.id)
  await images.work({ kind: 'move', path: outside, to: null })
  await guest.write(3)
  await machines.pause(bench.id)
  const back = await hours.next()
  expect(back.map(kinds)).toEqual([[false, false], [true, false]])
  await keep(back)
  await machines.resume(bench.id)
  await guest.verify()
  await machines.powerOff(bench.id)

  for (const backup of back) {
    await backups.verify(bench.reference(backup))
    expect(digests(await bench.restored(backup))).toEqual(contents.get(backup.id))
  }
  expect((await readdir(join(bench.folder, bench.set))).toSorted()).toEqual(back.map(({ id }) => id))
  expect(bench.open.defects).toEqual([])
})
