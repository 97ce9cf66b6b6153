import { Command, CommanderError, Option } from 'commander'
import type { ContractClient } from '@server/local-client'
import { RingsideError } from '@shared/errors'
import type { MachineView } from '@shared/model'
import { capitalised } from '@shared/words'
import { errorAsJson, errorInWords, toRingsideError } from './errors'
import { exitCodeOf, exitCodes } from './exit-codes'
import { machineOrItsProblem } from './find-machine'
import type { Terminal } from './terminal'
import { unlockingClient } from './unlocking-client'
import { shown } from './words'

/** A host that commands talk to: one that runs already, or this very process for as long as the command lasts. */
export interface Connected {
  readonly client: ContractClient
  /** The host's local socket, for the bytes of consoles. */
  readonly address: string
  close(): Promise<void>
}

export interface CliOptions {
  terminal: Terminal
  /** @param dataFolder as given by `--data`; undefined: the usual one */
  connect(dataFolder: string | undefined): Promise<Connected>
  /** Aborted by Ctrl+C: commands stop what they can and end with 130. */
  signal: AbortSignal
}

/** What a command is given to work with. */
export interface Run {
  readonly client: ContractClient
  readonly address: string
  readonly terminal: Terminal
  readonly json: boolean
  readonly signal: AbortSignal
  /** The one answer of the command: `value` with `--json`, else `text`. */
  answer(value: unknown, text: string): void
  /** A remark for people, on standard error. */
  remark(text: string): void
  machine(wanted: string): Promise<MachineView>
}

/** What a command module registers itself with. */
export interface Cli {
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** Starts the declaration of a command; `--json` and `--data` come with it. */
  command(nameAndArguments: string, description: string): Command
  /** Starts the declaration of commands that share a first word, such as `snapshot`. */
  group(name: string, description: string): Pick<Cli, 'command'>
  /** Adds a command that was declared elsewhere. */
  add(command: Command): Command
  /** Runs a command's work against a host. For use as the last step of a commander action. */
  perform(command: Command, work: (run: Run) => Promise<void>): Promise<void>
}

/** Ends a command with an exit code of its own after it has printed its answer. */
export class ExitWith extends Error {
  constructor(readonly exitCode: number) {
    super(`Exit code ${String(exitCode)}`)
  }
}

export type Register = (cli: Cli) => void

/** What declares the commands of a program, each with the options that all of them have. */
export function declaring(program: Command): Pick<Cli, 'command' | 'group' | 'add'> {
  const declare = (parent: Command, nameAndArguments: string, description: string): Command =>
    parent
      .command(nameAndArguments)
      .description(description)
      .addOption(new Option('--json', 'print the answer as JSON, and errors as JSON on standard error'))
      // Every command may come to need it; said once, below the help of all.
      .addOption(new Option('--passphrase-file <file>', 'where the passphrase of encrypted disks is').hideHelp())
      .addOption(new Option('--data <folder>', 'folder of the library and the settings').env('RINGSIDE_DATA'))

  return {
    command: (nameAndArguments, description) => declare(program, nameAndArguments, description),
    group(name, description) {
      const parent = program.command(name).description(description)
      return { command: (nameAndArguments, text) => declare(parent, nameAndArguments, text) }
    },
    add(command) {
      program.addCommand(command)
      return command
    },
  }
}

/**
 * Runs one command line.
 * @param args without the program's own name
 * @returns the exit code; nothing is thrown and the process is not ended
 */
export async function runCli(args: readonly string[], options: CliOptions, version: string, registers: readonly Register[]): Promise<number> {
  const { terminal, signal } = options
  const program = new Command('ringside')
    .description('Virtual machines on QEMU, from the terminal.')
    .version(version, '-V, --version')
    .showHelpAfterError('(Add --help for what there is.)')
    .addHelpText('after', '\nMachines and snapshots are named by their name, their id, or the beginning of either.\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 no such machine or snapshot, 4 not possible in this state, 5 invalid input,\n6 no usable QEMU, 7 library in use by another program, 8 timed out, 9 no passphrase that opens the disks, 130 interrupted.\n\nThe passphrase of encrypted disks is asked for, or read from --passphrase-file FILE (“-”: standard input), which every command takes.')
    .configureOutput({ writeOut: (text) => void terminal.stdout.write(text), writeErr: (text) => void (wantsJson(args) || terminal.stderr.write(text)) })
    .exitOverride()

  const cli: Cli = {
    terminal,
    signal,
    ...declaring(program),
    async perform(command, work) {
      const { json, data, passphraseFile } = command.opts<{ json?: boolean; data?: string; passphraseFile?: string }>()
      const connected = await options.connect(data)
      const client = unlockingClient(connected.client, { terminal, signal, json: json === true }, passphraseFile)
      try {
        await work({
          client, address: connected.address, terminal, json: json === true, signal,
          answer: (value, text) => void terminal.stdout.write(json === true ? `${JSON.stringify(value, null, 2)}\n` : shown(text)),
          remark: (text) => void (json === true || terminal.stderr.write(shown(text))),
          machine: (wanted) => machineOrItsProblem(client, wanted),
        })
      } finally {
        await connected.close()
      }
    },
  }
  for (const register of registers) register(cli)

  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCodes.ok
  } catch (thrown) {
    if (thrown instanceof ExitWith) return thrown.exitCode
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return exitCodes.ok
      // Commander has printed its own errors already.
      if (thrown.code === usageCode && !wantsJson(args)) terminal.stderr.write(`${thrown.message}\n`)
      // The help of a group was printed in place of an error where no command of it was named.
      const message = thrown.code === 'commander.help' ? 'Say which command.' : sentence(thrown.message)
      if (wantsJson(args)) terminal.stderr.write(errorAsJson(new RingsideError('INVALID_INPUT', message, { hint: 'Add --help for what there is.' })))
      return exitCodes.usage
    }
    const error = toRingsideError(thrown)
    terminal.stderr.write(wantsJson(args) ? errorAsJson(error) : errorInWords(error))
    return signal.aborted ? exitCodes.interrupted : exitCodeOf(error.code)
  }
}

const usageCode = 'ringside.usage'

/** Wrong usage that only shows once the arguments are looked at together. @param message as commander words its own: `error: …` */
export function usageError(message: string): CommanderError {
  return new CommanderError(exitCodes.usage, usageCode, message)
}

/** Asked before parsing too, since errors of parsing are to be JSON then. Behind `--` nothing is an option. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end < 0 ? args : args.slice(0, end)).includes('--json')
}

function sentence(message: string): string {
  const text = message.replace(/^error: /u, '')
  return `${capitalised(text)}${/[.)!?]$/u.test(text) ? '' : '.'}`
}
