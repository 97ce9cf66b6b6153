import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newDiskOptions } from '@core/creation'
import type { DiskWork } from '@shared/model'
import { buildPrograms, type BuiltPrograms } from './support/build-worker'
import type { HostCalls } from './support/host-calls'
import { OpenLibrary } from './support/open-library'
import { addMachines, HostProcess, type NewMachine } from './support/real-host'
import { canMount, SmallLibrary } from './support/small-library'
import { ownFiles } from './support/sound-machine'
import { StepHooks } from './support/step-hooks'
import { jobReporter, qemuImg, qemuIo } from './support/storage-host'

/*
 * Work on disk images that is cut off: by a drive that becomes full in the middle, by a person, by kill -9 of the host. The image is as it was, no half file has a real name, the next host has
 * removed what was left, and then the same can be done.
 */

const MiB = 2 ** 20

let programs: BuiltPrograms
beforeAll(async () => {
  programs = await buildPrograms()
})
afterAll(() => programs[Symbol.asyncDispose]())

/** Twelve mebibytes of data, and eight of zeroes that compacting gives back. */
const machine = (name: string): NewMachine => ({
  name,
  definition: { disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }] },
  async prepare({ disksFolder }) {
    const path = join(disksFolder, 'disk0.qcow2')
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', newDiskOptions.join(','), path, '32M')
    await qemuIo(path, ['write -q -P 3 0 12M', 'write -q -P 0 16M 8M'])
  },
})

/** What is done to a machine's disk, and the file that comes of it. */
interface Cut {
  label: string
  run: (calls: HostCalls, at: { id: string; disk: string; target: string; raw: string }) => Promise<unknown>
  steps: readonly string[]
}

const work = (label: string, of: (disk: string, target: string) => DiskWork): Cut => ({
  label, steps: ['image:begun', 'image:written'], run: (calls, { disk, target }) => calls.images.work(of(disk, target)),
})

const cuts: readonly Cut[] = [
  work('convert', (path, to) => ({ kind: 'convert', path, to, format: 'raw' })),
  work('copy', (path, to) => ({ kind: 'copy', path, to })),
  work('compact', (path) => ({ kind: 'compact', path })),
  work('create', (_, path) => ({ kind: 'create', path, format: 'qcow2', sizeBytes: 24 * MiB, preallocated: true })),
  {
    label: 'add a copied disk', steps: ['hardware:disk-begun', 'hardware:disk-made'],
    run: (calls, { id, raw }) => calls.hardware.addDisk(id, { bus: 'virtio-blk', readOnly: false, source: { kind: 'copy', path: raw, format: 'raw' } }),
  },
]

const sha256 = async (path: string): Promise<string> => createHash('sha256').update(await readFile(path)).digest('hex')

/** Everything that a cut must not change. */
async function stateOf({ data }: SmallLibrary, { calls }: Pick<OpenLibrary, 'calls'>, id: string): Promise<unknown> {
  const { folder, definition, state, task } = await calls.machines.get(id)
  const images = await readdir(join(data, 'images')).catch(() => [])
  return { definition, state, task, disks: (await ownFiles(join(folder, 'disks'))), content: await sha256(join(folder, 'disks/disk0.qcow2')), images }
}

test.runIf(canMount)('the drive becomes full in the middle, or a person cancels', async () => {
  await using library = await SmallLibrary.make(96)
  const [id = ''] = await addMachines(library, [machine('Full')])
  const raw = join(library.data, 'given.raw')
  await writeFile(raw, randomBytes(12 * MiB))
  const hooks = new StepHooks()
  await using open = await OpenLibrary.open(programs, library, hooks)
  const { folder } = await open.calls.machines.get(id)
  const at = (label: string): Parameters<Cut['run']>[1] => ({ id, raw, disk: join(folder, 'disks/disk0.qcow2'), target: join(library.data, 'images', label) })
  for (const { label, run, steps } of cuts) {
    await open.services.images.overview()
    const before = await stateOf(library, open, id)
    const outcome = await hooks.during(async ({ name }) => { if (name === steps[0]) await library.fill(2 * MiB) }, () => run(open.calls, at(label))).then(() => null, (error: unknown) => error)
    await library.empty()
    expect(outcome, label).toMatchObject({
      code: 'DISK_FULL', message: expect.stringContaining(label === 'add a copied disk' || label === 'compact' ? folder : join(library.data, 'images')) as string,
      data: { hint: expect.stringMatching(/^Free some space there, then try again; [\d.]+ MiB may be needed\.$/u) as string },
    })
    expect(await stateOf(library, open, id), label).toEqual(before)
  }
  const before = await stateOf(library, open, id)
  const controller = new AbortController()
  const reporter = jobReporter((progress) => { if (progress !== null) controller.abort() }, controller.signal)
  await expect(open.services.hardware.addDisk(id, { bus: 'virtio-blk', readOnly: false, source: { kind: 'copy', path: raw, format: 'raw' } }, reporter)).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await stateOf(library, open, id)).toEqual(before)
  // With room it works. The order leaves the disk as it is until the end.
  for (const { label, run } of cuts) await run(open.calls, at(label))
  expect((await open.calls.machines.get(id)).definition.disks.map(({ image }) => image)).toEqual(['disk0', 'disk1'].map((name) => ({ kind: 'own', path: `disks/${name}.qcow2` })))
  expect(open.defects).toEqual([])
})

test.runIf(canMount)('the host is killed when nothing is written yet, and when all is written and has no name', async () => {
  await using library = await SmallLibrary.make(400)
  const cases = cuts.flatMap((cut) => cut.steps.map((step, index) => ({ ...cut, name: `${cut.label} at ${step.replace(':', ' ')}`, step: { index, name: step } })))
  const grown = { label: 'grow', name: 'grow', step: { index: 0, name: 'image:resized' }, run: work('grow', (path) => ({ kind: 'grow', path, sizeBytes: 40 * MiB })).run }
  const all = [...cases, grown]
  const ids = await addMachines(library, all.map(({ name }) => machine(name)))
  const raw = join(library.data, 'given.raw')
  await writeFile(raw, randomBytes(6 * MiB))
  const before: unknown[] = []
  {
    await using host = await HostProcess.start(programs, library)
    for (const [index, { name, step, run }] of all.entries()) {
      const id = ids[index] ?? ''
      const { folder } = await host.get(id)
      before.push(await stateOf(library, host, id))
      await host.holdAt(step, (calls) => run(calls, { id, raw, disk: join(folder, 'disks/disk0.qcow2'), target: join(library.data, 'images', basename(name)) }))
    }
    await host.kill()
  }
  await using open = await OpenLibrary.open(programs, library)
  expect(open.services.library.problems()).toEqual([])
  expect((await open.services.images.overview()).orphans).toEqual([])
  for (const [index, { name, label, run }] of all.entries()) {
    const id = ids[index] ?? ''
    const now = await stateOf(library, open, id)
    if (label !== 'grow') expect(now, name).toEqual({ ...(before[index] as object), images: [] })
    const { folder } = await open.calls.machines.get(id)
    const disk = join(folder, 'disks/disk0.qcow2')
    await qemuImg('check', '-q', '-f', 'qcow2', disk)
    if (label === 'grow') expect(JSON.parse(await qemuImg('info', '--output=json', '-f', 'qcow2', disk))).toMatchObject({ 'virtual-size': 40 * MiB })
    else await run(open.calls, { id, raw, disk, target: join(library.data, 'images', 'again') })
    await open.calls.machines.delete(id, { permanently: true })
    await rm(join(library.data, 'images', 'again'), { force: true })
  }
  expect(open.defects).toEqual([])
})
