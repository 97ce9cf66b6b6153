import { expect, test } from 'vitest'
import { aMachine } from '../stores/spec-data'
import { machineWords } from './machine-words'

const run = { startedAt: '', accelerator: 'tcg' as const, acceleratorNote: null, qemuPid: 1, workerPid: 1, qemuVersion: '7.2', notes: [], disposable: true }

test('a machine is told by its work, by what it is, by its run, else by its state', () => {
  expect(machineWords(aMachine(1, 'running'))).toBe('Running')
  expect(machineWords({ ...aMachine(1, 'running'), task: 'snapshot' })).toBe('Taking a snapshot')
  expect(machineWords(aMachine(1, 'stopped', { template: true }))).toBe('Template')
  expect(machineWords(aMachine(1, 'saved', { template: true }))).toBe('Warm template')
  expect(machineWords({ ...aMachine(1, 'running'), run })).toBe('Disposable run')
  expect(machineWords({ ...aMachine(1, 'paused'), run })).toBe('Paused, disposable')
})
