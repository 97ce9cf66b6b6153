import { afterEach, expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import { Job } from '@shared/model'
import { createJobs } from './jobs'
import type { RunningJob } from './services'

const what = { kind: 'machine.create', title: 'Creating “a”', machineId: null, cancellable: true } as const
const machineId = '11111111-1111-4111-8111-111111111111'

afterEach(() => { vi.useRealTimers() })

/** Work that waits until it is told how to end. */
const held = (): { work: (reporter: RunningJob) => Promise<{ machineId: string }>; reporter: Promise<RunningJob>; succeed: () => void; fail: (error: Error) => void } => {
  const started = Promise.withResolvers<RunningJob>()
  const end = Promise.withResolvers<{ machineId: string }>()
  return {
    work: (reporter) => {
      started.resolve(reporter)
      reporter.signal.addEventListener('abort', () => { end.reject(reporter.signal.reason as Error) })
      return end.promise
    },
    reporter: started.promise,
    succeed: () => { end.resolve({ machineId }) },
    fail: end.reject,
  }
}

test('a job is listed while it runs and after it has ended, until it is dismissed', async () => {
  const jobs = createJobs()
  const { work, succeed } = held()
  const { id } = jobs.run(what, work)
  expect(jobs.list()).toMatchObject([{ id, state: 'running', progress: null, endedAt: null }])
  succeed()
  const ended = Job.parse(await jobs.ended(id))
  expect(ended).toMatchObject({ state: 'succeeded', progress: 1, machineId, error: null, cancellable: false })
  expect(jobs.list()).toEqual([ended])
  jobs.dismiss(id)
  expect(jobs.list()).toEqual([])
  await expect(jobs.ended(id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('work that throws at once, or no promise at all, fails like any other', async () => {
  const jobs = createJobs()
  const { id } = jobs.run(what, () => { throw new Error('at once') })
  expect(await jobs.ended(id)).toMatchObject({ state: 'failed', error: { code: 'INTERNAL', message: 'at once' } })
})

test('a failure rests in the job with its data, and names the machine that it left', async () => {
  const jobs = createJobs()
  const { id } = jobs.run(what, (reporter) => {
    reporter.belongsTo(machineId)
    return Promise.reject(new RingsideError('DISK_FULL', 'Full.', { path: '/library' }))
  })
  expect(await jobs.ended(id)).toMatchObject({ state: 'failed', machineId, error: { code: 'DISK_FULL', message: 'Full.', data: { path: '/library' } } })
})

test('what is to be known about the outcome is told once, and not after the end', async () => {
  const jobs = createJobs()
  const { work, reporter, succeed } = held()
  const { id } = jobs.run(what, work)
  const job = await reporter
  job.note('It is large.')
  job.note('It is large.')
  job.note('It is slow.')
  succeed()
  expect(await jobs.ended(id)).toMatchObject({ state: 'succeeded', notes: ['It is large.', 'It is slow.'] })
  job.note('Too late.')
  expect(jobs.list()).toMatchObject([{ notes: ['It is large.', 'It is slow.'] }])
})

test('progress is announced at most ten times a second, a new step at once, and the last word always', async () => {
  vi.useFakeTimers()
  const jobs = createJobs()
  const seen: (number | null)[] = []
  jobs.onChange((change) => { if (change.type === 'changed') seen.push(change.job.progress) })
  const { work, reporter: started, succeed } = held()
  const { id } = jobs.run(what, work)
  const reporter = await started
  reporter.report(0, 'Copying')
  for (let part = 1; part <= 90; part++) reporter.report(part / 100, 'Copying')
  expect(seen).toEqual([null, 0])
  await vi.advanceTimersByTimeAsync(100)
  expect(seen).toEqual([null, 0, 0.9])
  reporter.report(7, 'Copying')
  succeed()
  await jobs.ended(id)
  expect(seen.at(-1)).toBe(1)
  await vi.advanceTimersByTimeAsync(1000)
  expect(seen).toHaveLength(4)
})

test('reports of a job that has ended change nothing', async () => {
  const jobs = createJobs()
  const { work, reporter: started, succeed } = held()
  const { id } = jobs.run(what, work)
  const reporter = await started
  succeed()
  const ended = await jobs.ended(id)
  reporter.report(0.1, 'Still here')
  reporter.belongsTo('22222222-2222-4222-8222-222222222222')
  expect(jobs.list()).toEqual([ended])
})

test('cancelling aborts the work; only what ends because of it counts as cancelled', async () => {
  const jobs = createJobs()
  const { work, reporter } = held()
  const { id } = jobs.run(what, work)
  await reporter
  expect(jobs.cancel(id)).toMatchObject({ state: 'running', step: 'Cancelling' })
  expect(jobs.cancel(id)).toMatchObject({ step: 'Cancelling' })
  expect(await jobs.ended(id)).toMatchObject({ state: 'cancelled', error: null })

  const stubborn = held()
  const other = jobs.run(what, async (job) => {
    job.signal.addEventListener('abort', () => { stubborn.fail(new RingsideError('DISK_FULL', 'Full.')) })
    return stubborn.work(job)
  })
  await stubborn.reporter
  jobs.cancel(other.id)
  expect(await jobs.ended(other.id)).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } })
})

test('what cannot be cancelled or dismissed is refused in words', async () => {
  const jobs = createJobs()
  const { work, succeed } = held()
  const { id } = jobs.run({ ...what, cancellable: false }, work)
  expect(() => jobs.cancel(id)).toThrow('This job cannot be cancelled: Creating “a”.')
  expect(() => { jobs.dismiss(id) }).toThrow('still going on')
  succeed()
  await jobs.ended(id)
  expect(() => jobs.cancel(id)).toThrow('has ended already')
})

test('fifty ended jobs are remembered, running ones always', async () => {
  const jobs = createJobs()
  const { work, succeed } = held()
  const running = jobs.run(what, work)
  for (let count = 0; count < 60; count++) await jobs.ended(jobs.run(what, () => Promise.resolve()).id)
  expect(jobs.list()).toHaveLength(51)
  expect(jobs.list()[0]?.id).toBe(running.id)
  succeed()
  await jobs.ended(running.id)
})

test('closing cancels what can be cancelled and waits for the rest', async () => {
  const jobs = createJobs()
  const [quick, slow] = [held(), held()]
  const { id } = jobs.run(what, quick.work)
  const uncancellable = Promise.withResolvers<{ machineId: string }>()
  jobs.run({ ...what, cancellable: false }, () => uncancellable.promise)
  await quick.reporter
  let closed = false
  const closing = jobs.close().then(() => { closed = true })
  expect(await jobs.ended(id)).toMatchObject({ state: 'cancelled' })
  expect(closed).toBe(false)
  uncancellable.resolve({ machineId })
  await closing
  slow.succeed()
})
