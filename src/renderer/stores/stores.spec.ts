import { contractVersion, type HostEvent, type MetricsEvent } from '@shared/contract'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope } from 'vue'
import { replaceClient, type Client } from '../transport/client'
import { connection } from '../transport/connection'
import { takeHostEvent } from './host-watch'
import { useHostStore } from './host.store'
import { useJobsStore } from './jobs.store'
import { useMachinesStore } from './machines.store'
import { historyMs, useMetrics, useMetricsStore } from './metrics.store'
import { aJob, aMachine, aSample } from './spec-data'
import { useThumbnailsStore } from './thumbnails.store'

let putBack = (): void => undefined
const load = vi.fn(() => Promise.resolve())

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useHostStore(), 'load').mockImplementation(load)
})
afterEach(() => {
  putBack()
  vi.restoreAllMocks()
})

function opened(changes: Partial<Extract<HostEvent, { type: 'opened' }>> = {}): HostEvent {
  return { type: 'opened', contractVersion, machines: [aMachine(1, 'running', { name: 'b10' }), aMachine(2, 'stopped', { name: 'B9' })], problems: [], jobs: [], ...changes }
}

test('what the host opens with replaces what was known', () => {
  const machines = useMachinesStore()
  machines.put(aMachine(9))
  expect(machines.loaded).toBe(false)
  takeHostEvent(opened())
  expect(machines.loaded).toBe(true)
  expect(machines.names).toEqual(['B9', 'b10'])
  expect(machines.live.map((each) => each.id)).toEqual([aMachine(1).id])
  expect(load).toHaveBeenCalled()
})

test('machines change and go with the events, and take their figures and pictures along', () => {
  takeHostEvent(opened())
  const { id } = aMachine(1)
  useMetricsStore().take({ id, samples: [aSample(1000)] })
  useThumbnailsStore().take({ id, pngBase64: 'AAAA' })
  takeHostEvent({ type: 'machineChanged', machine: aMachine(1, 'paused') })
  expect(useMachinesStore().get(id)?.state).toBe('paused')
  takeHostEvent({ type: 'machineRemoved', id })
  expect([useMachinesStore().get(id), useMetricsStore().get(id), useThumbnailsStore().get(id)]).toEqual([undefined, undefined, undefined])
})

test('a new run begins with empty graphs', () => {
  takeHostEvent(opened())
  const { id } = aMachine(2)
  useMetricsStore().take({ id, samples: [aSample(1000)] })
  takeHostEvent({ type: 'machineChanged', machine: aMachine(2, 'starting') })
  expect(useMetricsStore().get(id)).toBeUndefined()
})

test('a host of another contract version is not listened to', () => {
  const report = vi.spyOn(connection, 'reportVersion').mockImplementation(() => undefined)
  takeHostEvent(opened({ contractVersion: contractVersion + 1 }))
  expect(report).toHaveBeenCalledWith(contractVersion + 1, contractVersion)
  expect(useMachinesStore().loaded).toBe(false)
})

test('a job that ends is told once, and a late answer does not bring it back', async () => {
  const jobs = useJobsStore()
  const ends: string[] = []
  jobs.onEnd((job) => ends.push(job.state))
  jobs.put(aJob(1))
  const ended = jobs.ended(aJob(1).id)
  takeHostEvent({ type: 'jobChanged', job: aJob(1, { state: 'failed' }) })
  jobs.put(aJob(1))
  expect((await ended).state).toBe('failed')
  expect(ends).toEqual(['failed'])
  expect(jobs.failed).toHaveLength(1)
  expect((await jobs.ended(aJob(1).id)).state).toBe('failed')
})

test('a job that had ended before the window opened is no news', () => {
  const jobs = useJobsStore()
  const listener = vi.fn()
  jobs.onEnd(listener)
  jobs.replaceAll([aJob(1, { state: 'failed' }), aJob(2)])
  expect(listener).not.toHaveBeenCalled()
  expect(jobs.all.map((job) => job.title)).toEqual(['Creating 2', 'Creating 1'])
})

test('what this window asked for is its own until it is dismissed', () => {
  const jobs = useJobsStore()
  jobs.putOwn(aJob(1))
  jobs.put(aJob(2))
  expect([aJob(1), aJob(2)].map((job) => jobs.isOwn(job.id))).toEqual([true, false])
  jobs.remove(aJob(1).id)
  expect(jobs.isOwn(aJob(1).id)).toBe(false)
})

test('readings are kept for ten minutes and not twice', () => {
  const metrics = useMetricsStore()
  metrics.take({ id: 'a', samples: [aSample(0), aSample(1000)] })
  metrics.take({ id: 'a', samples: [aSample(1000), aSample(2000)] })
  expect(metrics.get('a')?.samples.map((sample) => sample.at)).toEqual([0, 1000, 2000])
  metrics.take({ id: 'a', samples: [aSample(historyMs + 1500)] })
  expect(metrics.get('a')?.samples.map((sample) => sample.at)).toEqual([2000, historyMs + 1500])
})

test('the host is asked for readings once, and let go with the last user', async () => {
  vi.spyOn(connection, 'whenOpen').mockResolvedValue()
  const signals: (AbortSignal | undefined)[] = []
  const watch = vi.fn((_input: undefined, options: { signal?: AbortSignal }) => {
    signals.push(options.signal)
    return Promise.resolve((async function* (): AsyncGenerator<MetricsEvent> {
      yield { id: 'a', samples: [aSample(1)] }
      await new Promise<void>((resolve) => { options.signal?.addEventListener('abort', () => { resolve() }) })
    })())
  })
  putBack = replaceClient({ metrics: { watch } } as unknown as Client)
  const first = effectScope()
  const second = effectScope()
  const metrics = first.run(() => useMetrics())
  second.run(() => useMetrics())
  await vi.waitFor(() => { expect(metrics?.latest('a')?.at).toBe(1) })
  expect(watch).toHaveBeenCalledTimes(1)
  first.stop()
  expect(signals[0]?.aborted).toBe(false)
  second.stop()
  expect(signals[0]?.aborted).toBe(true)
})

test('the last picture stays when the display goes off, marked as past', () => {
  const thumbnails = useThumbnailsStore()
  thumbnails.take({ id: 'a', pngBase64: null })
  expect(thumbnails.get('a')).toBeUndefined()
  thumbnails.take({ id: 'a', pngBase64: 'AAAA' })
  thumbnails.take({ id: 'a', pngBase64: null })
  expect(thumbnails.get('a')).toEqual({ url: 'data:image/png;base64,AAAA', live: false })
})
