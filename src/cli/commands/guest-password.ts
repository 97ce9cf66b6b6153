import { invalidInput } from '@shared/errors'
import { GuestPassword } from '@shared/model'
import { askSecret } from '../ask-secret'
import { usageError, type Cli, type Run } from '../cli'
import { readInput } from '../read-input'
import { machineOf } from '../snapshot-output'
import { isInteractive } from '../terminal'

export function registerGuestPassword(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('password <machine> <user>', 'Sets the password of a user in the guest.')
    .option('--stdin', 'read it from standard input, the first line, instead of asking')
    .addHelpText('after', '\nIt is asked for, so that it is in no list of processes and in no history of a shell.\n\nExamples:\n  ringside guest password web-01 root\n  pass show web-01 | ringside guest password web-01 root --stdin')
  command.action((wanted: string, user: string, options: { stdin?: boolean }) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const password = options.stdin === true ? firstLine(await readInput(run, 4096)) : await ask(run, user)
      const checked = GuestPassword.safeParse(password)
      if (!checked.success) throw invalidInput(checked.error.issues.map(({ message }) => ({ path: 'password', message, severity: 'error' })))
      await run.client.guest.setPassword({ id: machine.id, user, password })
      run.answer({ ...machineOf(machine), user }, `The password of “${user}” in “${machine.definition.name}” is set.\n`)
    }),
  )
}

async function ask(run: Run, user: string): Promise<string> {
  if (run.json || !isInteractive(run.terminal.stdin)) throw usageError('error: the password is asked for; say --stdin where nobody can answer')
  const password = await askSecret(run, `New password of ${user}: `)
  if (password !== (await askSecret(run, 'Once more: '))) throw invalidInput([{ path: 'password', message: 'The two were not the same; nothing was changed.', severity: 'error' }])
  return password
}

function firstLine(bytes: Buffer): string {
  return bytes.toString('utf8').split(/\r?\n/u, 1)[0] ?? ''
}
