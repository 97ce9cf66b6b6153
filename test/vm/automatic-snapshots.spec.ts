import { expect, test } from 'vitest'
import { AutomaticSnapshots, automaticWork, type SnapshotService } from '@core/snapshot'
import type { Snapshot, SnapshotPolicy } from '@shared/model'
import { assembleCounterDisk } from './support/counter-guest'
import { LedgerConsole, ledgerMachine } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines } from './support/real-host'
import { checkImages, ledgerOf, readSnapshot } from './support/sound-machine'
import { useLibrary } from './support/test-library'

const at = useLibrary()

/** The snapshots themselves are taken now, and so within one hour, of which the newest stays. */
const hourly: SnapshotPolicy = { every: 'hour', keep: { hourly: 1, daily: 0, weekly: 0 }, memory: false }

/** The host's own schedule, by a clock that the test sets. */
class Hours {
  readonly schedule: AutomaticSnapshots
  readonly #begun = Date.now()
  #hours = 0

  constructor(private readonly host: OpenLibrary) {
    const { library: machines, jobs, snapshots, machines: supervisor } = host.services
    this.schedule = new AutomaticSnapshots({
      library: machines, machines: supervisor, jobs, work: automaticWork(snapshots as SnapshotService, { requireFor: () => Promise.resolve(null) }), now: () => new Date(this.#begun + this.#hours * 3_600_000),
    })
  }

  /** The look of the next hour. @returns the snapshots of a machine then */
  async next(id: string): Promise<Snapshot[]> {
    this.#hours += 1
    await this.schedule.look()
    return (await this.host.calls.snapshots.tree(id)).snapshots
  }
}

test('a guest that runs is kept hour by hour, and only when it has written something', async () => {
  const [id = ''] = await addMachines(at.library, [ledgerMachine('ledger')])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = host.calls
  const hours = new Hours(host)
  await snapshots.setPolicy(id, hourly)
  const { folder } = await machines.start(id)
  using console = await LedgerConsole.open(host, id)
  const before = await console.write(3)
  const [first, ...none] = await hours.next(id)
  expect(none).toEqual([])
  expect(first).toMatchObject({ kind: 'automatic', method: 'none', machineState: 'running', name: expect.stringMatching(/^Automatic \d{4}-\d\d-\d\d \d\d:\d\d$/u) as string })
  expect(ledgerOf(await readSnapshot(folder, first?.id ?? '')).number).toBeGreaterThanOrEqual(before)

  await console.write(3)
  await machines.pause(id)
  const second = await hours.next(id)
  // The one before it is of the same hour of the real clock, and not needed any more.
  expect(second).toHaveLength(1)
  expect(second[0]?.id).not.toBe(first?.id)
  // Nothing has been written since.
  expect(await hours.next(id)).toEqual(second)
  await machines.resume(id)
  const after = await console.write(3)
  const third = await hours.next(id)
  expect(third).toHaveLength(1)
  expect(third[0]?.id).not.toBe(second[0]?.id)
  expect(ledgerOf(await readSnapshot(folder, third[0]?.id ?? '')).number).toBeGreaterThanOrEqual(after)
  await console.verify()
  expect(hours.schedule.problems()).toEqual([])
  expect(host.services.jobs.list()).toEqual([])
  await machines.powerOff(id)
  expect(await checkImages(folder)).toEqual({})
})

test('a machine that is off is kept once, and again when it has run; what a person or a clone needs is not deleted', async () => {
  const [id = ''] = await addMachines(at.library, [ledgerMachine('ledger')])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots, clones } = host.calls
  const hours = new Hours(host)
  await snapshots.setPolicy(id, hourly)
  const run = async (): Promise<void> => {
    await machines.start(id)
    using console = await LedgerConsole.open(host, id)
    await console.write(3)
    await machines.powerOff(id)
  }
  const [first] = await hours.next(id)
  expect(await hours.next(id)).toMatchObject([{ id: first?.id }])
  await machines.rename(id, 'the ledger')
  expect(await hours.next(id)).toMatchObject([{ id: first?.id }])

  await snapshots.change(id, first?.id ?? '', { name: 'as delivered' })
  await run()
  const [, second] = await hours.next(id)
  expect(second?.kind).toBe('automatic')
  const clone = await clones.clone({ id, name: 'clone', snapshotId: null, kind: 'linked', warm: false })
  await run()
  await run()
  const left = await hours.next(id)
  expect(left.map(({ name }) => name)).toEqual(['as delivered', second?.name, expect.stringMatching(/^Automatic/u)])
  expect(left[1]?.clones).toMatchObject([{ id: clone }])
  await clones.detach(clone)
  await run()
  expect((await hours.next(id)).map(({ name, id: each }) => (each === second?.id ? 'second' : name))).toEqual(['as delivered', expect.stringMatching(/^Automatic/u)])
})

test('what fails is a problem of the library until it is mended, and keeps no other machine from its snapshots', async () => {
  const [raw = '', id = ''] = await addMachines(at.library, [{ name: 'a raw one', disk: assembleCounterDisk() }, ledgerMachine('ledger')])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { snapshots } = host.calls
  const hours = new Hours(host)
  await snapshots.setPolicy(raw, hourly)
  await snapshots.setPolicy(id, hourly)
  expect(await hours.next(id)).toHaveLength(1)
  const { folder } = await host.calls.machines.get(raw)
  expect(hours.schedule.problems()).toMatchObject([{
    folder, code: 'AUTOMATIC_SNAPSHOT_FAILED', message: expect.stringMatching(/“a raw one”.*raw/u) as string, hint: expect.stringContaining('Convert') as string,
  }])
  await snapshots.convertDisks(raw)
  expect(await hours.next(raw)).toHaveLength(1)
  expect(hours.schedule.problems()).toEqual([])
})
