import { randomBytes } from 'node:crypto'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Backup } from '@shared/model'
import { BackupBench, kinds } from './support/backup-bench'
import { assembleLedgerDisk, emptyLedgerDisk } from './support/ledger-guest'
import { bareHardware, diskMachine, LedgerConsole, ledgerMachine } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { inParallel } from './support/parallel'
import { addMachines, HostProcess, type NewMachine } from './support/real-host'
import { digests, strayFiles, unlisted, type Content } from './support/sound-machine'
import { StepHooks, type Step } from './support/step-hooks'
import { qemuIo, run, SmallDrive } from './support/storage-host'
import { keepProbe, TemporaryFolder, type TemporaryLibrary } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

/* Backups and restores that a full drive or the death of the host ends: nothing of them is there, nothing else is lost, and the next one is right. */

const at = useLibrary()
const mebibyte = 2 ** 20

/** The rest of its second disk is full of what can't be compressed. */
const noisyMachine = (name: string): NewMachine => diskMachine(name, [assembleLedgerDisk(), new Uint8Array(Buffer.concat([emptyLedgerDisk(), randomBytes(24 * mebibyte)]))], bareHardware)

/** Takes the room of a drive, but for so many bytes. */
async function fill(drive: SmallDrive, restBytes: number): Promise<void> {
  await run('fallocate', ['-l', String((await drive.freeBytes()) - restBytes), join(drive.path, 'filler')])
}
const empty = (drive: SmallDrive): Promise<void> => rm(join(drive.path, 'filler'))

async function smallDrive(path: string, mebibytes: number): Promise<SmallDrive> {
  const drive = await SmallDrive.mount(path, mebibytes)
  if (typeof drive === 'string') throw new Error(drive)
  return drive
}

const full = { code: 'DISK_FULL', data: { hint: expect.any(String) as string } }
const canMount = process.platform === 'linux' && process.getuid?.() === 0

test.runIf(canMount)('the drive for backups is full in the middle of a full and of an incremental one: there is no half one, and the next is right', async () => {
  await using temporary = await TemporaryFolder.make('ringside-small-')
  await using drive = await smallDrive(temporary.in('backups'), 64)
  const [id = ''] = await addMachines(at.library, [noisyMachine('Noise')])
  const hooks = new StepHooks()
  await using open = await OpenLibrary.open(at.programs, at.library, hooks)
  const bench = new BackupBench(open.calls, id, 'Noise', drive.path)
  const { machines, backups } = open.calls
  const inSet = (): Promise<string[]> => readdir(join(drive.path, bench.set)).catch(() => [])

  // Off, QEMU writes to the drive itself.
  await fill(drive, 12 * mebibyte)
  await expect(bench.begin()).rejects.toMatchObject(full)
  await expect(bench.begin({ compress: false })).rejects.toMatchObject(full)
  expect([await inSet(), (await bench.machine).state]).toEqual([[], 'stopped'])
  await empty(drive)
  const whole = await bench.backUp()
  const first = digests(await bench.contentOf())

  const change = async (): Promise<void> => {
    await writeFile(temporary.in('noise'), randomBytes(8 * mebibyte))
    await qemuIo(await bench.diskPath('disk1'), [`write -q -s ${temporary.in('noise')} 12M 8M`])
  }
  await change()
  await fill(drive, 4 * mebibyte)
  await expect(bench.begin()).rejects.toMatchObject(full)
  expect(await inSet()).toEqual([whole.id])
  await backups.verify(bench.reference(whole))
  await empty(drive)

  // While the guest runs it is copied there from the drive of its disks.
  await machines.start(id)
  using guest = await LedgerConsole.open(open, id)
  await guest.write(2)
  await fill(drive, 4 * mebibyte)
  await expect(bench.begin()).rejects.toMatchObject({ ...full, message: expect.stringContaining('missing') as string })
  await empty(drive)
  await expect(hooks.during(({ name }) => (name === 'backup:copied' ? fill(drive, 0) : undefined), () => bench.begin())).rejects.toMatchObject(full)
  expect([await inSet(), (await bench.machine).state]).toEqual([[whole.id], 'running'])
  await empty(drive)
  const second = await bench.pausedBackup()
  expect(kinds(second.backup)).toEqual([true, true])
  await guest.verify()
  await machines.powerOff(id)
  expect(digests(await bench.restored(second.backup))).toEqual(second.content)
  expect(digests(await bench.restored(whole))).toEqual(first)
  expect(open.defects).toEqual([])
})

