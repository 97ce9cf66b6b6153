import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Connection, type Ways } from './connection'
import type { OpenLink } from './link'

/** A link whose loss the test decides. */
function fakeLink(): OpenLink & { lose: () => void } {
  let lose = (): void => undefined
  const closed = new Promise<void>((resolve) => { lose = resolve })
  return { link: { call: () => Promise.resolve('answer') }, closed, close: () => { lose() }, lose: () => { lose() } }
}
function fakeWays(changes: Partial<Ways> = {}): Ways {
  return {
    desktop: false, openPort: fakeLink, openSocket: () => Promise.resolve(fakeLink()), takeToken: () => null,
    openSession: () => Promise.resolve('ok'), checkSession: () => Promise.resolve('ok'), ...changes,
  }
}

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

test('a browser exchanges its token first and then opens the socket', async () => {
  const order: string[] = []
  const connection = new Connection(fakeWays({
    takeToken: () => 'secret',
    openSession: (token) => { order.push(`session ${token}`); return Promise.resolve('ok') },
    openSocket: () => { order.push('socket'); return Promise.resolve(fakeLink()) },
  }))
  connection.start()
  await connection.whenOpen()
  expect(order).toEqual(['session secret', 'socket'])
  expect(connection.state.value).toEqual({ type: 'open' })
  connection.stop()
})

test('a lost connection is an error at once, and is tried again until it stands', async () => {
  const links = [fakeLink(), fakeLink()]
  let refusals = 1
  const openSocket = vi.fn(() => {
    if (links.length === 1 && refusals-- > 0) return Promise.reject(new Error('away'))
    return Promise.resolve(links.shift() ?? fakeLink())
  })
  const connection = new Connection(fakeWays({ openSocket }))
  const first = links[0]
  connection.start()
  await connection.whenOpen()
  first?.lose()
  await vi.waitFor(() => { expect(connection.state.value.type).toBe('lost') })
  await expect(connection.link()).rejects.toMatchObject({ code: 'PROTOCOL' })
  const open = connection.whenOpen()
  await vi.advanceTimersByTimeAsync(5_000)
  await open
  expect(openSocket).toHaveBeenCalledTimes(3)
  expect(connection.state.value).toEqual({ type: 'open' })
  connection.stop()
})

test('the person can have it tried at once', async () => {
  const openSocket = vi.fn<Ways['openSocket']>().mockRejectedValue(new Error('away'))
  const connection = new Connection(fakeWays({ openSocket, checkSession: () => Promise.resolve('unreachable') }))
  connection.start()
  await vi.waitFor(() => { expect(connection.state.value.type).toBe('lost') })
  connection.retryNow()
  await vi.waitFor(() => { expect(openSocket).toHaveBeenCalledTimes(2) })
  connection.stop()
})

test('a link that is no good asks for another, and nothing is tried again', async () => {
  const openSocket = vi.fn<Ways['openSocket']>()
  const connection = new Connection(fakeWays({ takeToken: () => 'spent', openSession: () => Promise.resolve('refused'), checkSession: () => Promise.resolve('refused'), openSocket }))
  connection.start()
  await vi.waitFor(() => { expect(connection.state.value).toEqual({ type: 'refused' }) })
  expect(openSocket).not.toHaveBeenCalled()
})

test('another link signs in after the first was refused', async () => {
  const openSession = vi.fn<Ways['openSession']>((token) => Promise.resolve(token === 'fresh' ? 'ok' : 'refused'))
  const connection = new Connection(fakeWays({ takeToken: () => 'spent', openSession, checkSession: () => Promise.resolve('refused') }))
  connection.start()
  await vi.waitFor(() => { expect(connection.state.value.type).toBe('refused') })
  expect(await connection.signIn('spent')).toBe('refused')
  expect(connection.state.value.type).toBe('refused')
  expect(await connection.signIn('fresh')).toBe('ok')
  await connection.whenOpen()
  expect(connection.state.value.type).toBe('open')
  connection.stop()
})

test('an old link still opens where the cookie that it bought does', async () => {
  const connection = new Connection(fakeWays({ takeToken: () => 'spent', openSession: () => Promise.resolve('refused') }))
  connection.start()
  await connection.whenOpen()
  expect(connection.state.value.type).toBe('open')
  connection.stop()
})

test('another version of the contract ends the trying', async () => {
  const connection = new Connection(fakeWays())
  connection.start()
  await connection.whenOpen()
  connection.reportVersion(2, 1)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(connection.state.value).toEqual({ type: 'versionMismatch', host: 2, page: 1 })
})
