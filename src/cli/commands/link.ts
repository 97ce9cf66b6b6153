import { askForLink } from '@server/local-client'
import type { Cli } from '../cli'

export function registerLink(cli: Cli): void {
  const command = cli.command('link', 'A new link to the page that a running `ringside serve` has; each works once.')
  command.action(() =>
    cli.perform(command, async (run) => {
      const link = await askForLink(run.address)
      run.answer({ link }, `${link}\n`)
    }),
  )
}
