import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** The host's end of what a guest sends and receives: a server for one connection at a time, on the address that the guest's gateway stands for. */
export class Traffic {
  /** Bytes a second from the first one until the guest has read all and hung up. */
  async toGuest(bytes: number, connect: (port: number) => Promise<unknown>): Promise<number> {
    return this.#serve(connect, async (socket) => {
      const began = performance.now()
      const piece = Buffer.alloc(2 ** 16)
      for (let sent = 0; sent < bytes; sent += piece.length) if (!socket.write(piece)) await once(socket, 'drain')
      socket.end()
      socket.resume()
      await once(socket, 'close')
      return (bytes / (performance.now() - began)) * 1000
    })
  }

  /** Bytes a second until the guest hangs up. */
  async fromGuest(connect: (port: number) => Promise<unknown>): Promise<number> {
    return this.#serve(connect, async (socket) => {
      const began = performance.now()
      let bytes = 0
      socket.on('data', (piece: Buffer) => (bytes += piece.length))
      await once(socket, 'end')
      socket.end()
      return (bytes / (performance.now() - began)) * 1000
    })
  }

  /** How often a second a byte goes to the guest and comes back. */
  async roundTrips(count: number, connect: (port: number) => Promise<unknown>): Promise<number> {
    return this.#serve(connect, async (socket) => {
      socket.setNoDelay(true)
      const began = performance.now()
      for (let trips = 0; trips < count; trips++) {
        socket.write('.')
        await once(socket, 'data')
      }
      const rate = (count / (performance.now() - began)) * 1000
      socket.destroy()
      return rate
    })
  }

  async #serve(connect: (port: number) => Promise<unknown>, talk: (socket: Socket) => Promise<number>): Promise<number> {
    // A guest that has nothing to say ends its half at once.
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const connected = once(server, 'connection') as Promise<[Socket]>
    try {
      const [figure] = await Promise.all([connected.then(([socket]) => talk(socket)), connect((server.address() as AddressInfo).port)])
      return figure
    } finally {
      server.close()
    }
  }
}
