import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { declareServe } from '@server/serve-command'
import { declaring, type Cli } from '../../src/cli/cli'
import { commands } from '../../src/cli/commands'

/** All commands as they are declared, without a host. */
function declared(): Command[] {
  const program = new Command('ringside')
  const cli: Cli = { terminal: process, signal: new AbortController().signal, ...declaring(program), perform: () => Promise.resolve() }
  for (const register of commands) register(cli)
  declareServe(program.command('serve'))
  return program.commands.flatMap((command) => (command.commands.length === 0 ? [command] : command.commands))
}

const nameOf = (command: Command): string => (command.parent === null || command.parent.parent === null ? command.name() : `${command.parent.name()} ${command.name()}`)

test('docs/cli.md names every command, and each of its options beside it', async () => {
  const lines = (await readFile(join(import.meta.dirname, '../../docs/cli.md'), 'utf8')).split('\n')
  const missing = declared().flatMap((command) => {
    const name = nameOf(command)
    const about = lines.filter((line) => new RegExp(`\`${name}(?![\\w-])`, 'u').test(line))
    if (about.length === 0) return [name]
    const said = about.join('\n').replaceAll('--[no-]', '--no-')
    return command.options
      .filter(({ hidden, long }) => !hidden && long !== '--json' && long !== '--data')
      .map(({ long }) => long ?? '')
      .filter((option) => !new RegExp(`${option}(?![\\w-])`, 'u').test(option.startsWith('--no-') ? said : said.replaceAll('--no-', '--')))
      .map((option) => `${name} ${option}`)
  })
  expect(missing).toEqual([])
})
