import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { WebSocket } from 'ws'
import { safeFileName } from '@server/uploads'
import { contractVersion } from '@shared/contract'
import { fakeIds } from '../fakes/fake-data'
import { createFakeHost, type FakeHost } from '../fakes/fake-host'
import { exchange, listen, openRpc, signIn, type Client, type Served } from './transports'

let host: FakeHost
let served: Served
let webRoot: string
let outside: string

beforeEach(async () => {
  host = createFakeHost({ slowness: 0 })
  const folder = await mkdtemp(join(tmpdir(), 'ringside-web-'))
  webRoot = join(folder, 'renderer')
  outside = join(folder, 'secret.txt')
  await mkdir(join(webRoot, 'assets'), { recursive: true })
  await writeFile(join(webRoot, 'index.html'), '<!doctype html><title>Ringside</title>')
  await writeFile(join(webRoot, 'assets', 'index-Dk3f9XyZ.js'), 'export {}')
  await writeFile(outside, 'secret')
  await symlink(outside, join(webRoot, 'leak.txt'))
  served = await listen({ host, webRoot })
})
afterEach(async () => {
  await served.close()
  await host.close()
  await rm(join(webRoot, '..'), { recursive: true, force: true })
})

/** A request whose path and headers reach the server as they are written here. */
const raw = async (path: string, headers: Record<string, string> = {}, method = 'GET', body?: Buffer): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> => {
  const request = httpRequest({ host: '127.0.0.1', port: served.port, path, method, headers, agent: false })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces).toString() }
}

const openConnections = ({ server }: Served): Promise<number> => new Promise((resolve) => { server.http.getConnections((_error, count) => { resolve(count) }) })

/** How the server turns a WebSocket away. */
const refusal = async (socket: WebSocket): Promise<{ status: number; message: string }> => {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return { status: response.statusCode ?? 0, message: (JSON.parse(Buffer.concat(pieces).toString()) as { message: string }).message }
}

describe('pages', () => {
  test('carry a strict policy; the page is never cached, files with a digest for ever', async () => {
    const page = await raw('/')
    expect(page).toMatchObject({ status: 200, body: '<!doctype html><title>Ringside</title>' })
    expect(page.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-type': 'text/html; charset=utf-8', 'referrer-policy': 'no-referrer' })
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self';.*frame-ancestors 'none'/u)
    const script = await raw('/assets/index-Dk3f9XyZ.js')
    expect(script.headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable', 'content-type': 'text/javascript; charset=utf-8' })
  })

  test.each(['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/assets/../../secret.txt', '/..\\secret.txt', '/leak.txt', '/assets', '/nothing', '/%00', '/index.html%00.js', '//etc/passwd'])(
    'nothing outside their folder is served: %s',
    async (path) => {
      const answer = await raw(path)
      expect(answer.status).toBe(404)
      expect(answer.body).not.toContain('secret')
    },
  )

  test('only GET and HEAD are answered', async () => {
    expect((await raw('/', {}, 'HEAD'))).toMatchObject({ status: 200, body: '' })
    expect((await raw('/', {}, 'POST')).status).toBe(405)
    expect((await raw('/%', {}))).toMatchObject({ status: 400 })
  })
})

describe('names and origins', () => {
  test.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example', 'user@127.0.0.1', '192.168.0.7', '127.0.0.1/x', ' '])('the host name %j is turned away', async (name) => {
    const answer = await raw('/', { host: name })
    expect([400, 403]).toContain(answer.status)
    expect(answer.body).not.toContain('Ringside</title>')
  })
  test.each(['localhost', 'LOCALHOST:8080', '127.0.0.1:1', '[::1]:8470'])('the host name %s is answered', async (name) => {
    expect((await raw('/', { host: name })).status).toBe(200)
  })
  test('a request that names no host is turned away', async () => {
    const socket = connect(served.port, '127.0.0.1')
    socket.write('GET / HTTP/1.0\r\n\r\n')
    let answer = ''
    socket.on('data', (piece: Buffer) => { answer += piece.toString() })
    await once(socket, 'close')
    expect(answer).toMatch(/^HTTP\/1.1 403 /u)
  })
  test('a name that was allowed is answered', async () => {
    await served.close()
    served = await listen({ host, webRoot, hostNames: ['lab.example'] })
    expect((await raw('/', { host: 'lab.example:8470' })).status).toBe(200)
  })

  test.each(['http://evil.example', 'null', 'file://', 'http://127.0.0.1:1'])('a page of %s gets nothing, signed in or not', async (origin) => {
    const cookie = await signIn(served)
    expect((await raw('/session', { origin, cookie })).status).toBe(403)
    expect(await refusal(openRpc(served, { origin, cookie }))).toMatchObject({ status: 403, message: 'This server answers only its own page, not one of another site.' })
  })

  test('a WebSocket without an origin, from another host name or to another path is turned away', async () => {
    const cookie = await signIn(served)
    expect(await refusal(openRpc(served, { cookie, host: 'evil.example', origin: 'http://evil.example' }))).toMatchObject({ status: 403 })
    expect(await refusal(openRpc(served, { cookie }, '/elsewhere'))).toMatchObject({ status: 404 })
    const socket = openRpc(served, { cookie, origin: '' })
    expect((await refusal(socket)).status).toBe(403)
  })
})

