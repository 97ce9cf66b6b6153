import type { Cli } from '../cli'
import { followJob, remarkNotes } from '../follow-job'
import { machineAsJson } from '../output'
import { argument } from '../snapshot-output'

/** `ringside template …` */
export function registerTemplate(cli: Cli): void {
  const group = cli.group('template', 'Machines that are frozen for cloning: made, and turned back.')
  const make = group
    .command('make <machine>', 'Freezes a machine for cloning: it is neither started nor changed while it is a template.')
    .option('--memory', 'save a running machine first, so that its clones can start warm')
    .addHelpText('after', '\nExamples:\n  ringside template make golden\n  ringside template make golden --memory && ringside clone golden shop-01 --linked --warm --start')
  make.action((wanted: string, options: { memory?: boolean }) =>
    cli.perform(make, async (run) => {
      const { id } = await run.machine(wanted)
      const { notes } = await followJob(run, await run.client.machine.makeTemplate({ id, memory: options.memory === true }))
      const machine = await run.client.machine.get({ id })
      const { name } = machine.definition
      run.answer({ ...machineAsJson(machine), notes }, `“${name}” is a template. Next: ringside clone ${argument(name, id)} NAME --linked${machine.saved === null ? '' : ' --warm'}\n`)
      remarkNotes(run, notes)
    }),
  )
  const unmake = group
    .command('unmake <machine>', 'Turns a template without linked clones back into a machine.')
    .addHelpText('after', '\nExample:\n  ringside template unmake golden')
  unmake.action((wanted: string) =>
    cli.perform(unmake, async (run) => {
      const { id } = await run.machine(wanted)
      const machine = await run.client.machine.unmakeTemplate({ id })
      run.answer(machineAsJson(machine), `“${machine.definition.name}” is a machine again.\n`)
    }),
  )
}
