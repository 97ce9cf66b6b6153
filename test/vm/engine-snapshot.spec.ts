import { access, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesOf, TestMachine } from './support/engine-plan'
import { goingOn, layersIn, ledgerConsole, ledgerOf, ledgerPlan, never, overlaysOf, take } from './support/snapshot-machine'
import { qemuImg, run } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
beforeAll(async () => { folder = await TemporaryFolder.make('rs-snap-') })
afterAll(() => folder[Symbol.asyncDispose]())

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false)

/** What was told of pausing and resuming since the guest began to run. */
const changesOf = ({ events }: TestMachine): string[] => events.map(({ type }) => type).filter((type) => type === 'paused' || type === 'resumed').slice(1)

/** Everything that can stand in the way of memory that is written, with the clipboard's channel among it. */
const withClipboard = { clipboard: true, guestAgent: true, balloon: true }

test('memory is written while the guest goes on, and another machine goes on from that instant', async () => {
  const plan = await ledgerPlan(folder.path, { ...withClipboard, memoryMiB: 128 })
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  const before = await console.next()
  const means = await run.machine.snapshotMemory()
  // Where the kernel does not let QEMU do better, that is said before.
  expect(means).toEqual(means.method === 'live' ? { method: 'live', reason: null } : { method: 'paused', reason: expect.stringContaining('stands still') as string })
  const fractions: (number | null)[] = []
  const taken = await take(run.machine, plan, { onProgress: (fraction) => fractions.push(fraction) })
  expect(taken).toMatchObject({ method: means.method, quiesced: false, notes: means.reason === null ? [] : [means.reason] })
  expect(taken.pauseMs).toBeGreaterThan(0)
  expect(fractions.at(-1)).toBe(1)
  const after = await console.verify()
  expect(run.machine.paused).toBe(false)
  expect(changesOf(run)).toEqual([])
  expect(run.machine.notes).toEqual([])

  // Both disks are of one instant, and other programs may read them while the machine runs on.
  const [first, second] = await Promise.all(['disk0', 'disk1'].map((id) => ledgerOf(taken.frozen[id] ?? '')))
  expect(first?.number).toBeGreaterThanOrEqual(before)
  expect(first?.number).toBeLessThanOrEqual(after)
  expect(Math.abs((first?.number ?? 0) - (second?.number ?? 0))).toBeLessThanOrEqual(1)

  const held = await stat(taken.ramFile)
  await using other = await TestMachine.start(await goingOn(plan, taken))
  using branch = await ledgerConsole(other.machine, { ...plan, runtimeFolder: 'branch' })
  const there = await branch.verify()
  expect(there).toBeGreaterThanOrEqual(first?.number ?? 0)
  expect(other.machine.notes).toEqual([])
  expect(await stat(taken.ramFile)).toMatchObject({ size: held.size, mtimeMs: held.mtimeMs })
  await console.verify()
})

test('disks alone, again and again, also by another worker: QEMU says what it writes to', async () => {
  const plan = await ledgerPlan(folder.path)
  let machine = await TestMachine.start(plan)
  const bottom = layersIn(plan)
  expect(await machine.machine.topLayers()).toEqual(bottom)
  const layers = [bottom]
  for (let round = 0; round < 4; round++) {
    if (round === 2) {
      await machine.machine.release()
      machine = await TestMachine.adopt(plan)
      expect(await machine.machine.topLayers()).toEqual(layers.at(-1))
    }
    using console = await ledgerConsole(machine.machine, { ...plan, runtimeFolder: `${plan.runtimeFolder}-${String(round)}` })
    await console.write(3)
    const taken = await take(machine.machine, plan, { memory: false })
    expect(taken).toMatchObject({ method: 'none', memory: null, notes: [], frozen: layers.at(-1) })
    expect(taken.pauseMs).toBeGreaterThan(0)
    expect(await exists(taken.ramFile)).toBe(false)
    layers.push(await machine.machine.topLayers())
  }
  {
    await using run = machine
    using console = await ledgerConsole(run.machine, { ...plan, runtimeFolder: `${plan.runtimeFolder}-end` })
    await console.write(1)
    await console.verify()
  }
  const numbers: number[] = []
  for (const layer of layers) numbers.push((await ledgerOf(layer['disk0'] ?? '')).number)
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
})

