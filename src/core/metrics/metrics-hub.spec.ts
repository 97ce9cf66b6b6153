import { expect, test } from 'vitest'
import type { MetricsSample } from '@shared/model'
import { MetricsHistory, historyMs } from './metrics-history'
import { MetricsHub } from './metrics-hub'

function sample(at: number): MetricsSample {
  return {
    at, cpuFraction: null, hostCpuCores: null, guestMemoryUsedBytes: null, guestMemoryBytes: null, hostMemoryBytes: null, diskReadBytesPerSecond: null,
    diskWriteBytesPerSecond: null, networkReceiveBytesPerSecond: null, networkTransmitBytesPerSecond: null,
  }
}

test('a history is ten minutes long', () => {
  const history = new MetricsHistory()
  for (let second = 0; second <= 1000; second += 1) history.add(sample(second * 1000))
  const samples = history.samples()
  expect(samples.at(-1)?.at).toBe(1_000_000)
  expect(samples[0]?.at).toBe(1_000_000 - historyMs)
  expect(samples).toHaveLength(601)
})

test('a clock that was set back does not hide new readings behind old ones', () => {
  const history = new MetricsHistory()
  history.add(sample(10_000_000))
  history.add(sample(1000))
  history.add(sample(2000))
  expect(history.samples().map(({ at }) => at)).toEqual([1000, 2000])
})

test('a watcher has the history first, then each reading, and what is wanted follows the watchers', () => {
  const wanted: { metrics: boolean; thumbnails: boolean }[] = []
  const hub: MetricsHub = new MetricsHub(() => wanted.push(hub.wanted))
  hub.addSample('a', sample(1))
  hub.addSample('a', sample(2))
  const seen: [string, number[]][] = []
  const stop = hub.watchMetrics(({ id, samples }) => seen.push([id, samples.map(({ at }) => at)]))
  const stopOther = hub.watchMetrics(() => undefined)
  hub.addSample('b', sample(3))
  expect(seen).toEqual([['a', [1, 2]], ['b', [3]]])
  stop()
  stop()
  hub.addSample('b', sample(4))
  expect(seen).toHaveLength(2)
  expect(wanted).toEqual([{ metrics: true, thumbnails: false }])
  stopOther()
  expect(wanted.at(-1)).toEqual({ metrics: false, thumbnails: false })
})

test('a new watcher has the last screens, and none of machines that ended', () => {
  const hub = new MetricsHub(() => undefined)
  hub.setScreen('a', Buffer.from('png'))
  hub.setScreen('b', null)
  hub.setScreen('c', Buffer.from('gone'))
  hub.ended('c')
  const seen: unknown[] = []
  hub.watchThumbnails((event) => seen.push(event))
  hub.ended('a')
  expect(seen).toEqual([{ id: 'a', pngBase64: Buffer.from('png').toString('base64') }, { id: 'b', pngBase64: null }, { id: 'a', pngBase64: null }])
})
