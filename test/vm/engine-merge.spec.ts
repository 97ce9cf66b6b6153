import { readdir, readlink, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newDiskOptions } from '@core/creation'
import type { LaunchPlan, RunningMachine } from '@core/engine/engine'
import { createImageTool } from '@core/engine/qemu'
import { MachineDefinition } from '@shared/model'
import { TestMachine } from './support/engine-plan'
import { inLayers, ledgerConsole, ledgerOf, ledgerPlan, makeDisk, never, overlaysOf, take } from './support/snapshot-machine'
import { qemuImg, qemuIo } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
beforeAll(async () => { folder = await TemporaryFolder.make('rs-merge-') })
afterAll(() => folder[Symbol.asyncDispose]())

const MiB = 2 ** 20

/** What lies behind a layer by the headers, nearest first, as bare names. */
async function chainOf(layer: string): Promise<string[]> {
  const images = JSON.parse(await qemuImg('info', '-U', '--output=json', '--backing-chain', '-f', 'qcow2', layer)) as { filename: string }[]
  return images.slice(1).map(({ filename }) => basename(filename))
}

/** A running ledger with so many layers on its first disk, each with numbers of its own. From the bottom. */
async function stack(run: TestMachine, plan: LaunchPlan, count: number): Promise<string[]> {
  using console = await ledgerConsole(run.machine, plan)
  const layers = [(await run.machine.topLayers())['disk0'] ?? '']
  while (layers.length < count) {
    await console.write(2)
    await take(run.machine, plan, { memory: false })
    layers.push((await run.machine.topLayers())['disk0'] ?? '')
  }
  await console.write(2)
  return layers
}

const pull = (machine: RunningMachine, layer: string, base: string | null, signal = never): Promise<void> =>
  machine.pullLayer({ disk: 'disk0', layer, base, backingName: base === null ? null : basename(base) }, () => undefined, signal)