describe('sessions', () => {
  test('a token works once, the cookie again and again', async () => {
    const token = served.server.sessions.issueToken()
    const first = await exchange(served, token)
    expect(first.status).toBe(200)
    const cookie = first.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(new RegExp(`^ringside_session_${String(served.port)}=[\\w-]{43}; HttpOnly; SameSite=Strict; Path=/$`, 'u'))
    const second = await exchange(served, token)
    expect(second.status).toBe(403)
    expect(await second.json()).toMatchObject({ code: 'UNAUTHORIZED', message: 'This link is not valid, or it was used before.', data: { hint: 'Each link works once: `ringside link` prints a new one.' } })
    for (let load = 0; load < 3; load++) {
      const socket = openRpc(served, { cookie: cookie.split(';')[0] ?? '' })
      await once(socket, 'open')
      socket.terminate()
    }
  })

  test('without a session the contract, consoles and uploads are closed', async () => {
    expect(await refusal(openRpc(served))).toMatchObject({ status: 401 })
    expect(await refusal(openRpc(served, { cookie: `ringside_session_${String(served.port)}=${'A'.repeat(43)}` }))).toMatchObject({ status: 401, message: 'This browser is not signed in.' })
    expect(await refusal(openRpc(served, {}, '/console?ticket=x'))).toMatchObject({ status: 401 })
    expect((await raw('/upload?name=a.iso', {}, 'PUT', Buffer.from('x'))).status).toBe(401)
    expect(await readdir(served.uploadFolder)).toEqual([])
  })

  test('a page can ask whether it is signed in, and sign out', async () => {
    const cookie = await signIn(served)
    expect(JSON.parse((await raw('/session', { cookie })).body)).toEqual({ signedIn: true, contractVersion })
    expect(await raw('/session')).toMatchObject({ status: 401, body: expect.stringContaining('This browser is not signed in.') as string })
    expect((await raw('/session', { cookie }, 'DELETE')).headers['set-cookie']?.[0]).toContain('Max-Age=0')
    expect((await raw('/session', { cookie })).status).toBe(401)
  })

  test('tokens cannot be tried out: after ten wrong ones a minute of silence, for right ones too', async () => {
    for (let wrong = 0; wrong < 10; wrong++) expect((await exchange(served, `wrong-${String(wrong)}`)).status).toBe(403)
    const answer = await exchange(served, served.server.sessions.issueToken())
    expect(answer.status).toBe(429)
    expect(await answer.json()).toMatchObject({ code: 'UNAUTHORIZED', message: 'Too many wrong links were tried; wait a minute.' })
  })

  test.each([
    ['text', 'text/plain', '{"token":"x"}'], ['a form', 'application/x-www-form-urlencoded', 'token=x'], ['no JSON', 'application/json', '{'], ['no token', 'application/json', '{"token":1}'],
    ['null', 'application/json', 'null'], ['too much', 'application/json', JSON.stringify({ token: 'x'.repeat(5000) })],
  ])('%s is no token', async (_what, type, body) => {
    expect((await raw('/session', { 'content-type': type }, 'POST', Buffer.from(body))).status).toBe(403)
  })
})

