import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { LaunchPlan } from '@core/engine/engine'
import { assembleSampleDisk, sampleMachineFacts } from '@core/bootcode'
import { loadCatalog } from '@core/catalog'
import { runtimeFolderFor } from '@core/library'
import type { OsEntry } from '@shared/model'
import { probeReport, probedQemu, TestMachine } from './support/engine-plan'
import { jobReporter, storageHost, type StorageHost } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

/* What the creation makes is what the engine and the QEMU under test take: probed, made and started for real. */

let folder: TemporaryFolder
let host: StorageHost

beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-made-')
  const report = await probeReport()
  const probe = { current: () => Promise.resolve(report), refresh: () => Promise.resolve(report), onChange: () => () => undefined }
  host = await storageHost(folder.path, { probe, sampleDisk: assembleSampleDisk })
})
afterAll(() => folder[Symbol.asyncDispose]())

async function planOf(id: string): Promise<LaunchPlan> {
  const { definition, paths } = host.library.get(id)
  return {
    definition,
    qemu: await probedQemu(),
    accelerator: 'tcg',
    machineFolder: paths.folder,
    runtimeFolder: runtimeFolderFor(folder.in('run'), id),
    baseFolders: [], baseFiles: [], restore: null,
  }
}

/** One entry for each different set of devices, so that none is left out and none is tried twice. */
function differentHardware(): [string, OsEntry][] {
  const sets = new Map<string, OsEntry>()
  for (const entry of loadCatalog().entries) {
    const { processors: _p, memoryMiB: _m, diskGiB: _d, ...devices } = entry.defaults
    const key = JSON.stringify(devices)
    if (!sets.has(key)) sets.set(key, entry)
  }
  return [...sets.values()].map((entry) => [entry.id, entry])
}

test.each(differentHardware())('a machine for %s starts with the devices that suit it', async (osId) => {
  const request = {
    name: `m ${osId}`,
    osId,
    source: { type: 'blank' as const },
    processors: 2,
    memoryMiB: 256,
    newDiskGiB: 1,
    network: 'user' as const,
    hardware: {},
  }
  expect((await host.maker.check(request)).filter((issue) => issue.severity === 'error')).toEqual([])
  const id = await host.maker.create(request, jobReporter())
  await using run = await TestMachine.start(await planOf(id))
  expect(run.machine.paused).toBe(false)
  await run.machine.powerOff()
  expect(run.ended).toMatchObject({ clean: true, failure: null })
  // No option that is deprecated, no property that is ignored: QEMU would say so here.
  expect(await readFile(host.library.get(id).paths.qemuLog, 'utf8')).toBe('')
})

test('the sample starts, greets, and counts its starts on its disk', async () => {
  const id = await host.maker.createSample(undefined, jobReporter())
  const { paths, definition } = host.library.get(id)
  expect(definition.name).toBe('Sample')
  for (const boot of [1, 2]) {
    await using run = await TestMachine.start(await planOf(id))
    await vi.waitFor(
      async () => {
        expect(await readFile(paths.serialLog(0), 'latin1')).toContain(sampleMachineFacts.serial.greeting(boot))
      },
      { timeout: 30_000 },
    )
    await run.machine.powerOff()
  }
  expect(await host.storage.inspect(join(paths.disksFolder, 'disk0.qcow2'))).toMatchObject({ format: 'qcow2', virtualBytes: sampleMachineFacts.diskBytes })
})