/** The files that a process has open. */
async function openFiles(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${String(pid)}/fd`)
  return Promise.all(names.map((name) => readlink(`/proc/${String(pid)}/fd/${name}`).catch(() => '')))
}

test('layers are merged in the middle, at the top and down to the bottom, and nothing that any of them holds changes', async () => {
  const plan = await ledgerPlan(folder.path)
  const layers: string[] = []
  let numbers: number[]
  let second: string
  {
    await using run = await TestMachine.start(plan)
    const { machine } = run
    layers.push(...(await stack(run, plan, 6)))
    const [a = '', b = '', c = '', d = '', e = '', f = ''] = layers
    numbers = await Promise.all([a, b, c, d, e].map(async (layer) => (await ledgerOf(layer)).number))
    using console = await ledgerConsole(machine, { ...plan, runtimeFolder: 'merging' })

    // d takes over what it read from c, and c goes.
    await pull(machine, d, b)
    expect(await chainOf(f)).toEqual([e, d, b, a].map((path) => basename(path)))
    expect(await machine.topLayers()).toMatchObject({ disk0: f })
    await console.verify()

    // The top, over two at once: e and d go.
    await pull(machine, f, b)
    expect(await chainOf(f)).toEqual([b, a].map((path) => basename(path)))
    expect(await machine.topLayers()).toMatchObject({ disk0: f })
    await console.verify()
    // Once more, with nothing left to do.
    await pull(machine, f, b)
    if (process.platform === 'linux') expect((await openFiles(machine.qemuPid)).filter((path) => [c, d, e].includes(path))).toEqual([])

    // New layers on top of what was merged, and down to the bottom.
    await take(machine, plan, { memory: false })
    const tops = await machine.topLayers()
    const top = tops['disk0'] ?? ''
    await console.write(2)
    await pull(machine, b, null)
    expect(await chainOf(top)).toEqual([f, b].map((path) => basename(path)))
    await pull(machine, top, null)
    expect(await chainOf(top)).toEqual([])
    expect(await machine.topLayers()).toEqual(tops)
    await console.verify()
    layers.push(top)
    second = tops['disk1'] ?? ''
  }
  expect(await Promise.all(layers.slice(0, 5).map(async (layer) => (await ledgerOf(layer)).number))).toEqual(numbers)
  for (const layer of layers) await qemuImg('check', '-f', 'qcow2', layer)

  // A later start sees the short chain, without the layers that went.
  const top = layers.pop() ?? ''
  for (const gone of layers) await rm(gone)
  await using again = await TestMachine.start({ ...plan, definition: inLayers(plan.definition, plan.machineFolder, { disk0: top, disk1: second }) })
  expect((await again.machine.topLayers())['disk0']).toBe(top)
  using console = await ledgerConsole(again.machine, { ...plan, runtimeFolder: 'shortened' })
  // The power-off can have come between the two writes of a number; the next one sets that right.
  await console.next()
  await console.verify()
})

/** A machine with a large layer on a third disk below an empty one, and what the upper one holds. */
async function heavy(): Promise<{ plan: LaunchPlan; lower: string; upper: string; same: () => Promise<void> }> {
  const disk2 = { id: 'disk2', image: { kind: 'own' as const, path: 'disks/disk2.qcow2' }, format: 'qcow2' as const, bus: 'virtio-blk' as const }
  const plan = await ledgerPlan(folder.path)
  await makeDisk(plan, 'disk2', new Uint8Array(256 * MiB))
  const lower = join(plan.machineFolder, 'disks/disk2.qcow2')
  await qemuIo(lower, ['write -P 7 0 240M'])
  const overlays = await overlaysOf(plan, { disk2: lower })
  const upper = overlays['disk2'] ?? ''
  await qemuIo(upper, ['write -P 9 16M 4M'])
  const copy = join(folder.path, `${basename(plan.machineFolder)}.raw`)
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', upper, copy)
  const definition = MachineDefinition.parse({ ...plan.definition, disks: [...plan.definition.disks, disk2] })
  return {
    plan: { ...plan, definition: inLayers(definition, plan.machineFolder, { disk2: upper }) }, lower, upper,
    same: async () => { await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', upper, copy) },
  }
}

const pullAll = (machine: RunningMachine, layer: string, onProgress: () => void = () => undefined, signal = never): Promise<void> =>
  machine.pullLayer({ disk: 'disk2', layer, base: null, backingName: null }, onProgress, signal)

test('a merge that is cut off by the end of QEMU has harmed nothing, and can be done again', async () => {
  const { plan, lower, upper, same } = await heavy()
  {
    await using run = await TestMachine.start(plan)
    const { machine } = run
    await expect(pullAll(machine, upper, () => { process.kill(machine.qemuPid, 'SIGKILL') })).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  }
  expect(await chainOf(upper)).toEqual([basename(lower)])
  await createImageTool(plan.qemu.imgPath).repair(upper)
  await same()
  {
    await using run = await TestMachine.start(plan)
    await pullAll(run.machine, upper)
  }
  expect(await chainOf(upper)).toEqual([])
  await same()
  await qemuImg('check', '-f', 'qcow2', upper)
})

test('a merge that is cancelled, and one whose worker is gone, leave the chain as it was, and both can be done again', async () => {
  const { plan, lower, upper, same } = await heavy()
  const abort = new AbortController()
  const first = await TestMachine.start(plan)
  await expect(pullAll(first.machine, upper, () => { abort.abort() }, abort.signal)).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await chainOf(upper)).toEqual([basename(lower)])
  await expect(pullAll(first.machine, upper, () => { void first.machine.release() })).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  {
    await using run = await TestMachine.adopt(plan)
    // Nothing is under way any more that would keep a snapshot from being taken.
    await take(run.machine, plan, { memory: false })
    const fractions: (number | null)[] = []
    await run.machine.pullLayer({ disk: 'disk2', layer: upper, base: null, backingName: null }, (fraction) => fractions.push(fraction), never)
    expect(fractions.every((fraction) => fraction === null || (fraction >= 0 && fraction <= 1))).toBe(true)
    using console = await ledgerConsole(run.machine, { ...plan, runtimeFolder: 'merge-adopted' })
    await console.verify()
  }
  expect(await chainOf(upper)).toEqual([])
  await same()
})

test('a layer that another machine reads from is not written to', async () => {
  const { plan, upper } = await heavy()
  await using run = await TestMachine.start(plan)
  await take(run.machine, plan, { memory: false })
  const [overlay = ''] = Object.values(await overlaysOf(plan, { clone: upper }))
  const clone = await ledgerPlan(folder.path)
  const cloned = MachineDefinition.parse({ ...clone.definition, disks: [...clone.definition.disks, { id: 'disk2', image: { kind: 'external', path: overlay }, format: 'qcow2', bus: 'virtio-blk' }] })
  {
    // By its allowed folder alone.
    await expect(TestMachine.start({ ...clone, definition: cloned })).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
    await using other = await TestMachine.start({ ...clone, definition: cloned, baseFolders: [plan.machineFolder] })
    await expect(pullAll(run.machine, upper)).rejects.toMatchObject({ code: 'DISK_IN_USE', data: { path: upper } })
    // What the other one reads from belongs to another machine, and it can't write there either.
    const base = (await other.machine.topLayers())['disk2'] ?? ''
    expect(base).toBe(overlay)
    await expect(pullAll(other.machine, upper)).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  }
  await pullAll(run.machine, upper)
  expect(await chainOf(upper)).toEqual([])
})

test('a layer whose clusters are written in parts: merged by a QEMU that can, else refused', async () => {
  const plan = await ledgerPlan(folder.path)
  await using run = await TestMachine.start(plan)
  using console = await ledgerConsole(run.machine, plan)
  const bottom = await run.machine.topLayers()
  const overlays = await overlaysOf(plan, bottom, newDiskOptions)
  await run.machine.takeSnapshot({ overlays, ramFile: null, freezeMs: null }, () => undefined, never)
  await console.write(3)
  const upper = overlays['disk0'] ?? ''
  if (plan.qemu.features['fileMigration'] === true) await pull(run.machine, upper, null)
  else await expect(pull(run.machine, upper, null)).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', data: { path: upper } })
  await console.verify()
})

test('a layer that the machine does not have is not found', async () => {
  const plan = await ledgerPlan(folder.path)
  await using run = await TestMachine.start(plan)
  const path = join(plan.machineFolder, 'disks/none.qcow2')
  await expect(pull(run.machine, path, null)).rejects.toMatchObject({ code: 'NOT_FOUND', data: { path } })
})