describe('bounds', () => {
  test('a message that is too large ends the connection, and only that one', async () => {
    const cookie = await signIn(served)
    const [large, other] = [openRpc(served, { cookie }), openRpc(served, { cookie })]
    await Promise.all([once(large, 'open'), once(other, 'open')])
    large.send(Buffer.alloc((1 << 20) + 1))
    const [code] = (await once(large, 'close')) as [number]
    expect(code).toBe(1009)
    expect(other.readyState).toBe(other.OPEN)
    other.terminate()
  })

  test('a client that sends too many messages is disconnected', async () => {
    await served.close()
    served = await listen({ host, webRoot, limits: { messagesPerSecond: 20 } })
    const socket = openRpc(served, { cookie: await signIn(served) })
    await once(socket, 'open')
    for (let message = 0; message < 40; message++) socket.send('{"i":"1","p":{"u":"/host/info"}}')
    await once(socket, 'close')
    await vi.waitFor(() => { expect(served.server.clients).toBe(0) })
  })

  test('there is an end to the sockets that can be open at once', async () => {
    await served.close()
    served = await listen({ host, webRoot, limits: { sockets: 2 } })
    const cookie = await signIn(served)
    const sockets = [openRpc(served, { cookie }), openRpc(served, { cookie })]
    await Promise.all(sockets.map((socket) => once(socket, 'open')))
    const third = openRpc(served, { cookie })
    const [, response] = (await once(third, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(response.statusCode).toBe(503)
    for (const socket of sockets) socket.terminate()
  })

  test('a client that reads slowly gets the newest state, not a long queue', async () => {
    const cookie = await signIn(served)
    const socket = openRpc(served, { cookie })
    await once(socket, 'open')
    const client: Client = createORPCClient(new RPCLink({ websocket: socket as unknown as globalThis.WebSocket }))
    const events = await client.host.watch()
    await events.next()
    socket.pause()
    const { definition } = host.machines.get(fakeIds.running)
    const notes = 'x'.repeat(90_000)
    const queued = (): number => served.server.waitingBytes
    // 90 MB in changes, a few at a time as they would come.
    for (let change = 1; change <= 1000; change++) {
      host.set(fakeIds.running, { definition: { ...definition, memoryMiB: change, notes } })
      if (change % 10 === 0) await setImmediate()
    }
    expect(queued()).toBeLessThan(4 << 20)
    socket.resume()
    let seen = 0
    for await (const event of events) {
      seen++
      if (event.type === 'machineChanged' && event.machine.definition.memoryMiB === 1000) break
    }
    expect(seen).toBeLessThan(200)
    socket.terminate()
  })

  test('what is no message of the contract harms nobody', async () => {
    const cookie = await signIn(served)
    const socket = openRpc(served, { cookie })
    await once(socket, 'open')
    const answers: { i: string; p: { s?: number } }[] = []
    socket.on('message', (data: Buffer) => answers.push(JSON.parse(data.toString()) as (typeof answers)[number]))
    const logged = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    for (const nonsense of ['', '{', 'null', '[]', '{"i":1}', '{"i":"2","p":{"u":"/no/such/thing"}}', Buffer.from([255, 255])]) socket.send(nonsense)
    socket.send('{"i":"9","p":{"u":"/host/info"}}')
    await vi.waitFor(() => { expect(answers.map((answer) => answer.i)).toContain('9') })
    expect(answers.find((answer) => answer.i === '2')?.p.s).toBe(404)
    expect(answers.find((answer) => answer.i === '9')?.p.s).toBeUndefined()
    logged.mockRestore()
    socket.terminate()
  })

  test('a request whose headers never end is cut off', async () => {
    await served.close()
    served = await listen({ host, webRoot, limits: { headersTimeoutMs: 100 } })
    const socket = connect(served.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ')
    let answer = ''
    socket.on('data', (piece: Buffer) => { answer += piece.toString() })
    await once(socket, 'close')
    expect(answer).toContain('408 Request Timeout')
  })

  test('a client that leaves in the middle of a request is no defect', async () => {
    const defects: unknown[] = []
    await served.close()
    served = await listen({ host, webRoot, log: (error) => defects.push(error) })
    const socket = connect(served.port, '127.0.0.1')
    socket.write('POST /session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"tok')
    await vi.waitFor(async () => { expect(await openConnections(served)).toBe(1) })
    socket.resetAndDestroy()
    await vi.waitFor(async () => { expect(await openConnections(served)).toBe(0) })
    expect(defects).toEqual([])
  })

  test('a client that leaves in mid-handshake harms nobody', async () => {
    const socket = connect(served.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET /rpc HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    socket.resetAndDestroy()
    await once(socket, 'close')
    expect((await raw('/')).status).toBe(200)
  })
})

describe('consoles', () => {
  test('a ticket opens one console once, and the bytes flow', async () => {
    const cookie = await signIn(served)
    const ticket = host.consoleTickets.issue({ machineId: fakeIds.running, channel: { type: 'serial', port: 0 } })
    const socket = openRpc(served, { cookie }, `/console?ticket=${ticket}`)
    let text = ''
    socket.on('message', (data: Buffer) => { text += data.toString() })
    await once(socket, 'open')
    await vi.waitFor(() => { expect(text).toContain('root@web-01') })
    socket.send('hello\r')
    await vi.waitFor(() => { expect(text).toContain('you typed: hello') })
    expect(host.openConsoles).toBe(1)
    expect(await refusal(openRpc(served, { cookie }, `/console?ticket=${ticket}`))).toMatchObject({ status: 403, message: 'This console ticket is unknown, used or older than 30 seconds.' })
    socket.close()
    await vi.waitFor(() => { expect(host.openConsoles).toBe(0) })
  })

  test('where a socket cannot be handed over, as on Windows, the bytes take a way round', async () => {
    await served.close()
    served = await listen({ host, webRoot, handover: { relay: true } })
    const cookie = await signIn(served)
    const ticket = host.consoleTickets.issue({ machineId: fakeIds.running, channel: { type: 'serial', port: 0 } })
    const socket = openRpc(served, { cookie }, `/console?ticket=${ticket}`)
    let text = ''
    socket.on('message', (data: Buffer) => { text += data.toString() })
    await once(socket, 'open')
    await vi.waitFor(() => { expect(text).toContain('root@web-01') })
    socket.send('hello\r')
    await vi.waitFor(() => { expect(text).toContain('you typed: hello') })
    socket.terminate()
    await vi.waitFor(() => { expect(host.openConsoles).toBe(0) })
    await vi.waitFor(async () => { expect(await openConnections(served)).toBe(0) })
  })

  test('a machine that went away in between is said so', async () => {
    const cookie = await signIn(served)
    const ticket = host.consoleTickets.issue({ machineId: '00000000-0000-4000-8000-000000000000', channel: { type: 'graphics' } })
    expect((await refusal(openRpc(served, { cookie }, `/console?ticket=${ticket}`))).message).toMatch(/^There is no machine/u)
  })
})

describe('uploads', () => {
  test('a dropped file arrives whole under its name, and never replaces another', async () => {
    const cookie = await signIn(served)
    const bytes = Buffer.alloc(3_000_000, 'ringside')
    for (const name of ['disc.iso', 'disc (2).iso']) {
      const answer = await raw('/upload?name=disc.iso', { cookie, origin: served.origin }, 'PUT', bytes)
      expect(answer.status).toBe(201)
      expect(JSON.parse(answer.body)).toEqual({ path: join(served.uploadFolder, name), bytes: bytes.length })
      expect((await readFile(join(served.uploadFolder, name))).equals(bytes)).toBe(true)
    }
    expect(await readdir(served.uploadFolder)).toHaveLength(2)
  })

  test('a file that would not fit is refused before a byte is written', async () => {
    const request = httpRequest({ port: served.port, path: '/upload?name=big.iso', method: 'PUT', agent: false, headers: { cookie: await signIn(served), 'content-length': String(2 ** 52) } })
    request.on('error', () => undefined)
    request.flushHeaders()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(507)
    request.destroy()
    expect(await readdir(served.uploadFolder)).toEqual([])
  })

  test('a refusal is read by a sender that is in the middle of a large file', async () => {
    const answer = await fetch(`${served.origin}/upload?name=..`, { method: 'PUT', headers: { cookie: await signIn(served) }, body: Buffer.alloc(40 << 20) })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ message: 'The file has a name that cannot be used here.' })
  })

  test('a sender that leaves in the middle leaves nothing behind', async () => {
    const request = httpRequest({ port: served.port, path: '/upload?name=half.iso', method: 'PUT', agent: false, headers: { cookie: await signIn(served), 'content-length': '1000000' } })
    request.on('error', () => undefined)
    request.write(Buffer.alloc(1000))
    await vi.waitFor(async () => { expect(await readdir(served.uploadFolder)).toEqual(['.uploading-half.iso']) })
    request.destroy()
    await vi.waitFor(async () => { expect(await readdir(served.uploadFolder)).toEqual([]) })
  })

  test.each([
    ['disc.iso', 'disc.iso'], ['../../etc/passwd', 'passwd'], ['C:\\isos\\win.iso', 'win.iso'], ['a\u0000b:c?.iso', 'a_b_c_.iso'], ['.hidden', 'hidden'], ['nul.iso', '_nul.iso'],
    ['trailing. . ', 'trailing'], [`${'x'.repeat(300)}.iso`, `${'x'.repeat(150)}.iso`], ['..', null], ['', null], ['/', null], ['ümläut 1.iso', 'ümläut 1.iso'],
  ])('the name %j becomes %j', (asked, name) => {
    expect(safeFileName(asked)).toBe(name)
  })
})
