import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { relayOverLoopback } from './loopback-relay'

/** A viewer, and the socket at the host that its bytes come out of. */
async function connected(): Promise<{ viewer: Socket; atHost: Socket }> {
  // Half-open, as the sockets of Node's HTTP server are.
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const viewer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
  const [atHost] = (await once(server, 'connection')) as [Socket]
  server.close()
  return { viewer, atHost }
}

async function take(from: Socket, bytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let got = 0; got < bytes; got += pieces.at(-1)?.length ?? 0) pieces.push(((await once(from.resume(), 'data')) as [Buffer])[0])
  from.pause()
  return Buffer.concat(pieces)
}

test('megabytes arrive whole in both directions', async () => {
  const { viewer, atHost } = await connected()
  const carrier = await relayOverLoopback(atHost)
  for (const [from, to] of [[viewer, carrier], [carrier, viewer]] as const) {
    const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index * 7))
    from.write(sent)
    expect((await take(to, sent.length)).equals(sent)).toBe(true)
  }
  viewer.destroy()
  await once(carrier.resume(), 'close')
})

test.each(['viewer', 'carrier'] as const)('the %s that goes away takes the other end with it', async (who) => {
  const { viewer, atHost } = await connected()
  const carrier = await relayOverLoopback(atHost)
  const [goes, stays] = who === 'viewer' ? [viewer, carrier] : [carrier, viewer]
  stays.resume()
  const closed = [stays, atHost].map((socket) => new Promise((resolve) => { socket.once('close', resolve) }))
  goes.destroy()
  await Promise.all(closed)
})
