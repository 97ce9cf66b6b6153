import { RingsideError } from '@shared/errors'
import { afterEach, expect, test, vi } from 'vitest'
import { replaceClient, type Client } from './client'
import { openConsole } from './console-stream'

class FakeSocket {
  static last: FakeSocket
  binaryType = ''
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string; wasClean: boolean }) => void) | null = null
  onerror: (() => void) | null = null
  sent: Uint8Array[] = []
  constructor(readonly url: string) { FakeSocket.last = this }
  send(data: Uint8Array): void { this.sent.push(data) }
  close(): void { this.onclose?.({ code: 1000, reason: '', wasClean: true }) }
}

let putBack = (): void => undefined
function withTicket(answer: () => Promise<{ ticket: string }>): void {
  putBack = replaceClient({ console: { open: answer } } as unknown as Client)
}
afterEach(() => {
  putBack()
  vi.unstubAllGlobals()
  delete window.ringside
})

test('has as its own what noVNC looks for in a channel', () => {
  withTicket(() => new Promise(() => undefined))
  const stream = openConsole('a', { type: 'graphics' })
  const names = [...Object.keys(stream), ...Object.getOwnPropertyNames(Object.getPrototypeOf(stream))]
  expect(names).toEqual(expect.arrayContaining(['send', 'close', 'binaryType', 'onerror', 'onmessage', 'onopen', 'protocol', 'readyState']))
  expect(stream.readyState).toBe(0)
})

test('in a browser the bytes go over a WebSocket with the ticket', async () => {
  vi.stubGlobal('WebSocket', FakeSocket)
  withTicket(() => Promise.resolve({ ticket: 't/1' }))
  const stream = openConsole('a', { type: 'serial', port: 0 })
  const opened = new Promise<void>((resolve) => { stream.onopen = () => { resolve() } })
  const received: number[][] = []
  stream.onmessage = (event) => { received.push([...new Uint8Array(event.data)]) }
  await vi.waitFor(() => { expect(FakeSocket.last.url).toMatch(/^ws:.*\/console\?ticket=t%2F1$/u) })
  FakeSocket.last.onopen?.()
  await opened
  expect(stream.readyState).toBe(1)
  FakeSocket.last.onmessage?.({ data: new Uint8Array([1, 2]).buffer })
  stream.send('hi')
  expect(received).toEqual([[1, 2]])
  expect([...(FakeSocket.last.sent[0] ?? [])]).toEqual([104, 105])
  const closed = vi.fn()
  stream.onclose = closed
  stream.close()
  expect(stream.readyState).toBe(3)
  expect(closed).toHaveBeenCalledTimes(1)
})

test('in the desktop shell the bytes go over a port of their own', async () => {
  withTicket(() => Promise.resolve({ ticket: 't' }))
  window.ringside = { platform: 'linux' } as NonNullable<typeof window.ringside>
  const posted: { message: unknown; port: MessagePort }[] = []
  vi.stubGlobal('postMessage', (message: unknown, _target: string, ports: MessagePort[]) => { if (ports[0]) posted.push({ message, port: ports[0] }) })
  const stream = openConsole('a', { type: 'graphics' })
  await new Promise<void>((resolve) => { stream.onopen = () => { resolve() } })
  expect(posted[0]?.message).toEqual({ ringsidePort: 'console', ticket: 't' })
  const taken: number[] = []
  const got = new Promise<Uint8Array>((resolve) => {
    if (!posted[0]) return
    posted[0].port.onmessage = (event: MessageEvent<Uint8Array | number>) => {
      if (typeof event.data === 'number') taken.push(event.data)
      else resolve(event.data)
    }
  })
  stream.send(new Uint8Array([7, 8]))
  expect([...(await got)]).toEqual([7, 8])
  const answer = new Promise<number[]>((resolve) => { stream.onmessage = (event) => { resolve([...new Uint8Array(event.data)]) } })
  posted[0]?.port.postMessage(new Uint8Array([9]))
  expect(await answer).toEqual([9])
  // How much the page has taken in is told, so that the worker can hold back.
  await vi.waitFor(() => { expect(taken).toEqual([0, 1]) })
  stream.close()
  expect(stream.readyState).toBe(3)
})

test('a refused ticket closes it and says why', async () => {
  withTicket(() => Promise.reject(new RingsideError('ILLEGAL_STATE', 'Cannot open the console of a machine that is stopped.')))
  const stream = openConsole('a', { type: 'graphics' })
  const event = await new Promise<CloseEvent>((resolve) => { stream.onclose = resolve })
  expect(event.wasClean).toBe(false)
  expect(stream.error).toMatchObject({ code: 'ILLEGAL_STATE' })
  expect(stream.readyState).toBe(3)
})