test.runIf(canMount)('the drive of the machine itself is full in the middle of a backup beside it and of a restore: the guest goes on', async () => {
  await using temporary = await TemporaryFolder.make('ringside-small-')
  await using drive = await smallDrive(temporary.in('drive'), 112)
  const library: TemporaryLibrary = {
    data: join(drive.path, 'data'), runtime: temporary.in('run'), environment: { RINGSIDE_DATA: join(drive.path, 'data'), RINGSIDE_RUNTIME: temporary.in('run') },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  await keepProbe(library.data)
  const [id = ''] = await addMachines(library, [noisyMachine('Near')])
  await using open = await OpenLibrary.open(at.programs, library)
  const folder = join(drive.path, 'backups')
  await run('mkdir', [folder])
  const bench = new BackupBench(open.calls, id, 'Near', folder)
  const { machines } = open.calls
  await machines.start(id)
  using guest = await LedgerConsole.open(open, id)
  await guest.write(2)
  await fill(drive, 12 * mebibyte)
  await expect(bench.begin()).rejects.toMatchObject(full)
  expect(await readdir(folder)).not.toContain(bench.set)
  expect((await bench.machine).state).toBe('running')
  await guest.verify()
  await empty(drive)
  const whole = await bench.pausedBackup()
  await guest.write(2)
  const second = await bench.pausedBackup()
  expect(kinds(second.backup)).toEqual([true, true])
  await machines.powerOff(id)

  const before = digests(await bench.contentOf())
  await fill(drive, 8 * mebibyte)
  await expect(bench.restore(whole.backup, { kind: 'same', keepPresent: null })).rejects.toMatchObject(full)
  await expect(bench.restore(whole.backup, { kind: 'new', name: 'Another', sameIdentity: false })).rejects.toMatchObject(full)
  expect(digests(await bench.contentOf())).toEqual(before)
  expect((await machines.list()).map((one) => one.id)).toEqual([id])
  await empty(drive)
  await bench.restore(second.backup, { kind: 'same', keepPresent: null })
  expect(digests(await bench.contentOf())).toEqual(second.content)
  expect(open.defects).toEqual([])
})

interface Case { id: string; name: string; work: 'running' | 'off' | 'restore, same' | 'restore, new'; at: Step | 'in the middle'; whole?: Backup; before?: Content }

const steps = ['backup:copied', 'backup:hashed', 'backup:recorded', 'backup:named'].map((name, index) => ({ index, name }))
const restoreSteps = ['backup:restored', 'backup:definition-changed'].map((name, index) => ({ index, name }))

test('the host is killed in the middle of backups and restores: nothing is lost, and the next backup is whole or right', async () => {
  await using temporary = await TemporaryFolder.make('ringside-backups-')
  const wanted: Pick<Case, 'work' | 'at'>[] = [
    ...steps.filter(({ index }) => index !== 1).map((step) => ({ work: 'running' as const, at: step })), ...steps.slice(0, 1).map((step) => ({ work: 'off' as const, at: step })),
    { work: 'running', at: 'in the middle' }, { work: 'off', at: 'in the middle' },
    ...restoreSteps.map((step) => ({ work: 'restore, same' as const, at: step })), { work: 'restore, same', at: 'in the middle' },
    { work: 'restore, new', at: restoreSteps[0] ?? 'in the middle' }, { work: 'restore, new', at: 'in the middle' },
  ]
  const named = wanted.map((one) => ({ ...one, name: `${one.work} ${typeof one.at === 'string' ? one.at : one.at.name}`.replace(/[:,]/gu, '') }))
  const ids = await addMachines(at.library, named.map(({ name, at: when }) => (typeof when === 'string' ? noisyMachine(name) : ledgerMachine(name))))
  const cases: Case[] = named.map((one, index) => ({ ...one, id: ids[index] ?? '' }))
  const faults: Record<string, string> = {}
  const tryAll = (some: readonly Case[], work: (one: Case) => Promise<void>): Promise<unknown> => inParallel(3, some, (one) => work(one).catch((error: unknown) => void (faults[one.name] ??= (error as Error).stack ?? String(error))))
  const [held, cut] = [cases.filter((one) => one.at !== 'in the middle'), cases.filter((one) => one.at === 'in the middle')]
  {
    await using host = await HostProcess.start(at.programs, at.library)
    await tryAll(cases, (one) => prepare(host, one, temporary.path))
    await tryAll(held, (one) => (one.at === 'in the middle' ? Promise.resolve() : host.holdAt(one.at, (calls) => work(calls, one, temporary.path))))
    // What is in the middle of its copying is never answered: the host dies first.
    for (const one of cut) work(host.calls, one, temporary.path).catch(() => undefined)
    await expect.poll(() => isCopying([temporary.path, at.library.data]), { interval: 20, timeout: 60_000 }).toBe(true)
    await host.kill()
  }
  await using open = await OpenLibrary.open(at.programs, at.library)
  await tryAll(cases, (one) => expectSound(open, one, temporary.path))
  expect(faults).toEqual({})
  // None but those that were restored as a whole.
  expect((await open.calls.machines.list()).map(({ definition: { name } }) => name)).not.toContain('Half restore new backuprestored')
  expect(open.defects).toEqual([])
})

/** Backs the machine up, and changes its disks. */
async function prepare(host: HostProcess, one: Case, folder: string): Promise<void> {
  const bench = new BackupBench(host.calls, one.id, one.name, folder)
  if (one.work !== 'running') {
    one.whole = await bench.backUp()
    await qemuIo(await bench.diskPath('disk1'), ['write -q -P 7 128k 64k'])
    one.before = digests(await bench.contentOf())
    return
  }
  await host.calls.machines.start(one.id)
  using guest = await LedgerConsole.open(host, one.id)
  await guest.write(2)
  one.whole = await bench.backUp()
  await guest.write(2)
}

/** What the death of the host ends. */
async function work(calls: HostProcess['calls'], { id, name, whole, work: kind, at: when }: Case, folder: string): Promise<void> {
  const bench = new BackupBench(calls, id, name, folder)
  const isWhole = when === 'in the middle'
  if (kind === 'running' || kind === 'off') await bench.begin({ full: isWhole, compress: isWhole })
  else if (whole !== undefined) await bench.restore(whole, kind === 'restore, same' ? { kind: 'same', keepPresent: null } : { kind: 'new', name: `Half ${name}`, sameIdentity: false })
}

/** Whether a disk full of noise is being written. */
async function isCopying(folders: readonly string[]): Promise<boolean> {
  const being = /(?:\.partial-|backup-).*disk1\.qcow2$|\.new-.*disk1\.qcow2$|disk1\.[0-9a-f]{8}\.qcow2$/u
  const names = (await Promise.all(folders.map(async (folder) => (await readdir(folder, { recursive: true }).catch(() => [])).map((name) => join(folder, name))))).flat()
  const sizes = await Promise.all(names.filter((name) => being.test(name)).map((path) => stat(path).then(({ size }) => size, () => 0)))
  return sizes.some((size) => size > mebibyte)
}

async function expectSound(open: OpenLibrary, one: Case, folder: string): Promise<void> {
  const bench = new BackupBench(open.calls, one.id, one.name, folder)
  const { whole } = one
  if (whole === undefined) return
  const { folder: machineFolder, definition, state } = await bench.machine
  // What was in the middle may have come to its end.
  const mayBeDone = one.at === 'in the middle'
  const stepName = one.at === 'in the middle' ? '' : one.at.name
  const isRestored = one.work === 'restore, same' && (mayBeDone ? definition.disks[0]?.image.path !== 'disks/disk0.qcow2' : stepName === 'backup:definition-changed')
  expect(state).toBe(one.work === 'running' ? 'running' : 'stopped')
  expect((await bench.list()).length).toBeOneOf(stepName === 'backup:named' ? [2] : mayBeDone ? [1, 2] : [1])
  if (one.before !== undefined) {
    if (isRestored) expect(digests(await bench.contentOf())).toEqual(digests(await bench.restored(whole)))
    else expect(digests(await bench.contentOf())).toEqual(one.before)
  }
  const strays = await strayFiles(machineFolder, [definition])
  expect(unlisted(strays, await open.calls.snapshots.tree(one.id))).toEqual([])

  if (one.work === 'running') {
    using guest = await LedgerConsole.open(open, one.id)
    await guest.write(2)
    await guest.verify()
  }
  const next = one.work === 'running' ? await bench.pausedBackup() : { backup: await bench.backUp(), content: digests(await bench.contentOf()) }
  // Killed in the middle, a machine that is off has marks that were never closed: it is copied whole.
  if (mayBeDone && one.work === 'running') expect(kinds(next.backup), one.name).toEqual([true, true])
  if (!mayBeDone) expect(kinds(next.backup), one.name).toEqual(isRestored ? [false, false] : [true, true])
  for (const backup of await bench.list()) await open.calls.backups.verify(bench.reference(backup))
  expect(digests(await bench.restored(next.backup))).toEqual(next.content)
  expect(await readdir(join(folder, bench.set))).toEqual((await bench.list()).map(({ id }) => id))
  if (one.work === 'running') {
    using guest = await LedgerConsole.open(open, one.id)
    await guest.verify()
    await open.calls.machines.powerOff(one.id)
  }
}
