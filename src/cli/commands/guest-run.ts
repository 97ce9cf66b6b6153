import { InvalidArgumentError } from 'commander'
import { type GuestCommandResult, guestLimits } from '@shared/model'
import { ExitWith, type Cli, type Run } from '../cli'
import { errorAsJson, errorInWords, toRingsideError } from '../errors'
import { machineOf } from '../snapshot-output'
import { isInteractive } from '../terminal'
import { readInput } from '../read-input'
import { shown } from '../words'

/** As `timeout` and `docker run` have them: what a program of the guest ends with seldom. */
const ownCodes = { timedOut: 124, failed: 125, signal: 128 } as const

interface RunOptions {
  env: string[]
  stdin?: boolean
  timeout: number
}

export function registerGuestRun(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('run <machine> <program> [argument...]', 'Runs a program in the guest and ends with its exit code.')
    .option('--env <NAME=value>', 'a variable for it; may be given again', (one: string, all: string[]) => [...all, one], [])
    .option('--stdin', 'pass what comes on standard input, up to 384 KiB')
    .option('--timeout <seconds>', 'kill it after so long', seconds, 60)
    .addHelpText('after', '\nWrite -- before the program, so that its options are its own. No shell is involved unless it is the program. Its output comes when it has\nended. Exit codes beside its own: 124 killed after --timeout, 128 + n ended by signal n, 125 it was not run (the reason is on standard error).\n\nExamples:\n  ringside guest run web-01 -- systemctl is-active nginx\n  ringside guest run web-01 -- sh -c \'df -h | tail -1\'\n  ringside guest run web-01 --stdin -- tee /etc/motd < motd')
  command.action((wanted: string, program: string, words: string[], options: RunOptions) =>
    cli.perform(command, async (run) => {
      const { result, machine } = await ownFailure(run, async () => {
        const machine = await run.machine(wanted)
        const input = options.stdin === true ? await readInput(run, guestLimits.inputBytes) : Buffer.alloc(0)
        const request = { id: machine.id, program, arguments: words, environment: options.env, inputBase64: input.toString('base64'), timeoutMs: options.timeout * 1000, outputLimitBytes: guestLimits.outputBytes }
        return { machine, result: await run.client.guest.run(request, { signal: run.signal }) }
      })
      const [out, err] = [Buffer.from(result.stdoutBase64, 'base64'), Buffer.from(result.stderrBase64, 'base64')]
      const { stdoutBase64, stderrBase64, ...ended } = result
      if (run.json) run.answer({ ...machineOf(machine), ...ended, stdout: out.toString('utf8'), stderr: err.toString('utf8'), stdoutBase64, stderrBase64 }, '')
      else {
        write(run.terminal.stdout, out)
        write(run.terminal.stderr, err)
      }
      if (result.stdoutTruncated || result.stderrTruncated) run.remark('Its output was longer; the rest was left out.\n')
      if (result.timedOut) run.remark(`Killed after ${String(options.timeout)} s.\n`)
      throw new ExitWith(codeOf(result))
    }),
  )
}

/** A program's exit code is the command's, so what goes wrong on the way has one of its own. */
async function ownFailure<T>(run: Run, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (run.signal.aborted) throw thrown
    const error = toRingsideError(thrown)
    run.terminal.stderr.write(run.json ? errorAsJson(error) : errorInWords(error))
    throw new ExitWith(ownCodes.failed)
  }
}

function codeOf({ timedOut, exitCode, signal }: GuestCommandResult): number {
  if (timedOut) return ownCodes.timedOut
  if (exitCode !== null) return exitCode >= 0 && exitCode <= 255 ? exitCode : 1
  return signal === null ? 1 : ownCodes.signal + signal
}

/** Bytes as they are, into a file or a pipe; on a terminal nothing that it would obey. */
function write(stream: Run['terminal']['stdout'], bytes: Buffer): void {
  if (bytes.length > 0) stream.write(isInteractive(stream) ? shown(bytes.toString('utf8').replaceAll('\r\n', '\n')) : bytes)
}

function seconds(text: string): number {
  const number = Number(text)
  if (!/^\d+(\.\d+)?$/u.test(text) || number < 0.1 || number * 1000 > guestLimits.runMs) throw new InvalidArgumentError('It is a number of seconds from 0.1 to 86400.')
  return number
}
