import type { Cli } from '../cli'
import { machineAsJson, machineTable } from '../output'

export function registerList(cli: Cli): void {
  const command = cli.command('list', 'All machines, and what in the library cannot be opened.').alias('ls')
  command.action(() =>
    cli.perform(command, async (run) => {
      for await (const event of await run.client.host.watch()) {
        if (event.type !== 'opened') continue
        const { machines, problems } = event
        const sorted = machines.toSorted((a, b) => a.definition.name.localeCompare(b.definition.name))
        run.answer(
          { machines: sorted.map(machineAsJson), problems },
          sorted.length === 0 ? 'No machines yet: `ringside create` makes one, `ringside sample` one to try.\n' : machineTable(sorted, Date.now()),
        )
        for (const problem of problems) run.remark(`${problem.message.includes(problem.folder) ? '' : `${problem.path}: `}${problem.message}\n  ${problem.hint}\n`)
        return
      }
    }),
  )
}
