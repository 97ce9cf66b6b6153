import { afterEach, beforeEach, expect, test } from 'vitest'
import { RingsideError } from '@shared/errors'
import { fakeIds } from '../../test/fakes/fake-data'
import { createFakeHost, type FakeHost } from '../../test/fakes/fake-host'
import { watchForNotices, type Notice } from './notifications'

let host: FakeHost
let notices: Notice[]
let stop: () => void

beforeEach(() => {
  host = createFakeHost({ slowness: 0 })
  notices = []
  stop = watchForNotices(host, (notice) => notices.push(notice))
})
afterEach(async () => {
  stop()
  await host.close()
})

const work = { kind: 'machine.create', title: 'Creating “new”', machineId: null, cancellable: true } as const

test('work that is done and work that failed are told once', async () => {
  const done = host.jobs.run(work, () => Promise.resolve({ machineId: fakeIds.stopped }))
  const failed = host.jobs.run(work, () => Promise.reject(new RingsideError('DISK_FULL', 'The disk is full.')))
  await Promise.all([host.jobs.ended(done.id), host.jobs.ended(failed.id)])
  expect(notices).toEqual([
    { title: 'Done', body: 'Creating “new”', machineId: fakeIds.stopped },
    { title: 'Creating “new” failed', body: 'The disk is full.', machineId: null },
  ])
})

test('what fails by itself over and over is told once for each reason, until it works again', async () => {
  const snapshot = { kind: 'snapshot.take', title: 'Taking an automatic snapshot of “web-01”', machineId: fakeIds.running, cancellable: true, automatic: true } as const
  const full = (): Promise<void> => Promise.reject(new RingsideError('DISK_FULL', 'The disk is full.'))
  const denied = (): Promise<void> => Promise.reject(new RingsideError('FILE_UNREADABLE', 'Permission denied.'))
  for (const run of [full, full, denied, denied, () => Promise.resolve(), denied]) await host.jobs.ended(host.jobs.run(snapshot, run).id)
  expect(notices.map(({ body }) => body)).toEqual(['The disk is full.', 'Permission denied.', 'Permission denied.'])
})

test('work that a person cancelled is not told', async () => {
  const job = host.jobs.run(work, ({ signal }) => new Promise((_done, failed) => {
    if (signal.aborted) failed(signal.reason as Error)
    signal.addEventListener('abort', () => { failed(signal.reason as Error) })
  }))
  host.jobs.cancel(job.id)
  await host.jobs.ended(job.id)
  expect(notices).toEqual([])
})

test('a crash is told once, and again after the next one', () => {
  host.set(fakeIds.running, { state: 'crashed' })
  host.set(fakeIds.running, { notes: [] } as object)
  expect(notices).toEqual([{ title: '“web-01” crashed', body: 'Its virtual machine ended unexpectedly.', machineId: fakeIds.running }])
  host.set(fakeIds.running, { state: 'running' })
  host.set(fakeIds.running, { state: 'crashed' })
  expect(notices).toHaveLength(2)
})

test('a machine that had crashed before is no news', () => {
  host.set(fakeIds.crashed, { stateSince: '2026-11-21T00:00:00Z' })
  expect(notices).toEqual([])
})

test('nothing is listened to after the end', () => {
  stop()
  expect(host.listeners()).toMatchObject({ machines: 0 })
})
