import { RingsideError } from '@shared/errors'
import type { Cli } from '../cli'
import { findSnapshot } from '../find-snapshot'
import { sizeInWords, table } from '../output'
import { argument, machineOf, planInWords, snapshotInWords, treeInWords } from '../snapshot-output'
import { isInteractive } from '../terminal'
import { answerPicture } from '../write-picture'

type Group = Pick<Cli, 'command'>

export function registerSnapshotLook(cli: Cli, group: Group): void {
  registerTree(cli, group)
  registerPlan(cli, group)
  registerShow(cli, group)
  registerScreen(cli, group)
}

function registerTree(cli: Cli, group: Group): void {
  const command = group
    .command('list <machine>', 'The tree of a machine’s snapshots, and where the machine is in it.')
    .alias('tree')
    .addHelpText('after', '\n○ is a snapshot, ● where the machine is now. SIZE is what only that snapshot takes on the drive, its memory included.\n\nExample:\n  ringside snapshot list web-01')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const tree = await run.client.snapshot.tree({ id: machine.id })
      const named = argument(machine.definition.name, machine.id)
      const { stdout } = run.terminal
      const empty = tree.snapshots.length === 0
      run.answer(
        { ...machineOf(machine), ...tree },
        empty ? `“${machine.definition.name}” has no snapshots yet. Next: ringside snapshot take ${named}\n` : treeInWords(tree, machine, isInteractive(stdout) ? stdout.columns : undefined),
      )
      if (tree.sharedBytes > 0) run.remark(`${sizeInWords(tree.sharedBytes)} more are of deleted snapshots, shared by branches until one of those is left.\n`)
      for (const { path, message, hint } of tree.problems) run.remark(`${message.includes(path) ? '' : `${path}: `}${message}\n  ${hint}\n`)
      if (tree.orphans.length > 0) run.remark(`${orphansInWords(tree.orphans)}: ringside snapshot orphans ${named}\n`)
    }),
  )
}

function orphansInWords(orphans: readonly { bytes: number }[]): string {
  const size = sizeInWords(orphans.reduce((sum, { bytes }) => sum + bytes, 0))
  return orphans.length === 1 ? `1 file belongs to nothing (${size})` : `${String(orphans.length)} files belong to nothing (${size})`
}

function registerPlan(cli: Cli, group: Group): void {
  const command = group
    .command('plan <machine>', 'What taking a snapshot would do now: what is kept, and what stands in the way.')
    .addHelpText('after', '\nExample:\n  ringside snapshot plan web-01')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const plan = await run.client.snapshot.plan({ id: machine.id })
      run.answer({ ...machineOf(machine), ...plan }, planInWords(plan, machine))
    }),
  )
}

function registerShow(cli: Cli, group: Group): void {
  const command = group
    .command('show <machine> <snapshot>', 'All about a snapshot, and how the machine differs from it now.')
    .addHelpText('after', '\nExample:\n  ringside snapshot show web-01 Configured')
  command.action((wantedMachine: string, wanted: string) =>
    cli.perform(command, async (run) => {
      const { machine, tree, snapshot } = await findSnapshot(run, wantedMachine, wanted)
      const differences = await run.client.snapshot.compare({ id: machine.id, snapshotId: snapshot.id })
      const parent = tree.snapshots.find(({ id }) => id === snapshot.parentId)
      const rows = differences.map(({ label, then, now }) => [label, then ?? '-', now ?? '-'])
      run.answer(
        { ...machineOf(machine), ...snapshot, differences },
        `${snapshotInWords(snapshot, parent)}\n${rows.length === 0 ? 'The machine’s hardware is the same now.\n' : table(['DIFFERS', 'THEN', 'NOW'], rows)}`,
      )
    }),
  )
}

function registerScreen(cli: Cli, group: Group): void {
  const command = group
    .command('screen <machine> <snapshot> <file>', 'Saves the screen of that instant as PNG; - is standard output.')
    .addHelpText('after', '\nExample:\n  ringside snapshot screen web-01 Configured screen.png')
  command.action((wantedMachine: string, wanted: string, file: string) =>
    cli.perform(command, async (run) => {
      const { machine, snapshot } = await findSnapshot(run, wantedMachine, wanted)
      const picture = await run.client.snapshot.screen({ id: machine.id, snapshotId: snapshot.id })
      if (picture === null) throw new RingsideError('NOT_FOUND', `The snapshot “${snapshot.name}” has no picture: the machine’s screen was off.`)
      await answerPicture(run, { ...machineOf(machine), id: snapshot.id, name: snapshot.name }, picture, file)
    }),
  )
}