test('a guest that is paused stays paused, twice, and can be saved then', async () => {
  const plan = await ledgerPlan(folder.path, withClipboard)
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  const last = await console.next()
  await run.machine.pause()
  const events = run.events.length
  expect(await run.machine.snapshotMemory()).toEqual({ method: 'paused', reason: null })
  expect(await run.machine.freezeObstacle()).toContain('paused')
  await take(run.machine, plan)
  const taken = await take(run.machine, plan, { freezeMs: 1000 })
  expect(taken).toMatchObject({ method: 'paused', pauseMs: null, quiesced: false, notes: [expect.stringContaining('paused') as string] })
  expect(run.machine.paused).toBe(true)
  expect(run.events.slice(events)).toEqual([])
  {
    await using other = await TestMachine.start(await goingOn(plan, taken))
    using branch = await ledgerConsole(other.machine, { ...plan, runtimeFolder: 'paused-branch' })
    expect(await branch.verify()).toBeGreaterThanOrEqual(last)
  }
  await run.machine.save(filesOf(plan).savedRam, () => undefined, never)
  expect(run.ended).toMatchObject({ clean: true })
})

test('a QEMU that can’t do better has the guest stand still, says why, and its memory is as good', async () => {
  const whole = await ledgerPlan(folder.path, withClipboard)
  const plan = { ...whole, qemu: { ...whole.qemu, features: { ...whole.qemu.features, backgroundSnapshot: false } } }
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  await console.next()
  const { method, reason } = await run.machine.snapshotMemory()
  expect(method).toBe('paused')
  const taken = await take(run.machine, plan)
  expect(taken).toMatchObject({ method: 'paused', notes: [reason] })
  expect(taken.memory?.format).toBe(whole.qemu.features['mappedRam'] === true ? 'mapped-ram' : 'stream')
  expect(taken.pauseMs).toBeGreaterThan(1)
  expect(changesOf(run)).toEqual([])
  await console.verify()
  await using other = await TestMachine.start(await goingOn(plan, taken))
  using branch = await ledgerConsole(other.machine, { ...plan, runtimeFolder: 'still-branch' })
  await branch.verify()
})

test('a device that keeps QEMU from writing memory is named, and the disks are kept', async () => {
  const plan = await ledgerPlan(folder.path)
  const disk = { ...plan.definition.disks[0], id: 'disk2', image: { kind: 'own' as const, path: 'disks/disk2.img' }, format: 'raw' as const, bus: 'nvme' as const }
  const withNvme = { ...plan, definition: { ...plan.definition, disks: [...plan.definition.disks, disk as typeof plan.definition.disks[number]] } }
  await writeFile(join(plan.machineFolder, 'disks/disk2.img'), Buffer.alloc(1024 * 1024))
  await using run = await TestMachine.start(withNvme)
  using console = await ledgerConsole(run.machine, plan)
  // A raw disk is no layer.
  expect(Object.keys(await run.machine.topLayers())).toEqual(['disk0', 'disk1'])
  const means = await run.machine.snapshotMemory()
  expect(means).toEqual({ method: 'none', reason: expect.stringContaining('nvme') as string })
  const taken = await take(run.machine, withNvme)
  expect(taken).toMatchObject({ method: 'none', memory: null, notes: [means.reason] })
  expect(await exists(taken.ramFile)).toBe(false)
  await console.verify()
})

test('a file in the place of the memory stays, and so do the layers', async () => {
  const plan = await ledgerPlan(folder.path)
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  const overlays = await overlaysOf(plan, layersIn(plan))
  const ramFile = join(plan.machineFolder, 'saved', 'mine')
  await writeFile(ramFile, 'mine')
  await expect(run.machine.takeSnapshot({ overlays, ramFile, freezeMs: null }, () => undefined, never)).rejects.toMatchObject({ code: 'FILE_EXISTS', data: { path: ramFile } })
  expect(await readFile(ramFile, 'utf8')).toBe('mine')
  expect(await run.machine.topLayers()).toEqual(layersIn(plan))
  await console.next()
  // Nothing of it is left in QEMU that would keep the same overlays from being used.
  await rm(ramFile)
  await run.machine.takeSnapshot({ overlays, ramFile, freezeMs: null }, () => undefined, never)
  expect(await run.machine.topLayers()).toEqual(overlays)
  await console.verify()
})

