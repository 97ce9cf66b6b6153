import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { RPCHandler } from '@orpc/server/ws'
import { WebSocketServer, type WebSocket } from 'ws'
import { errorInterceptor, type DefectLog } from '@core/app/rpc-errors'
import { router, type RpcContext } from '@core/app/router'
import type { HostServices } from '@core/app/services'
import { contractVersion } from '@shared/contract'
import { createRateLimit } from './rate-limit'

export interface RpcLimits {
  /** Sockets open at once. */
  sockets: number
  /** Largest message from a client, bytes. The largest request of the contract is a few KiB. */
  messageBytes: number
  /** Messages per second and socket; a client that sends more is disconnected. */
  messagesPerSecond: number
  /** Bytes that may wait for a client that does not read; it is disconnected beyond. */
  waitingBytes: number
}

export const defaultRpcLimits: RpcLimits = { sockets: 64, messageBytes: 1 << 20, messagesPerSecond: 2000, waitingBytes: 64 << 20 }

/** Header of the answer to an upgrade that says which version of the contract is spoken. */
export const contractHeader = 'ringside-contract'

/** How often a client is asked for a sign of life; one that gave none since the last time is gone. Milliseconds. */
const heartbeatMs = 30_000

/** Bytes that may wait for a client before its subscriptions wait for it. */
const easyWaitingBytes = 1 << 20

/**
 * The socket as the contract's handler uses it, with a `send` that resolves when there is room for more. Subscriptions wait for
 * it, and meanwhile merge what changes, so that a slow client gets the newest state instead of a long queue.
 */
function withBackPressure(client: WebSocket): Parameters<RPCHandler<RpcContext>['upgrade']>[0] {
  const send = (data: Parameters<WebSocket['send']>[0]): Promise<void> =>
    new Promise((resolve) => {
      // An error is the connection's end, which the handler hears of by itself.
      client.send(data, () => { resolve() })
      if (client.bufferedAmount < easyWaitingBytes) resolve()
    })
  // The type is that of a plain socket; the handler awaits what `send` returns (see ServerPeer of @orpc/standard-server-peer).
  // eslint-disable-next-line @typescript-eslint/no-misused-promises
  return { send, addEventListener: client.addEventListener.bind(client) }
}

export interface RpcSockets {
  /** Takes over a checked upgrade request. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void
  readonly size: number
  /** Bytes that wait for clients to read them. */
  readonly waitingBytes: number
  close(): void
}

/** Serves the contract over WebSockets, within bounds. */
export function createRpcSockets(host: HostServices, log: DefectLog, limits: RpcLimits = defaultRpcLimits): RpcSockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: limits.messageBytes })
  const handler = new RPCHandler(router, { clientInterceptors: [errorInterceptor(log)] })
  server.on('headers', (headers) => headers.push(`${contractHeader}: ${String(contractVersion)}`))
  const alive = new WeakSet<WebSocket>()

  const heartbeat = setInterval(() => {
    for (const client of server.clients) {
      if (!alive.has(client) || client.bufferedAmount > limits.waitingBytes) client.terminate()
      alive.delete(client)
      client.ping()
    }
  }, heartbeatMs)
  heartbeat.unref()

  const take = (client: WebSocket): void => {
    const rate = createRateLimit(limits.messagesPerSecond, 1000)
    alive.add(client)
    client.on('pong', () => alive.add(client))
    // A broken frame or an oversize message: `ws` closes the connection itself, with the fitting code.
    client.on('error', () => undefined)
    client.on('message', () => {
      if (rate.take()) return
      client.close(1008, 'Too many messages')
      // Without waiting for the client's answer, since everything up to it would still be served.
      client.terminate()
    })
    void handler.upgrade(withBackPressure(client), { context: { host } satisfies RpcContext })
  }

  return {
    get size() {
      return server.clients.size
    },
    get waitingBytes() {
      return [...server.clients].reduce((sum, client) => sum + client.bufferedAmount, 0)
    },
    accept(request, socket, head) {
      if (server.clients.size >= limits.sockets) {
        socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
        return
      }
      server.handleUpgrade(request, socket, head, take)
    },
    close() {
      clearInterval(heartbeat)
      for (const client of server.clients) client.close(1001, 'Ringside is closing')
      for (const client of server.clients) client.terminate()
      server.close()
    },
  }
}
