import { expect, test } from 'vitest'
import { MachineState } from '@shared/model'
import type { LinkState } from './console-link'
import { screenOverlay } from './console-overlay'

const connected: LinkState = { phase: 'connected' }
const facts = (state: MachineState, displayModel = 'virtio-vga') => ({ state, displayModel, template: false, task: null, crash: { at: '', reason: 'QEMU was killed.', process: null } })

test.each([
  ['stopped', { kind: 'off', action: 'start' }],
  ['saved', { kind: 'saved', action: 'start' }],
  ['crashed', { kind: 'crashed', action: 'start', text: 'QEMU was killed.' }],
  ['paused', { kind: 'paused', action: 'resume', seeThrough: true }],
  ['saving', { kind: 'saving', busy: true }],
] as const)('%s offers what helps', (state, expected) => {
  expect(screenOverlay(facts(state), connected)).toMatchObject(expected)
})

test.each(['starting', 'running', 'stopping'] as const)('a connected screen that is %s has nothing over it', (state) => {
  expect(screenOverlay(facts(state), connected)).toBeNull()
})

test('a lost connection is told with its reason and a way to retry, over the last picture', () => {
  expect(screenOverlay(facts('running'), { phase: 'waiting', attempt: 1, delayMs: 1, reason: 'Gone.' })).toMatchObject({ kind: 'lost', action: 'retry', seeThrough: true, text: expect.stringMatching(/^Gone\./u) as string })
})

test('a template, which is not started, leads to its clones', () => {
  for (const state of ['stopped', 'saved'] as const) expect(screenOverlay({ ...facts(state), template: true }, { phase: 'idle' })).toMatchObject({ kind: 'template', action: 'clone' })
})

test('a machine that is off and worked on offers no start', () => {
  expect(screenOverlay({ ...facts('stopped'), task: 'revert' }, { phase: 'idle' })).toMatchObject({ kind: 'busy', title: 'Reverting', action: null, busy: true })
  expect(screenOverlay({ ...facts('running'), task: 'snapshot' }, connected)).toBeNull()
})

test('a machine without a graphics card points to its serial console, but only while it runs', () => {
  expect(screenOverlay(facts('running', 'none'), { phase: 'idle' })).toMatchObject({ kind: 'noDisplay', action: 'serial' })
  expect(screenOverlay(facts('stopped', 'none'), { phase: 'idle' })).toMatchObject({ kind: 'off' })
})

test('every state has an answer', () => {
  for (const state of MachineState.options) expect(() => screenOverlay(facts(state), { phase: 'idle' })).not.toThrow()
})
