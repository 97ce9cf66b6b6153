import { expect, test } from 'vitest'
import { subscription } from './subscription'

interface Source {
  listeners: Set<(event: string) => void>
  attach: (push: (event: string) => void) => () => void
  emit(event: string): void
}

const createSource = (): Source => {
  const listeners = new Set<(event: string) => void>()
  return {
    listeners,
    attach: (push) => {
      listeners.add(push)
      return () => void listeners.delete(push)
    },
    emit: (event) => { for (const listener of listeners) listener(event) },
  }
}

test('events come in order, those before the first read not at all', async () => {
  const source = createSource()
  const events = subscription(source.attach, { signal: undefined })
  source.emit('lost')
  const first = events.next()
  source.emit('a')
  source.emit('b')
  expect(await first).toEqual({ done: false, value: 'a' })
  expect(await events.next()).toEqual({ done: false, value: 'b' })
  await events.return()
  expect(source.listeners.size).toBe(0)
})

test('an aborted signal ends it, whether it waits, holds events or was aborted before', async () => {
  const source = createSource()
  const abort = new AbortController()
  const waiting = subscription(source.attach, { signal: abort.signal })
  const holding = subscription(source.attach, { signal: abort.signal })
  const [next, held] = [waiting.next(), holding.next()]
  source.emit('a')
  await Promise.all([next, held])
  const pending = waiting.next()
  source.emit('b')
  await pending
  const last = waiting.next()
  abort.abort()
  expect(await last).toEqual({ done: true, value: undefined })
  expect(await holding.next()).toMatchObject({ done: true })
  expect(await subscription(source.attach, { signal: abort.signal }).next()).toMatchObject({ done: true })
  expect(source.listeners.size).toBe(0)
})

test('a source that throws when it is attached is an error of the first read', async () => {
  const events = subscription(() => { throw new Error('no') }, { signal: undefined })
  await expect(events.next()).rejects.toThrow('no')
})

test('merging keeps what waits small', async () => {
  const source = createSource()
  const events = subscription<string>(source.attach, {
    signal: undefined,
    merge: (waiting, event) => {
      if (waiting.length === 0) return false
      waiting[0] = event
      return true
    },
  })
  const first = events.next()
  source.emit('first')
  await first
  for (let count = 0; count < 10_000; count++) source.emit(String(count))
  expect(await events.next()).toEqual({ done: false, value: '9999' })
  await events.return()
})

test('a client that does not read is let go of instead of filling the memory', async () => {
  const source = createSource()
  const events = subscription(source.attach, { signal: undefined })
  const first = events.next()
  for (let count = 0; count < 5000; count++) source.emit(String(count))
  await first
  expect(await events.next()).toMatchObject({ done: true })
  expect(source.listeners.size).toBe(0)
})
