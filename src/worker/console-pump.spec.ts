import { duplexPair } from 'node:stream'
import { MessageChannel } from 'node:worker_threads'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { highWaterBytes, type ByteChannel } from './byte-channel'
import { pumpConsole } from './console-pump'
import { acceptMessagePort } from './message-port-channel'
import { acceptWebSocket } from './web-socket-channel'

test('bytes go both ways through a message port, and either end closes the other', async () => {
  const { port1, port2 } = new MessageChannel()
  const [guest, host] = duplexPair()
  pumpConsole(host, acceptMessagePort(port1))
  const seen: string[] = []
  port2.on('message', (bytes: Uint8Array) => seen.push(Buffer.from(bytes).toString()))
  guest.write('to the viewer')
  await vi.waitFor(() => { expect(seen).toEqual(['to the viewer']) })
  port2.postMessage(new Uint8Array(Buffer.from('to the guest')))
  const [received] = (await once(guest, 'data')) as [Buffer]
  expect(received.toString()).toBe('to the guest')
  port2.close()
  await vi.waitFor(() => { expect(host.destroyed).toBe(true) })
})

test('a machine that ends closes the port', async () => {
  const { port1, port2 } = new MessageChannel()
  const [guest, host] = duplexPair()
  pumpConsole(host, acceptMessagePort(port1))
  guest.end()
  await once(port2, 'close')
})

test('a viewer that counts what it takes slows the stream down', async () => {
  const { port1, port2 } = new MessageChannel()
  const [guest, host] = duplexPair()
  const channel = acceptMessagePort(port1)
  pumpConsole(host, channel)
  let received = 0
  port2.on('message', (bytes: Uint8Array) => { received += bytes.length })
  // From its first number on, what it has not taken counts.
  port2.postMessage(0)
  guest.write('x')
  await vi.waitFor(() => { expect(channel.queuedBytes).toBe(1) })
  const sent = 1 + 4 * highWaterBytes
  for (let written = 1; written < sent; written += 65_536) guest.write(Buffer.alloc(65_536))
  await vi.waitFor(() => { expect(host.isPaused()).toBe(true) })
  expect(received).toBeLessThan(2 * highWaterBytes)
  let told = 0
  const taking = setInterval(() => {
    port2.postMessage(received - told)
    told = received
  }, 1)
  await vi.waitFor(() => { expect(received).toBe(sent) })
  clearInterval(taking)
  port2.close()
})

/** A handshake as the host leaves it to the worker: the socket, the headers, and what came behind them. */
async function openWebSocket(): Promise<{ client: WebSocket; channel: ByteChannel; close: () => void }> {
  const server = createServer()
  const accepted = new Promise<ByteChannel>((resolve, reject) => {
    server.on('upgrade', (request, socket, head) => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      acceptWebSocket(socket, headers, head).then(resolve, reject)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new WebSocket(`ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/`, ['binary'])
  await once(client, 'open')
  return { client, channel: await accepted, close: () => { server.close() } }
}

test('a WebSocket is answered in its protocol, and a viewer that does not read slows the stream down', async () => {
  const { client, channel, close } = await openWebSocket()
  expect(client.protocol).toBe('binary')
  const [guest, host] = duplexPair()
  pumpConsole(host, channel)
  client.send('typed')
  const [typed] = (await once(guest, 'data')) as [Buffer]
  expect(typed.toString()).toBe('typed')
  client.pause()
  // More than the sockets between hold.
  const sent = 32 * highWaterBytes
  let written = 0
  const write = (): void => {
    while (written < sent) {
      written += 65_536
      if (!guest.write(Buffer.alloc(65_536))) break
    }
  }
  guest.on('drain', write)
  write()
  await vi.waitFor(() => { expect(host.isPaused()).toBe(true) })
  expect(channel.queuedBytes).toBeLessThan(3 * highWaterBytes)
  let received = 0
  client.on('message', (bytes: Buffer) => { received += bytes.length })
  client.resume()
  await vi.waitFor(() => { expect(received).toBe(sent) }, 10_000)
  guest.end()
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  expect([code, reason.toString()]).toEqual([1001, 'The machine closed its console.'])
  close()
})

test('a handshake that is none is refused', async () => {
  await expect(acceptWebSocket(undefined, {}, new Uint8Array())).rejects.toThrow('without its socket')
  expect(() => acceptMessagePort(undefined)).toThrow('without its port')
})
