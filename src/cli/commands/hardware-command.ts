import { argvDifference, optionsOf } from '@shared/model'
import { RingsideError } from '@shared/errors'
import type { Cli } from '../cli'
import { machineOf, timeInWords } from '../snapshot-output'
import { quotedForShell } from '../words'

/** `ringside hardware command` */
export function registerHardwareCommand(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('command <machine>', 'What QEMU gets at the next start, an option a line.')
    .option('--diff', 'how that differs from the last start: + is new, - is gone')
    .addHelpText('after', '\nExamples:\n  ringside hardware command web-01\n  ringside hardware command web-01 --diff')
  command.action((wanted: string, options: { diff?: boolean }) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { next, last } = await run.client.machine.commandLine({ id: machine.id })
      if (next === null) throw new RingsideError('ILLEGAL_STATE', `What the next start of “${machine.definition.name}” gives QEMU can’t be told now.`, { hint: '“ringside hardware set … --plan” tells what speaks against its hardware.' })
      const line = (words: readonly string[]): string => words.map(quotedForShell).join(' ')
      if (options.diff !== true) return run.answer({ ...machineOf(machine), argv: next, last }, optionsOf(next).map((words) => `${line(words)}\n`).join(''))
      if (last === null) return run.answer({ ...machineOf(machine), argv: next, last, difference: null }, 'There was no start yet that this could differ from.\n')
      const difference = argvDifference(last.argv, next)
      const changed = difference.filter(({ kind }) => kind !== 'same')
      const text = changed.length === 0 ? `The same as at the last start (${timeInWords(last.at)}).\n` : `Since the last start (${timeInWords(last.at)}):\n${changed.map(({ kind, words }) => `${kind === 'added' ? '+' : '-'} ${line(words)}\n`).join('')}`
      run.answer({ ...machineOf(machine), argv: next, last, difference }, text)
    }),
  )
}
