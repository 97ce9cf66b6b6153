import { boardsByProperties, hasByProperties, type MachineHardware, type MachineView, type OsEntry, type Suggestion, suggestionsFor, withSuggestions } from '@shared/model'
import { RingsideError } from '@shared/errors'
import { answerPlan, differencesInWords, storedHardware } from '../change-hardware'
import { usageError, type Cli, type Run } from '../cli'
import { machineAsJson } from '../output'
import { machineOf } from '../snapshot-output'
import { quotedForShell } from '../words'

interface PresetOptions {
  os?: string
  plan?: boolean
  all?: boolean
  only?: string[]
}

/** `ringside hardware preset` */
export function registerPreset(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('preset <machine>', 'Gives the machine the hardware that its operating system runs best on. Disks keep what they hold, and addresses, serial numbers and sizes stay.')
    .option('--os <id>', 'for this system; without it, for the one that the machine is for')
    .option('--plan', 'only tell what would happen')
    .option('--all', 'also what a system that is installed already may not start with')
    .option('--only <path...>', 'only these, by the paths that --plan tells')
    .addHelpText('after', '\nExamples:\n  ringside hardware preset web-01 --plan\n  ringside hardware preset web-01 --os windows-11 --all\n  ringside hardware preset web-01 --only clock')
  command.action((wanted: string, options: PresetOptions) =>
    cli.perform(command, async (run) => {
      if (options.all === true && options.only !== undefined) throw usageError('error: --all and --only exclude each other')
      const machine = await run.machine(wanted)
      const hardware = storedHardware(machine)
      const { os, suggestions } = await suggestionsOf(run, machine, options.os ?? hardware.osId)
      const unknown = options.only?.filter((path) => !suggestions.some((suggestion) => suggestion.path === path)) ?? []
      if (unknown.length > 0) throw usageError(`error: the preset of ${os.name} has nothing for ${unknown.join(', ')}${suggestions.length === 0 ? '' : `; it has: ${suggestions.map(({ path }) => path).join(', ')}`}`)
      const chosen = suggestions.filter(({ path, caution }) => options.only?.includes(path) ?? (options.all === true || caution === null))
      const left = suggestions.filter((suggestion) => !chosen.includes(suggestion))
      await (options.plan === true ? tell : make)(run, machine, { os, hardware: withSuggestions(hardware, chosen), suggestions, chosen, left })
    }),
  )
}

interface Preset {
  os: OsEntry
  hardware: MachineHardware
  suggestions: readonly Suggestion[]
  chosen: readonly Suggestion[]
  left: readonly Suggestion[]
}

async function suggestionsOf(run: Run, machine: MachineView, osId: string): Promise<{ os: OsEntry; suggestions: Suggestion[] }> {
  const [catalog, properties] = await Promise.all([run.client.host.catalog(), run.client.hardware.properties({ id: machine.id })])
  const os = catalog.entries.find(({ id }) => id === osId)
  if (os === undefined) throw new RingsideError('NOT_FOUND', `There is no operating system “${osId}” in the catalogue.`, { hint: `There is ${catalog.entries.map(({ id }) => id).join(', ')}.` })
  return { os, suggestions: suggestionsFor(os, storedHardware(machine), hasByProperties(properties), boardsByProperties(properties)) }
}

async function tell(run: Run, machine: MachineView, { os, hardware, suggestions, chosen, left }: Preset): Promise<void> {
  const plan = await run.client.hardware.plan({ id: machine.id, hardware })
  const reasons = chosen.map(({ path, why }) => `  ${path}: ${why}\n`).join('')
  answerPlan(run, machine, plan, { ...machineOf(machine), osId: os.id, suggestions }, `${reasons === '' ? '' : `Why:\n${reasons}`}${leftInWords(machine, left)}`)
}

async function make(run: Run, machine: MachineView, { os, hardware, left }: Preset): Promise<void> {
  const done = await run.client.hardware.change({ id: machine.id, hardware, basedOn: storedHardware(machine) })
  run.answer({ ...machineAsJson(done.machine), osId: os.id, differences: done.differences, left }, `${differencesInWords(done.differences, done.machine.state)}${leftInWords(machine, left)}`)
}

function leftInWords(machine: MachineView, left: readonly Suggestion[]): string {
  if (left.length === 0) return ''
  const lines = left.map(({ path, value, caution, why }) => `  ${path} = ${typeof value === 'string' ? value : JSON.stringify(value)}: ${caution ?? why}\n`)
  return `Left as it is; “ringside hardware preset ${quotedForShell(machine.definition.name)} --only PATH” changes it too:\n${lines.join('')}`
}
