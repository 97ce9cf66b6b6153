import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { createORPCClient, ORPCError, safe } from '@orpc/client'
import { RPCLink as PortLink } from '@orpc/client/message-port'
import { RPCLink as SocketLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { servePort } from '@core/app/serve-port'
import type { HostServices } from '@core/app/services'
import { createHostServer, type HostServer, type HostServerOptions } from '@server/host-server'
import type { Contract } from '@shared/contract'
import type { ErrorData } from '@shared/errors'

export type Client = ContractRouterClient<Contract>

/** A client connected to a host over one transport. */
export interface Connection {
  client: Client
  /** Cuts the connection without a word, as a crash of the client would. */
  drop(): void
  /** Defects that the host logged. */
  defects: unknown[]
  close(): Promise<void>
}

export type Transport = (host: HostServices) => Promise<Connection>

/** A channel of `node:worker_threads`, as Electron's window has one. */
export const overMessagePort: Transport = (host) => {
  const defects: unknown[] = []
  const { port1, port2 } = new MessageChannel()
  servePort(port2, host, (error) => defects.push(error))
  const client: Client = createORPCClient(new PortLink({ port: port1 }))
  port1.start()
  const closed = once(port2, 'close')
  return Promise.resolve({
    client,
    defects,
    drop: () => { port1.close() },
    async close() {
      port1.close()
      await closed
    },
  })
}

/** The real server on loopback, signed in as a browser does it. */
export const overWebSocket: Transport = async (host) => {
  const defects: unknown[] = []
  const served = await listen({ host, log: (error) => defects.push(error) })
  const cookie = await signIn(served)
  const socket = openRpc(served, { cookie })
  const client: Client = createORPCClient(new SocketLink({ websocket: socket as unknown as globalThis.WebSocket }))
  await once(socket, 'open')
  return {
    client,
    defects,
    drop: () => { socket.terminate() },
    async close() {
      socket.terminate()
      await served.close()
    },
  }
}

export interface Served {
  server: HostServer
  port: number
  origin: string
  uploadFolder: string
  close(): Promise<void>
}

export async function listen(options: Pick<HostServerOptions, 'host'> & Partial<HostServerOptions>): Promise<Served> {
  const uploadFolder = options.uploadFolder ?? (await mkdtemp(join(tmpdir(), 'ringside-upload-')))
  const server = createHostServer({ log: () => undefined, webRoot: null, guard: 'session', bindAddress: '127.0.0.1', ...options, uploadFolder })
  server.http.listen(0, '127.0.0.1')
  await once(server.http, 'listening')
  const { port } = server.http.address() as AddressInfo
  return {
    server, port, uploadFolder,
    origin: `http://127.0.0.1:${String(port)}`,
    async close() {
      await server.close()
      await rm(uploadFolder, { recursive: true, force: true })
    },
  }
}

export async function exchange(served: Served, token: string): Promise<Response> {
  return fetch(`${served.origin}/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) })
}

/** The `Cookie` header of a new session. */
export async function signIn(served: Served): Promise<string> {
  const response = await exchange(served, served.server.sessions.issueToken())
  await response.text()
  return (response.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
}

export function openRpc(served: Served, headers: Record<string, string> = {}, path = '/rpc'): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${String(served.port)}${path}`, { headers: { origin: served.origin, ...headers } })
}

/** The error of a call that has to fail, as it arrives at a client. */
export async function failure(call: Promise<unknown>): Promise<ORPCError<string, ErrorData>> {
  const [error] = await safe(call)
  expect(error).toBeInstanceOf(ORPCError)
  return error as never
}
