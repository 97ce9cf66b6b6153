import { join } from 'node:path'
import { Command } from 'commander'
import { version } from '@core/app/version'
import { createNodeWorkerLauncher } from '@core/machine/node-launcher'
import { declareServe } from '@server/serve-command'
import { runCli, type Register } from './cli'
import { commands } from './commands'
import { connect } from './connect'
import { exitCodes } from './exit-codes'
import { processTerminal } from './terminal'

const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Whoever asks twice does not want to wait until everything is put away.
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted)
    interrupt.abort()
  })
}
// `ringside list | head` ends the pipe early: no reason to complain.
process.stdout.on('error', (error: NodeJS.ErrnoException) => { if (error.code === 'EPIPE') process.exit(exitCodes.ok) })

const launcher = createNodeWorkerLauncher(join(import.meta.dirname, 'machine-worker.js'))
const log = (error: unknown, where: string): void => { process.stderr.write(`ringside: a defect in ${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`) }

/** Shown in the help; the program hands over to the server's own entry before this one is loaded. */
const registerServe: Register = (cli) => void declareServe(cli.add(new Command('serve')))

const exitCode = await runCli(
  process.argv.slice(2),
  { terminal: processTerminal, connect: (dataFolder) => connect(dataFolder, { launcher, log }), signal: interrupt.signal },
  version,
  [...commands, registerServe],
)
// Written out before the end, also into a pipe; then nothing that is left may keep the process.
process.stdout.write('', () => process.exit(exitCode))
