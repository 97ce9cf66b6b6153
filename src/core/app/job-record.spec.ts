import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Job, JobKind } from '@shared/model'
import { JobRecord } from './job-record'
import { createJobs } from './jobs'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-jobs-'))
  path = join(folder, 'cache', 'jobs.json')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** What the next host tells of, once it has written what it writes as it opens. */
async function listOfNext(): Promise<Job[]> {
  const record = await JobRecord.open(path)
  const jobs = createJobs(record).list()
  await record.settled()
  return jobs
}

const what = { kind: 'disk.convert', title: 'Converting a.qcow2 to raw', machineId: null, cancellable: true } as const

test('what a host was killed at is told by every later one until it is dismissed, and what ended is not', async () => {
  const record = await JobRecord.open(path)
  const jobs = createJobs(record)
  await jobs.ended(jobs.run(what, () => Promise.resolve()).id)
  const { id } = jobs.run(what, () => new Promise(() => undefined))
  await record.settled()

  for (let host = 0; host < 2; host += 1) {
    const later = createJobs(await JobRecord.open(path))
    expect(later.list()).toMatchObject([{ id, state: 'failed', cancellable: false, error: { code: 'WORKER_DIED', message: 'Ringside was ended before this was done: Converting a.qcow2 to raw.' } }])
    await later.close()
  }
  const last = createJobs(await JobRecord.open(path))
  last.dismiss(id)
  await last.close()
  expect(await listOfNext()).toEqual([])
})

test('a record that is damaged keeps nobody from working', async () => {
  await rm(path, { force: true })
  await writeFile(join(folder, 'jobs.json'), '{"jobs":[{}]}')
  const jobs = createJobs(await JobRecord.open(join(folder, 'jobs.json')))
  expect(jobs.list()).toEqual([])
  expect(await jobs.ended(jobs.run(what, () => Promise.resolve()).id)).toMatchObject({ state: 'succeeded' })
  await jobs.close()
})

test.each(JobKind.options)('of %s it is said what became of it', async (kind) => {
  const record = await JobRecord.open(path)
  createJobs(record).run({ ...what, kind }, () => new Promise(() => undefined))
  await record.settled()
  expect((await listOfNext())[0]?.error?.data.hint).toMatch(/\.$/u)
})