test('an overlay that can’t be opened changes nothing, and keeps none of the others open', async () => {
  const plan = await ledgerPlan(folder.path)
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  const overlays = await overlaysOf(plan, layersIn(plan))
  const ramFile = join(plan.machineFolder, 'saved', 'ram')
  const missing = { ...overlays, disk1: join(plan.machineFolder, 'disks/none.qcow2') }
  await expect(run.machine.takeSnapshot({ overlays: missing, ramFile, freezeMs: null }, () => undefined, never)).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  await expect(run.machine.takeSnapshot({ overlays: { ...overlays, disk7: overlays['disk0'] ?? '' }, ramFile, freezeMs: null }, () => undefined, never)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('disk7') as string })
  expect(await exists(ramFile)).toBe(false)
  expect(await run.machine.topLayers()).toEqual(layersIn(plan))
  await console.next()
  await run.machine.takeSnapshot({ overlays, ramFile, freezeMs: null }, () => undefined, never)
  await console.verify()
})

test.each([['while the guest goes on', true], ['while the guest stands still', false]])('cancelled %s, the guest goes on, nothing is left, and the next works', async (_, background) => {
  const whole = await ledgerPlan(folder.path, withClipboard)
  const plan = { ...whole, qemu: { ...whole.qemu, features: { ...whole.qemu.features, backgroundSnapshot: background && whole.qemu.features['backgroundSnapshot'] === true } } }
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  await expect(take(run.machine, plan, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await run.machine.topLayers()).toEqual(layersIn(plan))
  const abort = new AbortController()
  const ramFile = join(plan.machineFolder, 'saved', 'ram')
  const overlays = await overlaysOf(plan, layersIn(plan))
  await expect(run.machine.takeSnapshot({ overlays, ramFile, freezeMs: null }, () => { abort.abort() }, abort.signal)).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await exists(ramFile)).toBe(false)
  await console.verify()
  expect(changesOf(run)).toEqual([])
  const taken = await take(run.machine, plan)
  await console.verify()
  await using other = await TestMachine.start(await goingOn(plan, taken))
  using branch = await ledgerConsole(other.machine, { ...plan, runtimeFolder: `cancelled-${String(background)}` })
  await branch.verify()
})

test.runIf(process.getuid?.() === 0).each([true, false])('a drive that is full is said, the guest goes on, and nothing is left (background: %s)', async (background) => {
  const whole = await ledgerPlan(folder.path)
  const plan = { ...whole, qemu: { ...whole.qemu, features: { ...whole.qemu.features, backgroundSnapshot: background && whole.qemu.features['backgroundSnapshot'] === true } } }
  await using running = await TestMachine.start(plan)
  const { machine } = running
  using console = await ledgerConsole(machine, plan)
  await console.next()
  await using small = await smallDrive(folder.in(`small-${String(background)}`))
  const ramFile = join(small.path, 'ram.state')
  const overlays = await overlaysOf(plan, layersIn(plan))
  await expect(machine.takeSnapshot({ overlays, ramFile, freezeMs: null }, () => undefined, never)).rejects.toMatchObject({ code: 'DISK_FULL', data: { path: ramFile } })
  expect(await exists(ramFile)).toBe(false)
  await console.verify()
  await take(machine, plan)
  await console.verify()
})

/** A drive that holds next to nothing. */
async function smallDrive(path: string): Promise<AsyncDisposable & { path: string }> {
  await mkdir(path)
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path])
  return { path, [Symbol.asyncDispose]: async () => { await run('umount', [path]) } }
}

test('a QEMU that is killed while memory is written is an error, and the disks are whole', async () => {
  const plan = await ledgerPlan(folder.path)
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  await console.next()
  const pid = run.machine.qemuPid
  const taking = take(run.machine, plan, { onProgress: () => { process.kill(pid, 'SIGKILL') } })
  await expect(taking).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  for (const layer of Object.values(layersIn(plan))) await qemuImg('check', '-f', 'qcow2', layer)
})

test.each([true, false])('a worker that is gone in the middle: the next one lets the guest go on (background: %s)', async (background) => {
  const whole = await ledgerPlan(folder.path, withClipboard)
  const plan = { ...whole, qemu: { ...whole.qemu, features: { ...whole.qemu.features, backgroundSnapshot: background && whole.qemu.features['backgroundSnapshot'] === true } } }
  const first = await TestMachine.start(plan)
  const released = Promise.withResolvers<void>()
  const taking = take(first.machine, plan, { onProgress: () => { void first.machine.release().then(released.resolve) } })
  await expect(taking).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  await released.promise
  await using run = await TestMachine.adopt(plan)
  expect(run.machine.paused).toBe(false)
  using console = await ledgerConsole(run.machine, plan)
  await console.verify()
  const taken = await take(run.machine, plan)
  await console.verify()
  await using other = await TestMachine.start(await goingOn(plan, taken))
  using branch = await ledgerConsole(other.machine, { ...plan, runtimeFolder: `gone-${String(background)}` })
  await branch.verify()
})
