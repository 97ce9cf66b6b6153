import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Milliseconds until the two ends of a connection on loopback have to have found each other. */
const patienceMs = 5000

/**
 * A TCP socket of loopback that carries what comes over `stream`: for streams that cannot be handed to another process, as named pipes on
 * Windows. It has read nothing yet. Whoever else connects to the port meanwhile is turned away.
 */
export async function relayOverLoopback(stream: Duplex): Promise<Socket> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, noDelay: true })
  try {
    const far = await accepted(server, near)
    far.setNoDelay(true)
    carry(stream, near)
    return far
  } catch (error) {
    near.destroy()
    throw error
  } finally {
    server.close()
  }
}

/** The server's end of our own connection, told from others by its port. */
function accepted(server: ReturnType<typeof createServer>, near: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const waiting: Socket[] = []
    const timer = setTimeout(() => { reject(new Error('The connection on loopback did not come about.')) }, patienceMs)
    const look = (): void => {
      const port = near.localPort
      if (port === undefined || near.connecting) return
      for (const socket of waiting.splice(0)) {
        if (socket.remotePort === port) {
          clearTimeout(timer)
          resolve(socket)
        } else socket.destroy()
      }
    }
    server.on('connection', (socket) => {
      socket.on('error', () => undefined)
      waiting.push(socket)
      look()
    })
    near.once('connect', look)
    near.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
  })
}

/** Both ways, until either end closes; that closes the other. */
function carry(stream: Duplex, near: Socket): void {
  // Told by the pipelines.
  for (const end of [stream, near]) end.on('error', () => undefined)
  for (const [from, to] of [[stream, near], [near, stream]] as const) {
    pipeline(from, to).catch(() => {
      stream.destroy()
      near.destroy()
    })
  }
}
