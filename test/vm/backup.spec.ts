import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Backup, BackupFolder, CreateBackup, MachineView } from '@shared/model'
import type { OpenLibrary } from './support/open-library'
import { OpenLibrary as Library } from './support/open-library'
import { LedgerConsole, ledgerMachine } from './support/ledger-machines'
import { addMachines } from './support/real-host'
import { digests, ledgerOf, readDisks, type Content } from './support/sound-machine'
import { qemuIo } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'
import { StepHooks } from './support/step-hooks'
import { useLibrary } from './support/test-library'

/* Backups of a guest that writes all the time, and of one that is off: what is restored is what the guest had at that instant. */

const at = useLibrary()

class Bench implements AsyncDisposable {
  #restored = 0

  private constructor(readonly open: OpenLibrary, readonly id: string, private readonly temporary: TemporaryFolder) {}

  static async set(hooks?: StepHooks): Promise<Bench> {
    const [id = ''] = await addMachines(at.library, [ledgerMachine('Ledger')])
    return new Bench(await Library.open(at.programs, at.library, hooks), id, await TemporaryFolder.make('ringside-backups-'))
  }

  get folder(): string {
    return this.temporary.path
  }

  get machine(): Promise<MachineView> {
    return this.open.calls.machines.get(this.id)
  }

  async list(): Promise<Backup[]> {
    return (await this.all()).sets.flatMap(({ backups }) => backups)
  }

  all(): Promise<BackupFolder> {
    return this.open.calls.backups.list({ folder: this.folder, id: this.id })
  }

  async backUp(changes: Partial<CreateBackup> = {}): Promise<Backup> {
    await this.open.calls.backups.create({ id: this.id, folder: this.folder, full: false, compress: true, quiesce: true, verify: false, ...changes })
    const newest = (await this.list()).at(-1)
    if (newest === undefined) throw new Error('There is no backup.')
    return newest
  }

  reference(backup: Backup): { folder: string; set: string; backupId: string } {
    return { folder: this.folder, set: `ledger-${this.id.slice(0, 8)}`, backupId: backup.id }
  }

  /** What a backup's disks hold, restored into a machine of its own. */
  async restored(backup: Backup): Promise<Record<string, Buffer>> {
    this.#restored += 1
    const id = await this.open.calls.backups.restore({ ...this.reference(backup), target: { kind: 'new', name: `Restored ${String(this.#restored)}`, sameIdentity: false } })
    return this.contentOf(id)
  }

  /** What the disks hold now; of a guest that runs only while it is paused. */
  async contentOf(id = this.id): Promise<Record<string, Buffer>> {
    const { definition, folder } = await this.open.calls.machines.get(id)
    return readDisks(folder, definition)
  }

  /** A backup of the paused guest, and what its disks hold at that instant. */
  async pausedBackup(): Promise<{ backup: Backup; content: Content }> {
    const { machines } = this.open.calls
    await machines.pause(this.id)
    const content = digests(await this.contentOf())
    const backup = await this.backUp()
    await machines.resume(this.id)
    return { backup, content }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.open[Symbol.asyncDispose]()
    await this.temporary[Symbol.asyncDispose]()
  }
}

const kinds = ({ disks }: Backup): boolean[] => disks.map(({ incremental }) => incremental)

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
  expect(await readdir(join(bench.folder, `ledger-${bench.id.slice(0, 8)}`))).toEqual(left.map(({ id }) => id))
  expect(bench.open.defects).toEqual([])
})

test('off: what was written by any program is noted; a power cut, a resized or a mended disk makes the next one whole', async () => {
  await using bench = await Bench.set()
  const { images } = bench.open.calls
  const disk = async (index: number): Promise<string> => {
    const { definition, folder } = await bench.machine
    const image = definition.disks[index]?.image
    return join(folder, image?.kind === 'own' ? image.path : '')
  }
  const whole = await bench.backUp()
  expect(kinds(whole)).toEqual([false, false])
  await qemuIo(await disk(1), ['write -q -P 7 128k 64k', 'write -q -z 512k 64k', 'discard 640k 64k'])
  const first = { backup: await bench.backUp() }
  expect(kinds(first.backup)).toEqual([true, true])
  expect(first.backup.disks[0]?.bytes).toBeLessThan(300_000)

  // A snapshot of a machine that is off carries on what is known.
  await bench.open.calls.snapshots.take(bench.id, { name: 'Off', description: '', memory: false, quiesce: false })
  await qemuIo(await disk(1), ['write -q -P 9 192k 64k'])
  const second = { backup: await bench.backUp(), content: digests(await bench.contentOf()) }
  expect(kinds(second.backup)).toEqual([true, true])

  await images.work({ kind: 'grow', path: await disk(1), sizeBytes: 4 * 2 ** 20 })
  await qemuIo(await disk(1), ['write -q -P 5 3M 64k'])
  const grown = { backup: await bench.backUp(), content: digests(await bench.contentOf()) }
  expect(kinds(grown.backup)).toEqual([true, true])
  await images.work({ kind: 'compact', path: await disk(1) })

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
  const path = join(bench.folder, bench.reference(second).set, second.id, 'disk0.qcow2')
  await using file = await open(path, 'r+')
  await file.write(Buffer.alloc(65_536, 0x55), 0, 65_536, (await file.stat()).size - 65_536)
  await expect(backups.verify(bench.reference(second))).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' })
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
