import { expect, test } from 'vitest'
import { MachineDefinition } from '@shared/model'
import { desktop } from '../argv/argv.fixture'
import { ioErrorNote } from './io-error'

const definition = MachineDefinition.parse(desktop)
const failed = { device: '', operation: 'write' as const, action: 'stop' as const, reason: 'Input/output error' }

test.each([
  ['disk0', 'its disk “disk0” (Input/output error)'],
  ['disk0.0a1b2c3d', 'its disk “disk0” (Input/output error)'],
  ['disk0.0a1b2c3d.file', 'its disk “disk0” (Input/output error)'],
  ['sys-nvram.0a1b2c3d', 'its UEFI variables (Input/output error)'],
  ['something', 'its disk “something” (Input/output error)'],
])('an error on node %s is told of what a person knows', (node, words) => {
  expect(ioErrorNote(definition, { ...failed, 'node-name': node })).toContain(words)
})

test('a full disk is the computer’s', () => {
  expect(ioErrorNote(definition, { ...failed, 'node-name': 'disk0', nospace: true })).toContain('the computer’s disk is full')
})
