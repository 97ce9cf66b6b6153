import { RingsideError } from '@shared/errors'
import type { Snapshot } from '@shared/model'
import type { Cli } from '../cli'
import { followJob, remarkNotes } from '../follow-job'
import { orTheCommandThatMends } from '../mending-command'
import { keptInWords, machineOf, methodInWords, timeInWords } from '../snapshot-output'

interface TakeOptions {
  description?: string
  memory: boolean
  quiesce?: boolean
}

export function registerSnapshotTake(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('take <machine> [name]', 'Takes a snapshot: disks, firmware variables, memory and hardware at one instant. The machine goes on.')
    .option('--description <text>', 'what to remember about it')
    .option('--no-memory', 'disks only, as after a power cut')
    .option('--quiesce', 'have the guest agent hold the guest’s file systems still for the instant')
    .addHelpText('after', '\nWithout a name it is called after the minute. How a running guest’s memory is kept depends on QEMU and this computer;\nit is said before and after, and by `ringside snapshot plan`.\n\nExamples:\n  ringside snapshot take web-01 "Before the upgrade"\n  ringside snapshot take web-01 --quiesce --no-memory')
  command.action((wanted: string, name: string | undefined, options: TakeOptions) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { id } = machine
      const [before, plan] = await Promise.all([run.client.snapshot.tree({ id }), run.client.snapshot.plan({ id })])
      const chosen = name ?? freeName(before.snapshots, new Date())
      const request = { id, name: chosen, description: options.description ?? '', memory: options.memory, quiesce: options.quiesce === true }
      const job = await run.client.snapshot.take(request)
      run.remark(`Taking “${chosen}” of “${machine.definition.name}”: ${methodInWords(plan, machine, options.memory)}\n`)
      await orTheCommandThatMends(run, machine, followJob(run, job))
      const { snapshots, current } = await run.client.snapshot.tree({ id })
      const made = snapshots.find((one) => one.name === chosen.trim()) ?? snapshots.find((one) => one.id === current.parentId)
      if (!made) throw new RingsideError('INTERNAL', 'The host took a snapshot and does not list it.')
      run.answer({ ...machineOf(machine), ...made }, `“${made.name}” is taken: ${keptInWords(made)}.\n`)
      remarkNotes(run, made.notes)
    }),
  )
}

/** The minute, and a number where that is taken. */
export function freeName(snapshots: readonly Pick<Snapshot, 'name'>[], at: Date): string {
  const taken = new Set(snapshots.map(({ name }) => name.toLowerCase()))
  const base = `Snapshot ${timeInWords(at.toISOString())}`
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base} (${String(number)})`
    if (!taken.has(name.toLowerCase())) return name
  }
}
