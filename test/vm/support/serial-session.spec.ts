import { PassThrough, type Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { SerialSession } from './serial-session'

/** A guest that the test speaks for: what it writes arrives in the session. */
function guest(): PassThrough {
  return new PassThrough()
}

function session(stream: Duplex): SerialSession {
  return new SerialSession(stream)
}

test('a wait ends at its match, and the next one begins after it', async () => {
  const stream = guest()
  using serial = session(stream)
  stream.write('login: \r\npassword: ')
  expect(await serial.waitFor('login:')).toBe('login:')
  expect(await serial.waitFor(/pass(\w+)/)).toBe(' \r\npassword')
  expect(serial.transcript).toBe('login: \r\npassword: ')
})

test('a match may arrive in pieces', async () => {
  const stream = guest()
  using serial = session(stream)
  const waiting = serial.waitFor(/tick \d+ boot \d+\r\n/)
  for (const piece of ['ti', 'ck 1', '2 boot', ' 3\r', '\n']) stream.write(piece)
  expect(await waiting).toBe('tick 12 boot 3\r\n')
})

test('what does not come within the time is told with the last lines', async () => {
  const stream = guest()
  using serial = session(stream)
  stream.write('Kernel panic\r\n')
  await expect(serial.waitFor('login:', 20)).rejects.toThrow(/did not print login: within 20 ms[\s\S]*Kernel panic/)
})

test('a port that closes ends the wait, and every later one that finds no match', async () => {
  const stream = guest()
  using serial = session(stream)
  const waiting = serial.waitFor('never')
  stream.write('last words')
  stream.destroy()
  await expect(waiting).rejects.toThrow(/closed[\s\S]*last words/)
  await expect(serial.waitFor('never')).rejects.toThrow(/closed/)
})

test('a session that is closed listens no more', () => {
  const stream = guest()
  const serial = session(stream)
  serial[Symbol.dispose]()
  expect(['data', 'error'].map((event) => stream.listenerCount(event))).toEqual([0, 0])
})
