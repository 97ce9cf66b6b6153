import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { DefectLog } from '@core/app/rpc-errors'
import type { HostServices } from '@core/app/services'
import { contractVersion } from '@shared/contract'
import { RingsideError, serialiseError } from '@shared/errors'
import { createHostCheck, isSameOrigin } from './addresses'
import { attachConsoleUpgrade, type ConsoleHandover } from './console-upgrade'
import { refuse, refuseUpgrade, sendJson } from './replies'
import { createRateLimit } from './rate-limit'
import { createRpcSockets, defaultRpcLimits, type RpcLimits } from './rpc-sockets'
import { createSessions, type Sessions } from './sessions'
import { serveStatic } from './static-files'
import { receiveUpload } from './uploads'

export interface HostServerOptions {
  host: HostServices
  log: DefectLog
  /** Folder of the built renderer; null: no pages (the local socket). */
  webRoot: string | null
  /**
   * Who is let in. `session`: browsers with a cookie, from the same origin, by an allowed host name.
   * `trusted`: everybody who can connect, where the file system already guards the socket.
   */
  guard: 'session' | 'trusted'
  /** The address that it listens on, for the check of host names. */
  bindAddress: string
  /** Further names by which browsers may call this server. */
  hostNames?: readonly string[]
  /** Folder for dropped files; null: none are taken. */
  uploadFolder: string | null
  /** Makes a link to the page for a browser. Only where everybody is trusted: whoever can connect there owns the host. */
  newLink?: () => string
  /** How consoles get to workers that cannot be handed a socket. */
  handover?: ConsoleHandover | undefined
  limits?: Partial<ServerLimits>
}

export interface ServerLimits extends RpcLimits {
  /** Connections of any kind, open at once. */
  connections: number
  /** Wrong tokens per minute and address. */
  wrongTokensPerMinute: number
  /** Milliseconds until a request's headers have to be there. */
  headersTimeoutMs: number
}

const defaultLimits: ServerLimits = { ...defaultRpcLimits, connections: 256, wrongTokensPerMinute: 10, headersTimeoutMs: 10_000 }

export interface HostServer {
  readonly http: Server
  readonly sessions: Sessions
  /** Clients of the contract that are connected now. */
  readonly clients: number
  /** Bytes that wait for those clients to read them. */
  readonly waitingBytes: number
  /** Ends every connection. Consoles that were handed to a worker go on there. */
  close(): Promise<void>
}

