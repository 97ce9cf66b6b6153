import type { MetricsSample } from '@shared/model'
import { expect, test } from 'vitest'
import { agoLabel, columnsOf, isUnknown, niceBinaryTop, niceTop, timeStep, timeWindow } from './graph-data'

const sample = (at: number, change: Partial<MetricsSample> = {}): MetricsSample => ({
  at, cpuFraction: 0.5, hostCpuCores: 1, guestMemoryUsedBytes: null, guestMemoryBytes: null, hostMemoryBytes: 1, diskReadBytesPerSecond: 0, diskWriteBytesPerSecond: 0,
  networkReceiveBytesPerSecond: null, networkTransmitBytesPerSecond: null, ...change,
})
const cpu = { read: (each: MetricsSample) => each.cpuFraction }
const network = { read: (each: MetricsSample) => each.networkReceiveBytesPerSecond }

test('readings become columns, seconds first, and what is unknown stays null', () => {
  expect(columnsOf([sample(1000), sample(2000, { cpuFraction: null })], [cpu, network])).toEqual([[1, 2], [0.5, null], [null, null]])
})

test('a stretch without readings is a hole, not a slope', () => {
  const [times, values] = columnsOf([sample(1000), sample(9000)], [cpu])
  expect(times).toHaveLength(3)
  expect(values).toEqual([0.5, null, 0.5])
})

test('a figure is unknown when no reading has it, and idle is not unknown', () => {
  expect(isUnknown([sample(1), sample(2)], network)).toBe(true)
  expect(isUnknown([sample(1), sample(2, { networkReceiveBytesPerSecond: 0 })], network)).toBe(false)
  expect(isUnknown([], network)).toBe(false)
})

test('the window grows with what there is, from two minutes to ten', () => {
  const width = (ages: number[]): number => {
    const [from, to] = timeWindow(ages.map((at) => sample(at * 1000)), 0)
    return to - from
  }
  expect([width([0]), width([0, 300]), width([0, 6000])]).toEqual([120, 300, 600])
  expect([timeStep(120), timeStep(300), timeStep(600)]).toEqual([30, 60, 120])
  expect([agoLabel(30), agoLabel(120)]).toEqual(['−30 s', '−2 min'])
})

test('scales of memory end at a round binary figure', () => {
  expect([niceBinaryTop(0), niceBinaryTop(512), niceBinaryTop(50.4), niceBinaryTop(46), niceBinaryTop(5000)]).toEqual([1, 512, 64, 48, 6144])
})

test('scales end above the highest figure at a round one', () => {
  expect([niceTop(0, 10_000), niceTop(10_000, 1), niceTop(3_900_000, 1), niceTop(7_000_000, 1), niceTop(950_000, 1)]).toEqual([10_000, 20_000, 6_000_000, 8_000_000, 2_000_000])
})
