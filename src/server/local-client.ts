import { request } from 'node:http'
import { connect } from 'node:net'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { WebSocket } from 'ws'
import { contractVersion, type Contract } from '@shared/contract'
import { ErrorShape, RingsideError, reviveError } from '@shared/errors'
import { contractHeader } from './rpc-sockets'

export type ContractClient = ContractRouterClient<Contract>

/** A connection to a host that runs in another process, over its local socket. */
export interface LocalConnection {
  readonly client: ContractClient
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  close(): void
}

/** @throws `PROTOCOL` when nobody, or no host of ours, answers there; `LIBRARY_LOCKED` when it speaks another version of the contract */
export async function connectLocally(address: string): Promise<LocalConnection> {
  const socket = openLocalSocket(address, '/rpc')
  let version = ''
  socket.once('upgrade', ({ headers }) => { version = String(headers[contractHeader]) })
  await opened(socket, address)
  if (version !== String(contractVersion)) {
    socket.terminate()
    throw new RingsideError('LIBRARY_LOCKED', `The library is open in a Ringside of another version (its contract is ${version}, this one’s ${String(contractVersion)}).`, {
      hint: 'Use the command line of that version, or end it first; running machines go on.',
    })
  }
  const closed = new Promise<void>((resolve) => { socket.once('close', () => { resolve() }) })
  // `ws` has the interface of the browser's WebSocket as far as the link uses it; only the types differ.
  const link = new RPCLink({ websocket: socket as unknown as globalThis.WebSocket })
  return { client: createORPCClient(link), closed, close: () => { socket.close() } }
}

/** A WebSocket over the local socket at `address`, not open yet. */
export function openLocalSocket(address: string, path: string): WebSocket {
  return new WebSocket(`ws://localhost${path}`, { createConnection: () => connect(address), perMessageDeflate: false, handshakeTimeout: 10_000 })
}

/** Asks the host for a new link to its page. @throws what the host answers, e.g. `CAPABILITY_MISSING` where none is served */
export async function askForLink(address: string): Promise<string> {
  const body = await new Promise<string>((resolve, reject) => {
    const asking = request({ socketPath: address, path: '/link', method: 'POST', timeout: 10_000 }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', reject)
      response.on('end', () => { resolve(Buffer.concat(pieces).toString('utf8')) })
    })
    asking.on('error', (cause) => { reject(unreachable(address, cause)) })
    asking.end()
  })
  const answer = JSON.parse(body) as unknown
  if (typeof answer === 'object' && answer !== null && 'link' in answer && typeof answer.link === 'string') return answer.link
  throw reviveError(answer)
}

/** Resolves once open; rejects with the host's own words when it turns the socket away. */
export function opened(socket: WebSocket, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => { resolve() })
    socket.once('error', (cause) => { reject(unreachable(address, cause)) })
    socket.once('unexpected-response', (_request, response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => { reject(refusal(Buffer.concat(pieces).toString('utf8'), response.statusCode ?? 0)) })
    })
  })
}

function refusal(body: string, status: number): RingsideError {
  try {
    const shape = ErrorShape.safeParse(JSON.parse(body))
    if (shape.success) return reviveError(shape.data)
  } catch {
    // Not ours: said below.
  }
  return new RingsideError('PROTOCOL', `The host answered with HTTP ${String(status)}.`)
}

function unreachable(address: string, cause: unknown): RingsideError {
  return new RingsideError('PROTOCOL', `The host does not answer at ${address}.`, { path: address, hint: 'It may just be ending; try again.' }, { cause })
}