/** The contract, the consoles and the page over HTTP and WebSocket. Listening is the caller's. */
export function createHostServer(options: HostServerOptions): HostServer {
  const limits = { ...defaultLimits, ...options.limits }
  const { host } = options
  const rpc = createRpcSockets(host, options.log, limits)
  const wrongTokens = createRateLimit(limits.wrongTokensPerMinute, 60_000)
  const isKnownHost = createHostCheck(options.bindAddress, options.hostNames)
  const http = createServer({ headersTimeout: limits.headersTimeoutMs, connectionsCheckingInterval: 2000, maxHeaderSize: 16 << 10 })
  // Uploads may take hours; what bounds them is the time between two pieces (see uploads).
  http.requestTimeout = 0
  http.keepAliveTimeout = 10_000
  http.maxConnections = limits.connections
  const sessions = createSessions(() => {
    const address = http.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  const trusted = options.guard === 'trusted'

  /** The sentence that turns the request away; null lets it in. */
  const whyRefused = (request: IncomingMessage): RingsideError | null => {
    if (trusted) return null
    if (!isKnownHost(request)) {
      return new RingsideError('UNAUTHORIZED', `This server does not answer to the name “${String(request.headers.host ?? '').slice(0, 100)}”.`, {
        hint: 'Open the printed link, or name the address with --allow-host when starting the server.',
      })
    }
    if (!isSameOrigin(request)) return new RingsideError('UNAUTHORIZED', 'This server answers only its own page, not one of another site.')
    return null
  }
  const notSignedIn = (): RingsideError =>
    new RingsideError('UNAUTHORIZED', 'This browser is not signed in.', { hint: 'Open a new link: `ringside link` prints one.' })

  const session = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET') {
      if (!trusted && !sessions.isSignedIn(request)) return refuse(response, 401, notSignedIn())
      return sendJson(response, 200, { signedIn: true, contractVersion })
    }
    if (request.method === 'DELETE') {
      response.setHeader('set-cookie', sessions.signOut(request))
      return sendJson(response, 200, { signedIn: false, contractVersion })
    }
    if (request.method !== 'POST') return refuse(response, 405, new RingsideError('PROTOCOL', 'Only GET, POST and DELETE work here.'))
    const address = request.socket.remoteAddress ?? ''
    const tooMany = new RingsideError('UNAUTHORIZED', 'Too many wrong links were tried; wait a minute.')
    if (wrongTokens.isSpent(address)) return refuse(response, 429, tooMany)
    const token = await readToken(request)
    const cookie = token === null ? null : sessions.exchange(token)
    if (cookie === null) {
      wrongTokens.take(address)
      return refuse(response, 403, new RingsideError('UNAUTHORIZED', 'This link is not valid, or it was used before.', { hint: 'Each link works once: `ringside link` prints a new one.' }))
    }
    response.setHeader('set-cookie', cookie)
    sendJson(response, 200, { signedIn: true, contractVersion })
  }

  const link = (response: ServerResponse): void => {
    if (options.newLink) return sendJson(response, 200, { link: options.newLink() })
    refuse(response, 404, new RingsideError('CAPABILITY_MISSING', 'The host of this library serves no page to a browser.', { hint: 'Use its window, or end it and run `ringside serve`.' }))
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refusal = whyRefused(request)
    if (refusal) return refuse(response, 403, refusal)
    const url = parseUrl(request)
    if (url === null) return refuse(response, 400, new RingsideError('PROTOCOL', 'The address cannot be read.'))
    const { path, query } = url
    if (path === '/session') return session(request, response)
    if (path === '/link' && request.method === 'POST' && trusted) return link(response)
    if (path === '/health') return sendJson(response, 200, { name: 'ringside', contractVersion })
    if (path === '/upload' && request.method === 'PUT' && options.uploadFolder !== null) {
      if (!trusted && !sessions.isSignedIn(request)) return refuse(response, 401, notSignedIn())
      return receiveUpload(options.uploadFolder, query.get('name') ?? '', request, response)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, new RingsideError('PROTOCOL', 'Only GET and HEAD work here.'))
    if (options.webRoot === null) return refuse(response, 404, new RingsideError('NOT_FOUND', 'There are no pages here.'))
    await serveStatic(options.webRoot, path, request, response)
  }

  http.on('request', (request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      // A client that left in the middle is nobody's mistake, and nobody is there to be told.
      if (response.headersSent || request.socket.destroyed) {
        response.destroy()
        return
      }
      if (!(thrown instanceof RingsideError)) options.log(thrown, `${String(request.method)} ${String(request.url)}`)
      refuse(response, thrown instanceof RingsideError ? 400 : 500, serialiseError(thrown))
    })
  })

  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A client that leaves in mid-handshake is no reason to fall.
    const ignore = (): void => undefined
    socket.on('error', ignore)
    const refusal = whyRefused(request)
    if (refusal) return refuseUpgrade(socket, 403, refusal)
    if (!trusted && request.headers.origin === undefined) return refuseUpgrade(socket, 403, new RingsideError('UNAUTHORIZED', 'A browser names its origin; this request has none.'))
    if (!trusted && !sessions.isSignedIn(request)) return refuseUpgrade(socket, 401, notSignedIn())
    const url = parseUrl(request)
    if (url?.path === '/rpc') rpc.accept(request, socket, head)
    else if (url?.path === '/console') {
      try {
        attachConsoleUpgrade(host, url.query.get('ticket') ?? '', request, socket, head, options.handover)
      } catch (thrown) {
        if (!(thrown instanceof RingsideError)) options.log(thrown, 'GET /console')
        refuseUpgrade(socket, 403, serialiseError(thrown))
      }
    } else refuseUpgrade(socket, 404, new RingsideError('NOT_FOUND', 'Nothing is served at this address.'))
  })

  return {
    http,
    sessions,
    get clients() {
      return rpc.size
    },
    get waitingBytes() {
      return rpc.waitingBytes
    },
    async close() {
      rpc.close()
      // Not waited for: Node counts a socket that was handed to a worker as open for as long as the worker has it.
      if (http.listening) http.close()
      http.closeAllConnections()
      await setImmediate()
    },
  }
}

function parseUrl(request: IncomingMessage): { path: string; query: URLSearchParams } | null {
  try {
    const url = new URL(request.url ?? '/', 'http://host')
    return { path: decodeURIComponent(url.pathname), query: url.searchParams }
  } catch {
    return null
  }
}

/** A token comes at once and is short: milliseconds and bytes of a body that is waited for and read. */
const tokenPatienceMs = 10_000
const maxTokenBytes = 4096

/** The token of `{"token": "…"}`; null when the body is anything else or too large. */
async function readToken(request: IncomingMessage): Promise<string | null> {
  // A form of another site can send text, never this type: the browser would ask first.
  if (!(request.headers['content-type'] ?? '').startsWith('application/json')) return null
  const pieces: Buffer[] = []
  let bytes = 0
  const cut = setTimeout(() => request.destroy(), tokenPatienceMs)
  try {
    for await (const piece of request) {
      pieces.push(piece as Buffer)
      bytes += (piece as Buffer).length
      if (bytes > maxTokenBytes) return null
    }
  } finally {
    clearTimeout(cut)
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(pieces).toString('utf8'))
    return typeof body === 'object' && body !== null && 'token' in body && typeof body.token === 'string' ? body.token : null
  } catch {
    return null
  }
}
