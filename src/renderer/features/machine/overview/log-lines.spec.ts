import { expect, test } from 'vitest'
import { readLog } from './log-lines'

test('events are read as sentences, with their time', () => {
  const at = '2026-11-21T10:28:14.507Z'
  const time = new Date(at).toLocaleTimeString(undefined, { hour12: false })
  const lines = readLog([
    JSON.stringify({ at, event: 'state', from: 'starting', to: 'running' }),
    JSON.stringify({ at, event: 'guest.paused', type: 'paused', why: 'asked' }),
    JSON.stringify({ at, event: 'worker.holds', workerPid: 7, qemuPid: null }),
    JSON.stringify({ at, event: 'worker.adoptionFailed', restored: false }),
    '',
  ].join('\n'))
  expect(lines.map((line) => [line.time, line.text])).toEqual([[time, 'state starting → running'], [time, 'guest paused why asked'], [time, 'worker holds pid 7'], [time, 'worker adoption failed']])
})

test('what is no event stays as it is', () => {
  expect(readLog('qemu: warning\n{"half":\n{"x":1}').map((line) => line.text)).toEqual(['qemu: warning', '{"half":', '{"x":1}'])
  expect(readLog('')).toEqual([])
})
