import { InvalidArgumentError, Option } from 'commander'
import type { SnapshotPolicy } from '@shared/model'
import { usageError, type Cli } from '../cli'
import { findSnapshot } from '../find-snapshot'
import { followJob, remarkNotes } from '../follow-job'
import { machineAsJson } from '../output'
import { machineOf, policyInWords } from '../snapshot-output'

type Group = Pick<Cli, 'command'>

export function registerSnapshotChange(cli: Cli, group: Group): void {
  registerRename(cli, group)
  registerDescribe(cli, group)
  registerAuto(cli, group)
  registerConvertDisks(cli, group)
}

function registerRename(cli: Cli, group: Group): void {
  const command = group
    .command('rename <machine> <snapshot> <name>', 'Gives a snapshot another name.')
    .addHelpText('after', '\nExample:\n  ringside snapshot rename web-01 "Snapshot 2026-11-04 12:02" Configured')
  command.action((wantedMachine: string, wanted: string, name: string) =>
    cli.perform(command, async (run) => {
      const { machine, snapshot } = await findSnapshot(run, wantedMachine, wanted)
      const changed = await run.client.snapshot.change({ id: machine.id, snapshotId: snapshot.id, name })
      run.answer({ ...machineOf(machine), ...changed }, `It is called “${changed.name}” now.\n`)
    }),
  )
}

function registerDescribe(cli: Cli, group: Group): void {
  const command = group
    .command('describe <machine> <snapshot> <text>', 'Writes down what a snapshot is about; an empty text takes that away.')
    .addHelpText('after', '\nExample:\n  ringside snapshot describe web-01 Configured "nginx and PostgreSQL are in place"')
  command.action((wantedMachine: string, wanted: string, description: string) =>
    cli.perform(command, async (run) => {
      const { machine, snapshot } = await findSnapshot(run, wantedMachine, wanted)
      const changed = await run.client.snapshot.change({ id: machine.id, snapshotId: snapshot.id, description })
      run.answer({ ...machineOf(machine), ...changed }, `“${changed.name}” is described${changed.description === '' ? ' no more' : ''}.\n`)
    }),
  )
}

interface AutoOptions {
  every?: SnapshotPolicy['every']
  keepHourly?: number
  keepDaily?: number
  keepWeekly?: number
  memory?: boolean
  off?: boolean
}

/** How many of each stay unless it is said. */
const usualKeep: Readonly<Record<SnapshotPolicy['every'], SnapshotPolicy['keep']>> = {
  hour: { hourly: 24, daily: 7, weekly: 4 },
  day: { hourly: 0, daily: 7, weekly: 4 },
  week: { hourly: 0, daily: 0, weekly: 8 },
}

function registerAuto(cli: Cli, group: Group): void {
  const command = group
    .command('auto <machine>', 'Snapshots by themselves: shows when they are taken and which stay, or changes that.')
    .addOption(new Option('--every <period>', 'how often, and only when something has changed').choices(['hour', 'day', 'week']))
    .option('--keep-hourly <number>', 'keep the newest of each of the last so many hours', upTo(168))
    .option('--keep-daily <number>', 'of each of the last so many days', upTo(366))
    .option('--keep-weekly <number>', 'of each of the last so many weeks', upTo(520))
    .option('--memory', 'keep memory too, while the machine runs')
    .option('--no-memory', 'disks only')
    .option('--off', 'none by themselves any more; those that are there stay')
    .addHelpText('after', '\nThey are taken while Ringside runs: its window, or `ringside serve`. Only automatic snapshots are ever removed by it.\n\nExamples:\n  ringside snapshot auto web-01 --every hour --keep-hourly 24 --keep-daily 7\n  ringside snapshot auto web-01 --off')
  command.action((wanted: string, options: AutoOptions) =>
    cli.perform(command, async (run) => {
      const changes = [options.every, options.keepHourly, options.keepDaily, options.keepWeekly, options.memory].some((value) => value !== undefined)
      if (options.off === true && changes) throw usageError('error: --off goes with no other option')
      const found = await run.machine(wanted)
      const before = found.definition.snapshotPolicy
      const machine = options.off === true || changes ? await run.client.snapshot.setPolicy({ id: found.id, policy: options.off === true ? null : policyFrom(options, before) }) : found
      const policy = machine.definition.snapshotPolicy
      run.answer({ ...machineOf(machine), policy }, `“${machine.definition.name}”: ${policy === null ? 'no automatic snapshots' : policyInWords(policy)}.\n`)
    }),
  )
}

/** What is not said stays as it was; a new rhythm brings its own usual numbers. */
function policyFrom(options: AutoOptions, before: SnapshotPolicy | null): SnapshotPolicy {
  const every = options.every ?? before?.every ?? 'day'
  const keep = before?.every === every ? before.keep : usualKeep[every]
  return {
    every,
    keep: { hourly: options.keepHourly ?? keep.hourly, daily: options.keepDaily ?? keep.daily, weekly: options.keepWeekly ?? keep.weekly },
    memory: options.memory ?? before?.memory ?? false,
  }
}

function registerConvertDisks(cli: Cli, group: Group): void {
  const command = group
    .command('convert-disks <machine>', 'Brings a machine’s disks into its folder as qcow2, so that snapshots can hold them. The original files stay.')
    .addHelpText('after', '\nExample:\n  ringside snapshot convert-disks imported')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const { id } = await run.machine(wanted)
      const { notes } = await followJob(run, await run.client.snapshot.convertDisks({ id }))
      const machine = await run.client.machine.get({ id })
      run.answer({ ...machineAsJson(machine), notes }, `The disks of “${machine.definition.name}” can be in snapshots now.\n`)
      remarkNotes(run, notes)
    }),
  )
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,3}$/u.test(text) || Number(text) > most) throw new InvalidArgumentError(`It is a whole number from 0 to ${String(most)}.`)
    return Number(text)
  }
}
