import { expect, test } from 'vitest'
import { nextLink, retryDelayMs, type LinkEvent, type LinkState } from './console-link'

function run(events: LinkEvent[], from: LinkState = { phase: 'idle' }): { state: LinkState; effects: string[] } {
  const effects: string[] = []
  let state = from
  for (const event of events) {
    const step = nextLink(state, event)
    state = step.state
    if (step.effect) effects.push(step.effect.type === 'wait' ? `wait ${String(step.effect.ms)}` : step.effect.type)
  }
  return { state, effects }
}
const closed: LinkEvent = { type: 'closed', reason: 'Gone.' }

test('opens once when wanted, closes once when unwanted', () => {
  expect(run([{ type: 'wanted' }, { type: 'wanted' }, { type: 'opened' }, { type: 'unwanted' }, { type: 'unwanted' }])).toEqual({ state: { phase: 'idle' }, effects: ['open', 'close'] })
})

test('tries again by itself, each time later, and starts afresh after a success', () => {
  const { state, effects } = run([{ type: 'wanted' }, closed, { type: 'waited' }, closed, { type: 'waited' }, { type: 'opened' }, closed])
  expect(effects).toEqual(['open', 'wait 250', 'open', 'wait 500', 'open', 'wait 250'])
  expect(state).toEqual({ phase: 'waiting', attempt: 1, delayMs: 250, reason: 'Gone.' })
})

test('waits never longer than five seconds', () => {
  expect(retryDelayMs(40)).toBe(5000)
})

test('a person can retry at once, and only while it waits', () => {
  expect(run([{ type: 'wanted' }, closed, { type: 'retry' }, { type: 'retry' }])).toEqual({ state: { phase: 'connecting', attempt: 1 }, effects: ['open', 'wait 250', 'open'] })
})

test('late news of a closed console changes nothing', () => {
  const late: LinkEvent[] = [{ type: 'wanted' }, { type: 'unwanted' }, { type: 'opened' }, closed, { type: 'waited' }, { type: 'retry' }]
  expect(run(late)).toEqual({ state: { phase: 'idle' }, effects: ['open', 'close'] })
})
