import { copyFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { ovmf } from './support/guests'
import type { NewMachine } from './support/real-host'
import { readPng } from './support/screen'
import { MiB, SnapshotBench, cancelEverywhere, counting, grow, places, shape, taking } from './support/snapshot-bench'
import { StepHooks } from './support/step-hooks'
import { qemuImg, qemuIo } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* What the service of snapshots does, with real disks and guests: taking them and going back. */

const at = useLibrary()
const set = (machine?: NewMachine, hooks?: StepHooks): Promise<SnapshotBench> => SnapshotBench.set(at, machine, hooks)

test('off: a snapshot holds the disks, the machine goes on in layers of its own, and reverting brings disks and hardware back', async () => {
  await using bench = await set()
  await bench.write(1, 0, 1)
  const first = await bench.take('First', { description: 'As it began.' })
  expect(first).toMatchObject({ name: 'First', description: 'As it began.', parentId: null, kind: 'manual', machineState: 'stopped', method: 'none', memory: null, pauseMs: null, hasScreen: false, clones: [], notes: [] })
  await bench.write(2, 1, 2)
  await bench.open.services.library.update(bench.id, (definition) => ({ ...definition, memoryMiB: 64, notes: 'Changed later.' }))
  expect(await bench.read()).toEqual(places({ 0: 1, 1: 2, 2: 2 }))
  expect(await bench.readSnapshot(first.id)).toEqual(places({ 0: 1, 1: 1 }))
  expect(await bench.snapshots.compare(bench.id, first.id)).toEqual([{ path: 'memoryMiB', label: 'Memory', then: '32 MiB', now: '64 MiB' }])

  await bench.revert(first.id, { start: false })
  expect(await bench.read()).toEqual(places({ 0: 1, 1: 1 }))
  expect(await bench.get()).toMatchObject({ state: 'stopped', task: null, definition: { name: 'Counter', memoryMiB: 32, notes: 'Changed later.', snapshotParentId: first.id } })
  expect(await bench.files('disks')).toHaveLength(4)
  const tree = await bench.tree()
  expect(tree).toMatchObject({ current: { parentId: first.id }, sharedBytes: 0, orphans: [], problems: [] })
  expect(tree.snapshots.map(({ id, sizeBytes }) => ({ id, isLarge: sizeBytes > 2 * MiB }))).toEqual([{ id: first.id, isLarge: true }])
  expect(tree.freeBytes).toBeGreaterThan(0)
  await bench.sound()
})

test('running: the guest goes on, and reverting lets it go on at that instant, with memory and without', async () => {
  await using bench = await set()
  await bench.machines.start(bench.id)
  await bench.counts(3)
  const snapshot = await bench.take('Live')
  expect(snapshot).toMatchObject({ machineState: 'running', memory: { accelerator: 'tcg' }, hasScreen: true })
  expect(['live', 'paused']).toContain(snapshot.method)
  expect(snapshot.sizeBytes).toBeGreaterThan(snapshot.memory?.sizeBytes ?? Infinity)
  const screen = await bench.snapshots.screen(bench.id, snapshot.id)
  await writeFile(join((await bench.get()).folder, 'logs', 'screen.png'), screen ?? '')
  expect((await readPng(join((await bench.get()).folder, 'logs', 'screen.png'))).width).toBeGreaterThan(300)
  expect(await bench.get()).toMatchObject({ state: 'running', definition: { snapshotParentId: snapshot.id } })
  const atLeast = await bench.counts()
  const later = await bench.counts(atLeast + 10)

  await bench.revert(snapshot.id)
  expect(await bench.get()).toMatchObject({ state: 'running', saved: null })
  const again = await bench.counts()
  expect(again).toBeGreaterThan(3)
  expect(again).toBeLessThan(later)

  await bench.revert(snapshot.id, { memory: false, start: false })
  expect(await bench.get()).toMatchObject({ state: 'stopped', saved: null, run: null })
  await bench.revert(snapshot.id, { start: false })
  expect(await bench.get()).toMatchObject({ state: 'saved', run: null })
  await bench.machines.start(bench.id)
  expect(await bench.counts()).toBeGreaterThan(3)
  // Its memory is only read, and is there for ever.
  expect(await bench.files(join('snapshots', snapshot.id))).toEqual(['ram.state', 'screen.png', 'snapshot.json'])
  await bench.machines.powerOff(bench.id)
  await bench.sound()
  expect(bench.open.defects).toEqual([])
})

test('paused: the snapshot is that of a guest that stands still, and it stays so', async () => {
  await using bench = await set()
  await bench.machines.start(bench.id)
  const count = await bench.counts(2)
  await bench.machines.pause(bench.id)
  const snapshot = await bench.take('Paused')
  expect(snapshot).toMatchObject({ machineState: 'paused', memory: { accelerator: 'tcg' } })
  expect((await bench.get()).state).toBe('paused')
  await bench.machines.resume(bench.id)
  const later = await bench.counts(count + 10)
  await bench.revert(snapshot.id, { keepPresent: 'Before going back' })
  const again = await bench.counts()
  expect(again).toBeLessThan(later)
  const tree = await bench.tree()
  expect(shape(tree)).toEqual(['Paused < -', 'Before going back < Paused'])
  expect(tree.current.parentId).toBe(snapshot.id)
  await bench.revert(tree.snapshots[1]?.id ?? '')
  expect(await bench.counts()).toBeGreaterThanOrEqual(later)
})

test('disks only: without memory a running machine is snapshotted as after a power cut', async () => {
  await using bench = await set()
  await bench.machines.start(bench.id)
  await bench.counts(2)
  const snapshot = await bench.take('Disks', { memory: false })
  expect(snapshot).toMatchObject({ machineState: 'running', method: 'none', memory: null })
  expect(await bench.files(join('snapshots', snapshot.id))).toEqual(['screen.png', 'snapshot.json'])
  await bench.revert(snapshot.id)
  // A cold start: it counts from the beginning.
  expect(await bench.counts()).toBeLessThan(3)
})

test('saved: the snapshot has the saved memory too, the machine stays saved, and both go on by themselves', async () => {
  await using bench = await set()
  await bench.machines.start(bench.id)
  const count = await bench.counts(3)
  await bench.machines.save(bench.id)
  const snapshot = await bench.take('Saved')
  expect(snapshot).toMatchObject({ machineState: 'saved', memory: { accelerator: 'tcg' }, method: 'paused' })
  expect(await bench.get()).toMatchObject({ state: 'saved' })
  await bench.machines.start(bench.id)
  const later = await bench.counts(count + 10)
  expect(await bench.files('saved')).toEqual([])
  await bench.revert(snapshot.id)
  const again = await bench.counts()
  expect(again).toBeGreaterThanOrEqual(count)
  expect(again).toBeLessThan(later)
  await bench.machines.powerOff(bench.id)
  await bench.sound()
})

test('a machine that was reverted and not started keeps the memory that it goes on from when the snapshot is deleted', async () => {
  await using bench = await set()
  await bench.machines.start(bench.id)
  await bench.counts(3)
  const snapshot = await bench.take('Live')
  await bench.revert(snapshot.id, { start: false })
  await bench.delete(snapshot.id)
  expect(await bench.files('snapshots')).toEqual([])
  expect((await bench.get()).state).toBe('saved')
  await bench.machines.start(bench.id)
  expect(await bench.counts()).toBeGreaterThanOrEqual(3)
  await bench.machines.powerOff(bench.id)
  await bench.sound()
})

test('a snapshot that is cancelled is whole or absent, running or not, and the machine is as it was', async () => {
  const hooks = new StepHooks()
  await using bench = await set(counting, hooks)
  await bench.write(1, 0)
  const { snapshots } = bench.open.services
  let number = 0
  const attempt = (signal: AbortSignal): Promise<unknown> => snapshots.take(bench.id, { ...taking, name: `Number ${String(++number)}` }, { signal, report: () => undefined })
  let there: string[] = []
  const look = async (wasDone: boolean, step: string): Promise<void> => {
    const tree = await bench.tree()
    const names = tree.snapshots.map(({ name }) => name)
    expect(names, step).toEqual(wasDone ? [...there, `Number ${String(number)}`] : there)
    expect(tree, step).toMatchObject({ orphans: [], problems: [] })
    there = names
  }
  expect(await cancelEverywhere(hooks, attempt, look)).toBeGreaterThanOrEqual(4)
  expect(await bench.read()).toEqual(places({ 0: 1 }))
  await bench.machines.start(bench.id)
  const count = await bench.counts(1)
  expect(await cancelEverywhere(hooks, attempt, look)).toBeGreaterThanOrEqual(8)
  await bench.counts(count)
  await bench.machines.powerOff(bench.id)
  await bench.idle()
  expect(await bench.read()).toEqual(places({ 0: 1 }))
  await bench.sound()
})

test('UEFI variables take part as a disk does', async () => {
  const { variables } = await ovmf()
  await using bench = await set({
    ...counting, definition: { ...counting.definition, firmware: { type: 'uefi' } },
    async prepare(paths) {
      await counting.prepare?.(paths)
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', variables, join(paths.firmwareFolder, 'nvram.qcow2'))
    },
  })
  const nvram = async (): Promise<string> => {
    const { definition: { firmware }, folder } = await bench.get()
    return join(folder, firmware.type === 'uefi' ? firmware.nvram : '')
  }
  await qemuIo(await nvram(), ['write -q -P 1 4k 4k'])
  const snapshot = await bench.take('UEFI')
  expect(basename(await nvram())).toMatch(/^nvram\.[0-9a-f]{8}\.qcow2$/u)
  await qemuIo(await nvram(), ['write -q -P 2 4k 4k'])
  await bench.revert(snapshot.id, { start: false })
  await qemuIo(await nvram(), ['read -P 1 4k 4k'])
  expect(await bench.files('firmware')).toHaveLength(2)
  await bench.delete(snapshot.id)
  expect(await bench.files('firmware')).toHaveLength(1)
  await qemuIo(await nvram(), ['read -P 1 4k 4k'])
  await bench.sound()
})

test('the next host sees the same tree, whether the machine runs or not, and goes on with it', async () => {
  let bench = await set()
  try {
    await grow(bench)
    const before = shape(await bench.tree())
    bench = await bench.reopen()
    expect(shape(await bench.tree())).toEqual(before)
    await bench.machines.start(bench.id)
    const count = await bench.counts(2)
    const live = await bench.take('Live')
    bench = await bench.reopen()
    expect((await bench.get()).state).toBe('running')
    expect(shape(await bench.tree())).toEqual([...before, 'Live < B2'])
    const later = await bench.counts(count + 5)
    const second = await bench.take('Later')
    expect(second.parentId).toBe(live.id)
    await bench.revert(live.id)
    expect(await bench.counts()).toBeLessThan(later)
  } finally {
    await bench[Symbol.asyncDispose]()
  }
})

test('memory that this QEMU can’t load leaves the machine off with the disks of that instant, and says so', async () => {
  await using bench = await set()
  await bench.write(1, 0)
  await bench.machines.start(bench.id)
  await bench.counts(2)
  const snapshot = await bench.take('Live')
  await bench.machines.powerOff(bench.id)
  await bench.write(2, 1)
  const ram = join((await bench.get()).folder, 'snapshots', snapshot.id, 'ram.state')
  await copyFile(ram, join(at.library.data, 'ram'))
  await truncate(ram, Math.floor((await stat(ram)).size / 2))
  await expect(bench.revert(snapshot.id)).rejects.toMatchObject({
    message: expect.stringContaining('is back at “Live”, but its memory could not be loaded, so it is off') as string, data: { hint: expect.stringContaining('as after a power cut') as string },
  })
  expect(await bench.get()).toMatchObject({ state: 'stopped', saved: null, run: null, task: null })
  expect(await bench.read()).toEqual(places({ 0: 1 }))
  await bench.machines.start(bench.id)
  await bench.counts()
  // Missing altogether it is told before anything is done.
  await rm(ram)
  await expect(bench.revert(snapshot.id)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  expect((await bench.get()).state).toBe('running')
  expect((await bench.tree()).problems).toMatchObject([{ path: ram, code: 'FILE_NOT_FOUND' }])
  await bench.revert(snapshot.id, { memory: false, start: false })
  await bench.sound()
})

test('a disk that was put in after the snapshot is not lost on the way back', async () => {
  await using bench = await set()
  const snapshot = await bench.take('Two disks')
  const { folder } = await bench.get()
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder, 'disks', 'photos.qcow2'), '4M')
  await bench.open.services.library.update(bench.id, (definition) => ({
    ...definition, disks: [...definition.disks, { id: 'photos', image: { kind: 'own', path: 'disks/photos.qcow2' }, format: 'qcow2', bus: 'sata', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false }],
  }))
  expect(await bench.snapshots.compare(bench.id, snapshot.id)).toEqual([{ path: 'disks.photos', label: 'Disk “photos”', then: null, now: 'sata' }])
  await bench.revert(snapshot.id, { start: false })
  expect((await bench.tree()).orphans).toMatchObject([{ path: 'disks/photos.qcow2' }])
  expect((await bench.get()).definition.disks).toHaveLength(2)
})

