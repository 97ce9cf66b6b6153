import { randomBytes } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dataPaths } from '@core/library'
import { ledger, original, request, writeSome } from './support/clone-machines'
import { LedgerConsole } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { HostProcess, addMachines } from './support/real-host'
import { checkImages } from './support/sound-machine'
import { qemuImg } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

const at = useLibrary()

test('a full clone of a machine that runs is of one instant; the machine runs on, and nothing of it stays behind', async () => {
  const [id = ''] = await addMachines(at.library, [original()])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  const { run } = await machines.start(id)
  using console = await LedgerConsole.open(host, id)
  const before = await console.write(5)
  const clone = await machines.get(await clones.clone(request(id, 'copy')))
  const after = await console.next()
  expect(await machines.get(id)).toMatchObject({ state: 'running', task: null, run: { qemuPid: run?.qemuPid } })
  const number = await ledger(clone)
  expect(number).toBeGreaterThanOrEqual(before)
  expect(number).toBeLessThan(after)
  expect(clone.definition.origin).toMatchObject({ kind: 'full', snapshotId: null })
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  await console.verify()
  expect(await writeSome(host, clone.id)).toBeGreaterThan(number)
})

test('linked clones of a machine that runs stand on a snapshot of it, and one that nothing was written since serves as well', async () => {
  const [id = ''] = await addMachines(at.library, [original()])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  await machines.start(id)
  using console = await LedgerConsole.open(host, id)
  const before = await console.write(5)
  const one = await machines.get(await clones.clone(request(id, 'one', { kind: 'linked' })))
  expect(await ledger(one)).toBeGreaterThanOrEqual(before)
  await machines.pause(id)
  // It has written since.
  const two = await machines.get(await clones.clone(request(id, 'two', { kind: 'linked' })))
  const three = await machines.get(await clones.clone(request(id, 'three', { kind: 'linked' })))
  expect((await snapshots.tree(id)).snapshots.map(({ name, clones: on }) => [name, on.map((clone) => clone.name)])).toEqual([['Base of one', ['one']], ['Base of two', ['three', 'two']]])
  expect(await ledger(two)).toBe(await ledger(three))
  await machines.resume(id)
  await console.verify()
  expect(await writeSome(host, two.id)).toBeGreaterThan(await ledger(three))
})

/** A file of so many MiB that no two blocks of are alike, so that copying it takes its time. */
async function bulk(path: string, mebibytes: number): Promise<void> {
  const file = await open(path, 'w')
  for (let index = 0; index < mebibytes; index += 1) await file.write(randomBytes(2 ** 20))
  await file.close()
}

async function addBulky(name: string, elsewhere: TemporaryFolder): Promise<string> {
  await bulk(elsewhere.in('bulk.raw'), 128)
  const [id = ''] = await addMachines(at.library, [{
    ...original(name),
    definition: { ...original().definition, disks: [...(original().definition?.disks ?? []), { id: 'bulk', image: { kind: 'own', path: 'disks/bulk.qcow2' }, format: 'qcow2', bus: 'sata' }] },
    async prepare(files) {
      await original().prepare?.(files)
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', elsewhere.in('bulk.raw'), join(files.disksFolder, 'bulk.qcow2'))
    },
  }])
  return id
}

test('progress is that of all disks, a cancel leaves nothing, and the machine’s plug can be pulled meanwhile', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const id = await addBulky('bulky', elsewhere)
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = host.calls
  const { clones, jobs } = host.services
  const folders = async (): Promise<string[]> => (await readdir(dataPaths(at.library.data).library)).sort()
  const before = await folders()
  await machines.start(id)

  const seen: number[] = []
  const cancelled = jobs.run({ kind: 'machine.clone', title: 'cancelled', machineId: null, cancellable: true }, async (job) => {
    await clones.clone(request(id, 'cancelled'), { ...job, report: (fraction, step) => {
      job.report(fraction, step)
      if (fraction !== null && step.includes('bulk')) seen.push(fraction)
      if (seen.length === 3) jobs.cancel(cancelled.id)
    } })
  })
  expect(await jobs.ended(cancelled.id)).toMatchObject({ state: 'cancelled' })
  expect(await folders()).toEqual(before)
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  // The ledger's two disks are small beside it.
  expect(seen[0]).toBeLessThan(0.2)

  const copying = Promise.withResolvers<undefined>()
  const cloning = jobs.run({ kind: 'machine.clone', title: 'copy', machineId: null, cancellable: true }, async (job) => ({
    machineId: await clones.clone(request(id, 'copy'), { ...job, report: (_, step) => { if (step.includes('bulk')) copying.resolve(undefined) } }),
  }))
  await copying.promise
  await expect(machines.pause(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('being cloned') as string })
  const off = await machines.powerOff(id)
  expect(off).toMatchObject({ state: 'stopped', task: 'clone', crash: null })
  const { machineId, state } = await jobs.ended(cloning.id)
  expect(state).toBe('succeeded')
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  expect(await writeSome(host, machineId ?? '')).toBeGreaterThan(0)
  expect(await writeSome(host, id)).toBeGreaterThan(0)
  expect(await checkImages(off.folder)).toEqual({})
})

test('kill -9 of the host in the middle of a clone leaves only what the next host clears away', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const id = await addBulky('bulky', elsewhere)
  const libraryFolder = dataPaths(at.library.data).library
  const first = await HostProcess.start(at.programs, at.library)
  await first.do('start', id)
  const cloning = first.calls.clones.clone(request(id, 'copy')).catch(() => undefined)
  const target = async (): Promise<string | undefined> => {
    for (const name of (await readdir(libraryFolder)).filter((one) => one.startsWith('.new-'))) {
      if ((await readdir(join(libraryFolder, name, 'disks')).catch((): string[] => [])).includes('bulk.qcow2')) return name
    }
    return undefined
  }
  await expect.poll(target, { interval: 10 }).toBeDefined()
  await first.kill()
  await cloning
  expect((await readdir(libraryFolder)).filter((name) => name.startsWith('.new-'))).toHaveLength(1)
  await using host = await OpenLibrary.open(at.programs, at.library)
  expect(await readdir(libraryFolder)).toHaveLength(1)
  // What was taken for it goes in the background.
  await expect.poll(async () => (await host.calls.snapshots.tree(id)).snapshots.length).toBe(0)
  using console = await LedgerConsole.open(host, id)
  await console.verify()
  expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running' })
  const clone = await host.calls.clones.clone(request(id, 'copy'))
  expect(await writeSome(host, clone)).toBeGreaterThan(0)
})
