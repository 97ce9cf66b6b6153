import { join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { Host } from '@core/app/host'
import { RingsideError, serialiseError } from '@shared/errors'
import { isLoopback } from './addresses'
import { createHostServer, type HostServer } from './host-server'
import { listenOn, pageUrl } from './listen'
import { openInBrowser } from './open-in-browser'
import { serveLocally } from './local-server'
import { clearBrokenUploads } from './uploads'

/** Tried first when no port is asked for, so that a bookmark goes on working. */
export const usualPort = 8460

export interface ServeDependencies {
  openHost(options: { dataFolder: string | undefined; log: (error: unknown, where: string) => void }): Promise<Host>
  /** Folder of the built renderer. */
  webRoot: string
  version: string
  stdout: NodeJS.WritableStream & { isTTY?: boolean }
  stderr: NodeJS.WritableStream
  /** Resolves when the process is asked to end. */
  untilEnd: Promise<unknown>
}

interface ServeOptions {
  port?: number
  host: string
  allowHost: string[]
  data?: string
  webRoot?: string
  open?: boolean
  onExit: 'keepRunning' | 'save' | 'shutDown'
  json?: boolean
}

/** Declares the options of `ringside serve`; the command line shows them in its help too. */
export function declareServe(command: Command): Command {
  return command
    .description('Serves the window to a browser, and hosts the library until it is ended; machines go on running then.')
    .option('-p, --port <number>', `port; 0 picks a free one (${String(usualPort)} when that is free)`, port)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--allow-host <name...>', 'further names by which browsers may call this server', [])
    .addOption(new Option('--data <folder>', 'folder of the library and the settings').env('RINGSIDE_DATA'))
    .addOption(new Option('--web-root <folder>', 'folder of another build of the page').hideHelp())
    .option('--open', 'open the link in the browser (done anyway in a terminal on a desktop)')
    .option('--no-open', 'never open it')
    .addOption(new Option('--on-exit <what>', 'what becomes of running machines when the server ends').choices(['keepRunning', 'save', 'shutDown']).default('keepRunning'))
    .option('--json', 'print one line of JSON: {"link", "url", "port", "pid"}')
}

/**
 * Serves until the process is asked to end.
 * @param args the command line behind `serve`
 * @returns the exit code, as the command line has them: 2 wrong usage, 5 invalid input, 7 library in use, 1 anything else
 */
export async function serve(args: readonly string[], dependencies: ServeDependencies): Promise<number> {
  const command = declareServe(new Command('ringside serve').version(dependencies.version, '-V, --version').exitOverride())
  try {
    command.parse(args, { from: 'user' })
  } catch (thrown) {
    return thrown instanceof CommanderError && thrown.exitCode === 0 ? 0 : 2
  }
  const options = command.opts<ServeOptions>()
  try {
    await serveUntilEnd(options, dependencies)
    return 0
  } catch (thrown) {
    const { code, message, data } = serialiseError(thrown)
    dependencies.stderr.write(options.json === true ? `${JSON.stringify({ error: { code, message, data } })}\n` : `ringside: ${message}\n${data.hint === undefined ? '' : `  ${data.hint}\n`}`)
    return code === 'LIBRARY_LOCKED' ? 7 : code === 'INVALID_INPUT' ? 5 : 1
  }
}

async function serveUntilEnd(options: ServeOptions, dependencies: ServeDependencies): Promise<void> {
  const { stdout, stderr } = dependencies
  const log = (error: unknown, where: string): void => { stderr.write(`ringside: a defect in ${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`) }
  const host = await dependencies.openHost({ dataFolder: options.data, log })
  try {
    const uploadFolder = join(host.dataFolder, 'media')
    await clearBrokenUploads(uploadFolder)
    const server = createHostServer({
      host: host.services, log, webRoot: options.webRoot ?? dependencies.webRoot, guard: 'session', bindAddress: options.host, hostNames: options.allowHost,
      uploadFolder,
    })
    const url = await bind(server, options)
    // A link on a proxy's or another computer's name is the reader's to make; the token is the same.
    const newLink = (): string => `${url}#token=${server.sessions.issueToken()}`
    const local = serveLocally(host.lock, host.services, log, { newLink })
    try {
      const link = newLink()
      if (options.json === true) stdout.write(`${JSON.stringify({ link, url, port: Number(new URL(url).port), pid: process.pid })}\n`)
      else announce(link, options, dependencies)
      if (options.open ?? (stdout.isTTY === true && options.json !== true)) {
        await openInBrowser(newLink(), host.runtimeRoot, options.open === true).catch((cause: unknown) => { stderr.write(`The browser could not be opened: ${String(cause)}\n`) })
      }
      await dependencies.untilEnd
    } finally {
      await Promise.all([server.close(), local.close()])
    }
  } finally {
    if (options.onExit !== 'keepRunning' && options.json !== true) stderr.write(`${options.onExit === 'save' ? 'Saving' : 'Shutting down'} running machines; ask once more to leave them running.\n`)
    for (const { machine, reason } of await host.close({ running: options.onExit })) stderr.write(`“${machine.definition.name}” goes on running: ${reason}\n`)
  }
}

async function bind(server: HostServer, options: ServeOptions): Promise<string> {
  if (options.port !== undefined) return pageUrl(await listenOn(server.http, options.host, options.port))
  try {
    return pageUrl(await listenOn(server.http, options.host, usualPort))
  } catch (thrown) {
    if (!(thrown instanceof RingsideError) || thrown.code !== 'PORT_IN_USE') throw thrown
    return pageUrl(await listenOn(server.http, options.host, 0))
  }
}

function announce(link: string, options: ServeOptions, { stdout, stderr }: ServeDependencies): void {
  if (!isLoopback(options.host)) {
    stderr.write(
      `Warning: listening on ${options.host}, without encryption. Whoever can read the traffic can take over the session and with it your machines.\n` +
        '  On a network that you do not trust, leave --host away and use a tunnel such as: ssh -L 8460:127.0.0.1:8460 thiscomputer\n',
    )
  }
  stdout.write(`Ringside is served at\n\n  ${link}\n\nThe link works once; \`ringside link\` prints another. Ctrl+C ends the server, machines go on running.\n`)
}

function port(text: string): number {
  if (!/^\d{1,5}$/u.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It is a number from 0 to 65535.')
  return Number(text)
}
