import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { keepProbe } from '../../vm/support/temporary-folder'

const root = resolve(import.meta.dirname, '../../..')
export const serveScript = join(root, 'out/main/serve.js')

export interface ServedApp extends AsyncDisposable {
  /** The link as printed, with its one-time token. */
  readonly link: string
  readonly folders: AppFolders
  readonly pid: number
  /** Ends the host as a power cut would. Machines go on. */
  kill(): Promise<void>
  /** Ends the host in order. Machines go on. */
  stop(): Promise<void>
}

export interface AppFolders {
  readonly data: string
  readonly runtime: string
}

/** A data and a runtime folder of the test's own. */
export async function makeFolders(): Promise<AppFolders> {
  const base = await mkdtemp(join(tmpdir(), 'ringside-e2e-'))
  const data = join(base, 'data')
  await keepProbe(data)
  return { data, runtime: join(base, 'run') }
}

/** Starts the built `ringside serve` on a free loopback port, as a person would, and waits for its link. */
export async function startServer(folders: AppFolders, environment: NodeJS.ProcessEnv = {}): Promise<ServedApp> {
  if (!existsSync(serveScript)) throw new Error(`${serveScript} is missing: run "npm run build" first.`)
  // A home of the test's own: what it moves to the trash goes with it.
  const home = resolve(folders.data, '..')
  const child = spawn(process.execPath, [serveScript, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: home, XDG_DATA_HOME: join(home, 'share'), ...environment, RINGSIDE_DATA: folders.data, RINGSIDE_RUNTIME: folders.runtime },
  })
  let errorText = ''
  child.stderr.on('data', (bytes: Buffer) => (errorText += bytes.toString()))
  const exited = once(child, 'exit')
  const link = await new Promise<string>((found, failed) => {
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      const match = /https?:\/\/\S+#token=\S+/u.exec(line)
      if (match) found(match[0])
    })
    void exited.then(() => {
      failed(new Error(`ringside serve ended before it printed a link:\n${errorText}`))
    })
  })
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await exited
  }
  return {
    link,
    folders,
    pid: child.pid ?? 0,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async [Symbol.asyncDispose]() {
      await end('SIGTERM')
    },
  }
}

/** Removes what `makeFolders` made. */
export async function removeFolders(folders: AppFolders): Promise<void> {
  await rm(resolve(folders.data, '..'), { recursive: true, force: true })
}
