import { once } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ConsoleTransfer } from '@core/app/services'
import { openLocalSocket } from '@server/local-client'
import { fakeIds } from '../fakes/fake-data'
import { createFakeHost, type FakeHost } from '../fakes/fake-host'
import { listenLocally, type LocalHost } from './cli-harness'

let host: FakeHost
let local: LocalHost
/** The worker's end, as a utility process of Electron gets it. */
let worker: MessagePort
let received: unknown[]

beforeEach(async () => {
  host = createFakeHost({ slowness: 0 })
  received = []
  host.machines.attachConsole = (_id, _channel, transfer: ConsoleTransfer) => {
    if (transfer.kind !== 'messagePort') throw new Error('a port was expected')
    worker = transfer.port as MessagePort
    worker.on('message', (message) => received.push(message))
  }
  local = await listenLocally(host, {
    openChannel: () => {
      const { port1, port2 } = new MessageChannel()
      return { here: port1, there: port2 }
    },
  })
})
afterEach(async () => {
  worker.close()
  await local.close()
  await host.close()
})

const open = async (): Promise<ReturnType<typeof openLocalSocket>> => {
  const ticket = host.consoleTickets.issue({ machineId: fakeIds.running, channel: { type: 'graphics' } })
  const socket = openLocalSocket(local.address, `/console?ticket=${ticket}`)
  await once(socket, 'open')
  return socket
}
const bytes = (): Buffer => Buffer.concat(received.filter((message) => message instanceof Uint8Array))

test('bytes go both ways, and the worker is told how many were taken', async () => {
  const socket = await open()
  let seen = 0
  socket.on('message', (data: Buffer) => { seen += data.length })
  socket.send(Buffer.from('keys'))
  await vi.waitFor(() => { expect(bytes().toString()).toBe('keys') })
  for (let part = 0; part < 50; part++) worker.postMessage(new Uint8Array(100_000).fill(part))
  await vi.waitFor(() => { expect(seen).toBe(5_000_000) })
  await vi.waitFor(() => { expect(received.filter((message) => typeof message === 'number').reduce((sum, taken) => sum + taken, 0)).toBe(5_000_000) })
  socket.terminate()
})

test('a viewer that does not read is not told as taken', async () => {
  const socket = await open()
  socket.pause()
  for (let part = 0; part < 400; part++) worker.postMessage(new Uint8Array(100_000))
  // One round trip more than the bytes need to reach the host.
  await vi.waitFor(() => { expect(received).toContain(0) })
  socket.send('x')
  await vi.waitFor(() => { expect(bytes().toString()).toBe('x') })
  expect(received.filter((message) => typeof message === 'number').reduce((sum, taken) => sum + taken, 0)).toBeLessThan(40_000_000)
  socket.terminate()
})

test('either end closes the other', async () => {
  const socket = await open()
  const closed = once(worker, 'close')
  socket.close()
  await closed
  const second = await open()
  const gone = once(second, 'close')
  worker.close()
  expect((await gone)[0]).toBe(1000)
})
