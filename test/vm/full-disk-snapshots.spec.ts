import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isRingsideError } from '@shared/errors'
import type { MachineView } from '@shared/model'
import { assembleMemoryDisk, memoryGuestRestMiB, memoryGuestWords } from '../bench/memory-guest'
import { useFaultMachine } from './support/fault-machine'
import { operations, type Operation } from './support/fault-operations'
import { diskMachine } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { inParallel } from './support/parallel'
import { addMachines } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { canMount, SmallLibrary } from './support/small-library'
import { KnownFiles, ownFiles, readManifest } from './support/sound-machine'
import { StepHooks, type Step } from './support/step-hooks'
import { qemuIo } from './support/storage-host'
import { temporaryLibrary } from './support/temporary-folder'

/*
 * The drive is full: from the beginning of everything that changes snapshots, from each of its steps, and in the middle of what takes long. It fails in words or
 * succeeds, all snapshots and the present are what they were, and with room again everything can be done.
 */

const mebibyte = 2 ** 20
const tried = ['take, off', 'take, running', 'revert, running, with memory, keeping the present', 'delete one in the middle', 'delete the root', 'clone in full, off', 'clone linked, of a snapshot', 'branch in full from a running guest']

/** Drives at a time: most of what is done on one is waiting for processes. */
const width = 2

const at = useFaultMachine()

test.runIf(canMount).each(operations.filter(({ name }) => tried.includes(name)))('the drive is full at each step of: $name', { timeout: 900_000 }, async (operation) => {
  const steps = await record(operation)
  const faults: Record<string, string> = {}
  await inParallel(width, [null, ...steps], async (step) => {
    const label = step === null ? 'at the beginning' : `at ${String(step.index)} ${step.name}`
    await fillAt(operation, step, label).catch((error: unknown) => { faults[label] = (error as Error).stack ?? String(error) })
  })
  expect(faults).toEqual({})
})

async function record(operation: Operation): Promise<Step[]> {
  await using library = await temporaryLibrary()
  const id = await at.machine.copy(library, operation, 'left alone')
  const hooks = new StepHooks()
  const steps: Step[] = []
  await using open = await OpenLibrary.open(at.programs, library, hooks)
  await at.machine.prepare(open.calls, operation, id)
  await hooks.during((step) => void steps.push(step), () => operation.run(open.calls, id, at.machine.tree))
  return steps
}

async function fillAt(operation: Operation, step: Step | null, name: string): Promise<void> {
  await using library = await SmallLibrary.make(128)
  const id = await at.machine.copy(library, operation, name)
  const hooks = new StepHooks()
  await using open = await OpenLibrary.open(at.programs, library, hooks)
  await at.machine.prepare(open.calls, operation, id)
  if (step === null) await library.fill()
  const outcome = await hooks
    .during(async ({ index }) => { if (index === step?.index) await library.fill() }, () => operation.run(open.calls, id, at.machine.tree))
    .then(() => null, (error: unknown) => error)
  await library.empty()
  const leave = await goOnWhenStopped(open, id)
  if (outcome !== null) {
    expect(isRingsideError(outcome, 'DISK_FULL'), (outcome as Error).stack).toBe(true)
    expect(outcome).toMatchObject({ data: { hint: expect.any(String) as string } })
  }
  await at.machine.expectSound(open, operation, id, { wasCut: true })
  leave()
  expect(open.defects).toEqual([])
}

/** As a person does who has made room: lets the guest go on that was stopped because its disk could not be written, which may only come to light now. */
async function goOnWhenStopped({ services: { machines } }: OpenLibrary, id: string): Promise<() => void> {
  const goOn = async ({ state, run }: MachineView): Promise<void> => {
    if (state === 'paused' && run?.notes.some((note) => note.includes('could not write its disk')) === true) await machines.resume(id).catch(() => undefined)
  }
  await goOn(machines.get(id))
  return machines.onChange((change) => {
    if (change.type === 'changed' && change.machine.id === id) void goOn(change.machine)
  })
}

test.runIf(canMount)('the drive becomes full while memory is written: the guest goes on, nothing of the snapshot is left, and with room it works', async () => {
  const touchedMiB = 96
  await using library = await SmallLibrary.make(256)
  const [id = ''] = await addMachines(library, [diskMachine('Memory', [assembleMemoryDisk(touchedMiB)], { memoryMiB: touchedMiB + memoryGuestRestMiB })])
  await using open = await OpenLibrary.open(at.programs, library)
  const { machines, snapshots } = open.calls
  const { folder } = await machines.start(id)
  const stream = await open.openConsole(id, 'serial')
  using session = new SerialSession(stream)
  await session.waitFor(memoryGuestWords.touched)
  await library.fill(40 * mebibyte)
  const request = { name: 'large', description: '', memory: true, quiesce: false }
  await expect(snapshots.take(id, request)).rejects.toMatchObject({ code: 'DISK_FULL', data: { hint: expect.any(String) as string } })
  expect(await machines.get(id)).toMatchObject({ state: 'running', crash: null })
  expect(await snapshots.tree(id)).toMatchObject({ snapshots: [], orphans: [], problems: [] })
  expect((await ownFiles(folder)).filter((file) => file.startsWith('snapshots/'))).toEqual([])
  await session.waitFor(/\.{20}$/u)
  await library.empty()
  const taken = await snapshots.take(id, request)
  expect(taken.memory?.sizeBytes).toBeGreaterThan(20 * mebibyte)
  await snapshots.revert(id, { snapshotId: taken.id, memory: true, keepPresent: null, start: true })
  expect((await machines.get(id)).state).toBe('running')
  stream.destroy()
})

test.runIf(canMount)('there is no room to merge layers: the deletion is done and says so, and their space is given back when there is', async () => {
  await using library = await SmallLibrary.make(256)
  const [id = ''] = await addMachines(library, [diskMachine('Data', [new Uint8Array(64 * mebibyte)])])
  await using open = await OpenLibrary.open(at.programs, library)
  const { machines, snapshots } = open.calls
  const { folder } = await machines.get(id)
  const files = new KnownFiles()
  const taken: string[] = []
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    const [disk] = (await machines.get(id)).definition.disks
    await qemuIo(join(folder, disk?.image.path ?? ''), [`write -q -P ${String(index + 1)} ${String(index * 8)}M 20M`])
    taken.push((await snapshots.take(id, { name, description: '', memory: false, quiesce: false })).id)
  }
  const [one = '', two = '', three = ''] = taken
  const contents = async (): Promise<unknown[]> =>
    Promise.all([one, three].map(async (snapshot) => files.contents(folder, (await readManifest(folder, snapshot)).definition)))
  const before = await contents()
  await library.fill(2 * mebibyte)
  await snapshots.delete(id, two, { children: false })
  expect(await contents()).toEqual(before)
  expect(await snapshots.tree(id)).toMatchObject({ orphans: [], problems: [] })
  const layers = (await readdir(join(folder, 'disks'))).length
  await library.empty()
  // The next deletion finds it too.
  await snapshots.delete(id, one, { children: false })
  expect((await readdir(join(folder, 'disks'))).length).toBe(layers - 2)
  expect(await files.contents(folder, (await readManifest(folder, three)).definition)).toEqual(before[1])
  expect(await files.faults(folder)).toEqual({})
})
