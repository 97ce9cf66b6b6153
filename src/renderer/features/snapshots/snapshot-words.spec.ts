import type { Snapshot } from '@shared/model'
import { expect, test } from 'vitest'
import { aSnapshot } from '../../stores/spec-data'
import { badgesOf, factsOf, matchesSearch, namesOf, pauseWords, policyWords } from './snapshot-words'

const memory: Snapshot['memory'] = { format: 'stream', compression: 'zstd', qemuVersion: '7.2.22', accelerator: 'kvm', sizeBytes: 512 * 2 ** 20 }
const labels = (changes: Partial<Snapshot>): string[] => badgesOf(aSnapshot(1, null, changes)).map((badge) => badge.label)

test('marks tell memory, disks only, why it is there and what holds it', () => {
  expect(labels({})).toEqual([])
  expect(labels({ machineState: 'running', method: 'live', memory })).toEqual(['Memory'])
  expect(labels({ machineState: 'running' })).toEqual(['Disks only'])
  expect(labels({ kind: 'automatic' })).toEqual(['Automatic'])
  expect(labels({ kind: 'base', clones: [{ id: 'a', name: 'a' }, { id: 'b', name: 'b' }] })).toEqual(['Base', '2 clones'])
})

test('how memory was kept is told with what it takes to load it', () => {
  const fact = (changes: Partial<Snapshot>): unknown => factsOf(aSnapshot(1, null, changes))[0]
  expect(fact({ machineState: 'running', method: 'live', memory })).toEqual({ label: 'Memory', text: 'Kept while the guest went on', detail: '512 MiB · compressed · QEMU 7.2.22 · KVM' })
  expect(fact({ machineState: 'running', method: 'paused', memory })).toMatchObject({ text: 'Kept while the guest stood still' })
  expect(fact({ machineState: 'paused', method: 'paused', memory })).toMatchObject({ text: 'Kept of the paused guest' })
  expect(fact({ machineState: 'saved', method: 'paused', memory })).toMatchObject({ text: 'Kept as it was saved to disk' })
  expect(fact({ machineState: 'running' })).toMatchObject({ text: 'Not kept' })
  expect(fact({})).toMatchObject({ text: 'None: the machine was off' })
})

test('what concerns a guest that ran is told of such alone', () => {
  expect(factsOf(aSnapshot(1)).map((fact) => fact.label)).toEqual(['Memory', 'Kind'])
  expect(factsOf(aSnapshot(1, null, { machineState: 'running', method: 'live', memory })).map((fact) => fact.label)).toEqual(['Memory', 'Kind'])
  expect(factsOf(aSnapshot(1, null, { machineState: 'running', pauseMs: 4.26, quiesced: true })).map((fact) => fact.text)).toEqual(['Not kept', '4.3 ms', 'Held still by the guest’s agent', 'Taken by hand'])
})

test('pauses, names and plans in words', () => {
  expect([0.4, 9, 412.4, 1840].map(pauseWords)).toEqual(['0.4 ms', '9 ms', '412 ms', '1.8 s'])
  const named = ['a', 'b', 'c', 'd'].map((name) => ({ name }))
  expect([1, 2, 3, 4].map((count) => namesOf(named.slice(0, count)))).toEqual(['“a”', '“a” and “b”', '“a”, “b” and “c”', '“a”, “b” and 2 more'])
  expect(policyWords({ every: 'hour', keep: { hourly: 24, daily: 7, weekly: 0 }, memory: false })).toBe('every hour, keeps 24 hourly, 7 daily')
})

test('a search looks at name, description and marks', () => {
  const one = aSnapshot(1, null, { name: 'Before upgrade', description: 'kernel 6.1', kind: 'automatic' })
  expect(['', 'BEFORE', 'kernel before', 'auto'].map((typed) => matchesSearch(one, typed))).toEqual([true, true, true, true])
  expect(matchesSearch(one, 'before windows')).toBe(false)
})