test('a disk that a crash left dirty is mended before it is frozen', async () => {
  await using bench = await set()
  await bench.machines.start(bench.id)
  await bench.counts(2)
  const { run } = await bench.get()
  process.kill(run?.qemuPid ?? 0, 'SIGKILL')
  await expect.poll(async () => (await bench.get()).state).toBe('crashed')
  const { folder, definition } = await bench.get()
  // As QEMU leaves a disk that it has allocated clusters in (qcow2 specification: incompatible feature bit 0).
  const top = join(folder, definition.disks[1]?.image.path ?? '')
  await bench.write(1, 0)
  const header = await readFile(top)
  header.writeBigUInt64BE(header.readBigUInt64BE(72) | 1n, 72)
  await writeFile(top, header)
  const snapshot = await bench.take('After the crash')
  expect(snapshot.machineState).toBe('crashed')
  expect((await readFile(top)).readBigUInt64BE(72) & 1n).toBe(0n)
  expect(await bench.readSnapshot(snapshot.id)).toEqual(places({ 0: 1 }))
  await bench.sound()
})

test('a policy is kept, and a template and a disposable run have no snapshots taken of them', async () => {
  await using bench = await set()
  const policy = { every: 'day' as const, keep: { hourly: 0, daily: 7, weekly: 4 }, memory: false }
  await bench.snapshots.setPolicy(bench.id, policy)
  expect((await bench.get()).definition.snapshotPolicy).toEqual(policy)
  await bench.snapshots.setPolicy(bench.id, null)
  expect((await bench.get()).definition.snapshotPolicy).toBeNull()
  await bench.open.services.machines.start(bench.id, { disposable: true })
  await expect(bench.take('No')).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  expect((await bench.snapshots.plan(bench.id)).issues).toMatchObject([{ severity: 'error', code: 'ILLEGAL_STATE' }])
  await bench.machines.powerOff(bench.id)
  await bench.open.services.library.update(bench.id, (definition) => ({ ...definition, template: true }))
  await expect(bench.take('No')).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
})
