import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import { MachineDefinition, type MachineView, machineSchemaVersion, type Snapshot, type SnapshotPolicy } from '@shared/model'
import { createJobs } from '../app/jobs'
import type { StoredMachine } from '../app/services'
import { machinePaths } from '../library'
import { AutomaticSnapshots, type AutomaticWork } from './schedule'

const hourly: SnapshotPolicy = { every: 'hour', keep: { hourly: 3, daily: 0, weekly: 0 }, memory: false }

/** Machines whose snapshots are only a list, and a clock that a test sets. */
class Fixture implements AutomaticWork {
  now = new Date('2026-11-25T10:15:00Z')
  readonly machines = new Map<string, { stored: StoredMachine; view: Pick<MachineView, 'state' | 'task' | 'run'>; snapshots: Snapshot[]; changed: boolean }>()
  readonly jobs = createJobs()
  readonly titles: string[] = []
  readonly asked: { memory: boolean }[] = []
  failTake: Error | null = null
  failDelete: Error | null = null
  locked = false
  looks = 0
  readonly schedule = new AutomaticSnapshots({
    library: { list: () => [...this.machines.values()].map(({ stored }) => stored) },
    machines: { get: (id) => ({ ...this.#machine(id).view, definition: this.#machine(id).stored.definition }) as MachineView },
    jobs: this.jobs, work: this, now: () => this.now, timeZone: 'UTC',
  })

  constructor() {
    this.jobs.onChange((change) => {
      if (change.type === 'changed' && change.job.state === 'running' && change.job.step === 'Starting') this.titles.push(change.job.title)
    })
  }

  #machine(id: string): NonNullable<ReturnType<typeof this.machines.get>> {
    const machine = this.machines.get(id)
    if (machine === undefined) throw new RingsideError('NOT_FOUND', 'There is no such machine.')
    return machine
  }

  add(name: string, snapshotPolicy: SnapshotPolicy | null, more: { template?: boolean } = {}): string {
    const id = `00000000-0000-4000-8000-${String(this.machines.size + 1).padStart(12, '0')}`
    const definition = MachineDefinition.parse({
      schemaVersion: machineSchemaVersion, createdBy: 'test', id, name, createdAt: '2026-01-01T00:00:00.000Z', osId: 'other', machineType: 'q35', firmware: { type: 'bios' },
      processors: { sockets: 1, cores: 1, threads: 1 }, memoryMiB: 16, boot: {}, display: { model: 'none' }, snapshotPolicy, ...more,
    })
    this.machines.set(id, { stored: { definition, paths: machinePaths(`/library/${name}`, '/run', id) }, view: { state: 'stopped', task: null, run: null }, snapshots: [], changed: true })
    return id
  }

  setPolicy(id: string, snapshotPolicy: SnapshotPolicy | null): void {
    const machine = this.#machine(id)
    machine.stored = { ...machine.stored, definition: { ...machine.stored.definition, snapshotPolicy } }
  }

  async at(time: string): Promise<void> {
    this.now = new Date(time)
    await this.schedule.look()
  }

  names(id: string): string[] {
    return this.#machine(id).snapshots.map(({ name }) => name.replace('Automatic 2026-11-25 ', ''))
  }

  snapshots(id: string): Promise<Snapshot[]> {
    this.looks += 1
    return Promise.resolve(this.#machine(id).snapshots)
  }

  hasChanged(id: string): Promise<boolean> {
    return Promise.resolve(this.#machine(id).changed)
  }

  requireKey(id: string): Promise<void> {
    return this.locked ? Promise.reject(new RingsideError('KEY_REQUIRED', 'Its passphrase is needed.', { machineId: id })) : Promise.resolve()
  }

  take(id: string, { name, memory }: { name: string; memory: boolean }): Promise<void> {
    if (this.failTake !== null) return Promise.reject(this.failTake)
    this.asked.push({ memory })
    this.#machine(id).snapshots.push({
      id: name, parentId: null, name, description: '', takenAt: this.now.toISOString(), kind: 'automatic', machineState: 'stopped', method: 'none', pauseMs: null, quiesced: false, notes: [],
      memory: null, sizeBytes: 0, hasScreen: false, clones: [],
    })
    return Promise.resolve()
  }

  delete(id: string, snapshotId: string): Promise<void> {
    if (this.failDelete !== null) return Promise.reject(this.failDelete)
    const machine = this.#machine(id)
    machine.snapshots = machine.snapshots.filter((snapshot) => snapshot.id !== snapshotId)
    return Promise.resolve()
  }
}

let at: Fixture

beforeEach(() => {
  at = new Fixture()
})

afterEach(async () => {
  await at.schedule.close()
  vi.useRealTimers()
})

describe('automatic snapshots', () => {
  test('are taken once in every hour, as jobs that leave nothing in the list', async () => {
    const id = at.add('web', hourly)
    await at.at('2026-11-25T10:15:00Z')
    await at.at('2026-11-25T10:16:00Z')
    await at.at('2026-11-25T10:59:59Z')
    await at.at('2026-11-25T11:00:00Z')
    expect(at.names(id)).toEqual(['10:15', '11:00'])
    expect(at.titles).toEqual(['Taking an automatic snapshot of “web”', 'Taking an automatic snapshot of “web”'])
    expect(at.jobs.list()).toEqual([])
    expect(at.schedule.problems()).toEqual([])
  })

  test('are none where nothing has changed, and what changes later waits for the next hour', async () => {
    const id = at.add('web', hourly)
    const machine = at.machines.get(id)
    if (machine === undefined) throw new Error('no machine')
    machine.changed = false
    await at.at('2026-11-25T10:15:00Z')
    machine.changed = true
    await at.at('2026-11-25T10:30:00Z')
    expect(at.names(id)).toEqual([])
    await at.at('2026-11-25T11:00:00Z')
    expect(at.names(id)).toEqual(['11:00'])
  })

  test('know what an earlier host has taken', async () => {
    const id = at.add('web', hourly)
    await at.take(id, { name: 'Automatic 2026-11-25 10:15', memory: false })
    await at.at('2026-11-25T10:45:00Z')
    expect(at.names(id)).toEqual(['10:15'])
    await at.at('2026-11-25T11:45:00Z')
    expect(at.names(id)).toEqual(['10:15', '11:45'])
  })

  test('are deleted as the policy says, after a new one', async () => {
    const id = at.add('web', hourly)
    for (const hour of ['10', '11', '12', '13', '14']) await at.at(`2026-11-25T${hour}:15:00Z`)
    expect(at.names(id)).toEqual(['12:15', '13:15', '14:15'])
    expect(at.titles.filter((title) => title.startsWith('Deleting'))).toEqual(['Deleting an old automatic snapshot of “web”', 'Deleting an old automatic snapshot of “web”'])
    // A tighter policy takes hold at once, and takes none again in the same hour.
    at.setPolicy(id, { ...hourly, keep: { hourly: 1, daily: 0, weekly: 0 } })
    await at.at('2026-11-25T14:16:00Z')
    expect(at.names(id)).toEqual(['14:15'])
    expect(at.titles.at(-1)).toBe('Deleting 2 old automatic snapshots of “web”')
  })

  test('have memory where the policy wants it', async () => {
    at.add('web', { ...hourly, memory: true })
    at.add('db', hourly)
    await at.at('2026-11-25T10:15:00Z')
    expect(at.asked).toEqual([{ memory: true }, { memory: false }])
  })

  test('are not taken of templates, nor of machines without a policy', async () => {
    const ids = [at.add('golden', hourly, { template: true }), at.add('web', null)]
    await at.at('2026-11-25T10:15:00Z')
    expect(ids.flatMap((id) => at.names(id))).toEqual([])
    expect(at.looks).toBe(0)
  })

  test.each([
    ['starts', { state: 'starting' }], ['is being cloned', { task: 'clone' }], ['runs disposably', { state: 'running', run: { disposable: true } }],
  ] as const)('wait while the machine %s', async (_, view) => {
    const id = at.add('web', hourly)
    const machine = at.machines.get(id)
    if (machine === undefined) throw new Error('no machine')
    const idle = machine.view
    machine.view = { ...idle, ...view } as typeof idle
    await at.at('2026-11-25T10:15:00Z')
    expect(at.names(id)).toEqual([])
    expect(at.schedule.problems()).toEqual([])
    machine.view = idle
    await at.at('2026-11-25T10:16:00Z')
    expect(at.names(id)).toEqual(['10:16'])
  })

  test('look at a machine once an hour, and not every minute', async () => {
    at.add('web', hourly)
    await at.at('2026-11-25T10:15:00Z')
    const { looks } = at
    for (let minute = 16; minute < 60; minute += 1) await at.at(`2026-11-25T10:${String(minute)}:00Z`)
    expect(at.looks).toBe(looks)
  })
})

describe('what fails', () => {
  const full = new RingsideError('DISK_FULL', 'The drive is full.', { hint: 'Free some space.' })

  test('is told once, tried again after ever longer pauses, and forgotten when it works', async () => {
    const told = vi.fn()
    at.schedule.onProblems(told)
    const id = at.add('web', hourly)
    at.add('db', hourly)
    at.failTake = full
    const tries = (): number => at.titles.filter((title) => title.includes('“web”')).length
    for (let minute = 0; minute < 60; minute += 1) await at.at(`2026-11-25T10:${String(minute).padStart(2, '0')}:00Z`)
    // At once, after 5 minutes, after 30 more.
    expect(tries()).toBe(3)
    expect(at.schedule.problems()).toEqual([
      { folder: '/library/web', path: '/library/web', code: 'AUTOMATIC_SNAPSHOT_FAILED', message: 'No automatic snapshot could be taken of “web”. The drive is full.', hint: 'Free some space.' },
      expect.objectContaining({ folder: '/library/db' }),
    ])
    expect(told).toHaveBeenCalledTimes(2)
    expect(at.jobs.list()).toEqual([])
    at.failTake = null
    await at.at('2026-11-25T11:40:00Z')
    expect(at.names(id)).toEqual(['11:40'])
    expect(at.schedule.problems()).toEqual([])
    expect(told).toHaveBeenCalledTimes(4)
  })

  test('a machine that is locked is skipped, without a job, and its snapshot is taken when it was unlocked', async () => {
    const told = vi.fn()
    at.schedule.onProblems(told)
    const id = at.add('vault', hourly)
    at.locked = true
    for (const minute of ['15', '16', '17']) await at.at(`2026-11-25T10:${minute}:00Z`)
    expect(at.titles).toEqual([])
    expect(at.schedule.problems()).toEqual([expect.objectContaining({ code: 'AUTOMATIC_SNAPSHOT_SKIPPED', machineId: id, message: expect.stringMatching(/“vault” was skipped.*locked/u) as string })])
    expect(told).toHaveBeenCalledTimes(1)
    at.locked = false
    await at.at('2026-11-25T10:18:00Z')
    expect(at.names(id)).toEqual(['10:18'])
    expect(at.schedule.problems()).toEqual([])
  })

  test('also when it is the deleting', async () => {
    const id = at.add('web', { ...hourly, keep: { hourly: 1, daily: 0, weekly: 0 } })
    await at.at('2026-11-25T10:15:00Z')
    at.failDelete = new RingsideError('FILE_UNREADABLE', 'Permission denied.')
    await at.at('2026-11-25T11:15:00Z')
    expect(at.names(id)).toEqual(['10:15', '11:15'])
    expect(at.schedule.problems()).toMatchObject([{ message: expect.stringContaining('Permission denied.') as string }])
    at.failDelete = null
    await at.at('2026-11-25T11:20:00Z')
    expect(at.names(id)).toEqual(['11:15'])
    expect(at.schedule.problems()).toEqual([])
  })

  test('is no problem any more when the policy is gone or another one', async () => {
    const id = at.add('web', hourly)
    at.failTake = full
    await at.at('2026-11-25T10:15:00Z')
    at.setPolicy(id, { ...hourly, memory: true })
    at.failTake = null
    await at.at('2026-11-25T10:16:00Z')
    expect(at.names(id)).toEqual(['10:16'])
    at.failTake = full
    await at.at('2026-11-25T11:16:00Z')
    expect(at.schedule.problems()).toHaveLength(1)
    at.setPolicy(id, null)
    await at.at('2026-11-25T11:17:00Z')
    expect(at.schedule.problems()).toEqual([])
  })

  test('is none when something else was quicker, when somebody cancels, or when the machine is gone', async () => {
    const id = at.add('web', hourly)
    at.failTake = new RingsideError('ILLEGAL_STATE', 'It is being saved.')
    await at.at('2026-11-25T10:15:00Z')
    expect(at.schedule.problems()).toEqual([])
    at.failTake = null
    await at.at('2026-11-25T10:16:00Z')
    expect(at.names(id)).toEqual(['10:16'])

    const stop = at.jobs.onChange((change) => {
      if (change.type === 'changed' && change.job.step === 'Starting') at.jobs.cancel(change.job.id)
    })
    at.failTake = new RingsideError('CANCELLED', 'Cancelled.')
    await at.at('2026-11-25T11:15:00Z')
    stop()
    at.failTake = null
    // Who did not want it is not asked again in the same hour.
    await at.at('2026-11-25T11:16:00Z')
    expect(at.names(id)).toEqual(['10:16'])
    expect(at.schedule.problems()).toEqual([])

    at.failTake = new RingsideError('NOT_FOUND', 'There is no such machine.')
    await at.at('2026-11-25T12:15:00Z')
    expect(at.schedule.problems()).toEqual([])
  })
})

describe('the clock', () => {
  test('looks every minute, and not any more once it is closed', async () => {
    vi.useFakeTimers()
    const look = vi.spyOn(at.schedule, 'look')
    at.schedule.start()
    await vi.advanceTimersByTimeAsync(59_999)
    expect(look).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(look).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(120_000)
    expect(look).toHaveBeenCalledTimes(3)
    await at.schedule.close()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(look).toHaveBeenCalledTimes(3)
  })

  test('begins nothing more while the host closes, and is waited for', async () => {
    const first = at.add('first', hourly)
    const second = at.add('second', hourly)
    const taking = Promise.withResolvers<undefined>()
    const begun = Promise.withResolvers<undefined>()
    const take = at.take.bind(at)
    at.take = async (id, request) => {
      begun.resolve(undefined)
      await taking.promise
      await take(id, request)
    }
    const looking = at.schedule.look()
    await begun.promise
    const closing = at.schedule.close()
    taking.resolve(undefined)
    await Promise.all([looking, closing])
    expect(at.names(first)).toEqual(['10:15'])
    expect(at.names(second)).toEqual([])
  })
})
