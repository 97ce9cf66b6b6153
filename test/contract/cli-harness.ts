import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { HostServices } from '@core/app/services'
import { connectLocally } from '@server/local-client'
import { serveLocally, type LocalExtras } from '@server/local-server'
import { runCli } from '../../src/cli/cli'
import { commands } from '../../src/cli/commands'

/** The host on a local socket, as the library's lock hands it over. */
export interface LocalHost {
  address: string
  close(): Promise<void>
}

export async function listenLocally(host: HostServices, extras: LocalExtras = {}): Promise<LocalHost> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-cli-'))
  const address = join(folder, 'host.sock')
  const sockets = new Set<Socket>()
  const net = createServer()
  const server = serveLocally(
    { serve: (handler) => net.on('connection', (socket) => { sockets.add(socket.on('close', () => sockets.delete(socket))); handler(socket) }) },
    host, () => undefined, extras,
  )
  net.listen(address)
  await once(net, 'listening')
  return {
    address,
    async close() {
      await server.close()
      for (const socket of sockets) socket.destroy()
      net.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export interface CliResult {
  code: number
  stdout: string
  stderr: string
  json: unknown
  error: { code: string; message: string; data: { hint?: string; issues?: { path: string }[] } } | null
}

/** A command that runs, with its streams at hand. */
export interface CliRun {
  stdin: PassThrough
  stdout: PassThrough
  /** What was printed to standard output so far. */
  printed(): string
  interrupt(): void
  done: Promise<CliResult>
}

export function startCli(local: LocalHost, args: readonly string[], options: { tty?: boolean } = {}): CliRun {
  const abort = new AbortController()
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const text = { stdout: '', stderr: '' }
  stdout.on('data', (piece: Buffer) => { text.stdout += piece.toString() })
  stderr.on('data', (piece: Buffer) => { text.stderr += piece.toString() })
  const isTTY = options.tty === true
  const terminal = { stdin: Object.assign(stdin, { isTTY, setRawMode: () => stdin }), stdout: Object.assign(stdout, { isTTY }), stderr: Object.assign(stderr, { isTTY, columns: 80 }) }
  const connect = async (): Promise<Awaited<ReturnType<Parameters<typeof runCli>[1]['connect']>>> => {
    const connection = await connectLocally(local.address)
    return { client: connection.client, address: local.address, close: async () => { connection.close(); await connection.closed } }
  }
  const done = runCli(args, { terminal: terminal as unknown as Parameters<typeof runCli>[1]['terminal'], connect, signal: abort.signal }, '0.0.0-test', commands).then(
    (code): CliResult => ({ code, ...text, json: parsed(text.stdout), error: (parsed(text.stderr) as { error: CliResult['error'] } | null)?.error ?? null }),
  )
  return { stdin, stdout, printed: () => text.stdout, interrupt: () => { abort.abort() }, done }
}

export function cli(local: LocalHost, ...args: string[]): Promise<CliResult> {
  return startCli(local, args).done
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
