import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { buildEntries } from './build-entries'
import type { TemporaryLibrary } from './temporary-folder'

/** The command line and the server as they are now, each an entry beside the worker, as in `out/main`. */
export interface CommandLine extends AsyncDisposable {
  cli: string
  serve: string
}

export async function buildCommandLine(): Promise<CommandLine> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-cli-'))
  await buildEntries(join(folder, 'main'), { cli: 'src/cli/index.ts', serve: 'src/server/serve.ts', 'machine-worker': 'src/worker/machine.ts' })
  return {
    cli: join(folder, 'main', 'cli.js'),
    serve: join(folder, 'main', 'serve.js'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** A program of ours that runs. */
export class Ringside {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  stdout = ''
  stderr = ''
  readonly #ended: Promise<Outcome>

  constructor(script: string, args: readonly string[], library: TemporaryLibrary, environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, ...library.environment, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.child.stdout.on('data', (piece: Buffer) => (this.stdout += piece.toString()))
    this.child.stderr.on('data', (piece: Buffer) => (this.stderr += piece.toString()))
    this.#ended = once(this.child, 'close').then(([code]) => ({ code: code as number | null, stdout: this.stdout, stderr: this.stderr }))
  }

  get ended(): Promise<Outcome> {
    return this.#ended
  }

  /** Resolves with what was printed once it matches; rejects when the program ends before. */
  async untilPrinted(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout)
      if (match) return match
      const piece = await Promise.race([once(this.child.stdout, 'data'), this.#ended])
      if (!Array.isArray(piece) && !pattern.test(this.stdout))
        throw new Error(`It ended with ${String(piece.code)} before it printed ${String(pattern)}.\n${this.stdout}\n${this.stderr}`)
    }
  }
}

/** Runs one command to its end. `json`: its answer, where that is JSON. */
export async function ringside(
  programs: CommandLine,
  library: TemporaryLibrary,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Outcome & { json: unknown }> {
  const running = new Ringside(programs.cli, args, library, environment)
  running.child.stdin.end()
  const outcome = await running.ended
  let json: unknown = null
  try {
    json = JSON.parse(outcome.stdout)
  } catch {
    // A command for people.
  }
  return { ...outcome, json }
}

/** A server that has printed its link. */
export async function serveLibrary(
  programs: CommandLine,
  library: TemporaryLibrary,
  args: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Promise<{ server: Ringside; link: string; url: string; port: number; pid: number }> {
  const server = new Ringside(programs.serve, ['--port', '0', '--json', ...args], library, environment)
  const [line] = await server.untilPrinted(/^\{.*\}\n/mu)
  return { server, ...(JSON.parse(line) as { link: string; url: string; port: number; pid: number }) }
}
