import { RingsideError } from '@shared/errors'
import type { SnapshotDeletePlan } from '@shared/model'
import type { Cli } from '../cli'
import { agrees, requirePerson } from '../confirm'
import { findSnapshot } from '../find-snapshot'
import { followJob, remarkNotes } from '../follow-job'
import { sizeInWords } from '../output'
import { machineOf } from '../snapshot-output'

export function registerSnapshotDelete(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('delete <machine> <snapshot>', 'Deletes a snapshot. The others and the machine stay what they are.')
    .alias('rm')
    .option('--children', 'all snapshots that come after it too')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nIt is shown what goes and how much room that gives back; there is no trash for snapshots.\n\nExamples:\n  ringside snapshot delete web-01 Experiment\n  ringside snapshot delete web-01 Experiment --children --yes')
  command.action((wantedMachine: string, wanted: string, options: { children?: boolean; yes?: boolean }) =>
    cli.perform(command, async (run) => {
      const { machine, snapshot } = await findSnapshot(run, wantedMachine, wanted)
      const request = { id: machine.id, snapshotId: snapshot.id, children: options.children === true }
      const plan = await run.client.snapshot.deletePlan(request)
      refuse(plan, snapshot.name)
      const answer = { ...machineOf(machine), snapshots: plan.snapshots, freesBytes: plan.freesBytes, laterBytes: plan.laterBytes, notes: plan.notes }
      if (options.yes !== true) {
        requirePerson(run, 'deleting')
        run.remark(planInWords(plan, machine.definition.name))
        if (!(await agrees(run, plan.snapshots.length === 1 ? 'Delete it? [y/N] ' : `Delete all ${String(plan.snapshots.length)}? [y/N] `))) return run.answer({ ...answer, deleted: false }, 'Nothing was deleted.\n')
      }
      const ended = await followJob(run, await run.client.snapshot.delete(request))
      // What was shown before is not said again.
      const news = ended.notes.filter((note) => !plan.notes.includes(note))
      const what = plan.snapshots.length === 1 ? `“${snapshot.name}” is` : `${String(plan.snapshots.length)} snapshots are`
      run.answer({ ...answer, notes: [...plan.notes, ...news], deleted: true }, `${what} deleted; ${gains(plan)}.\n`)
      remarkNotes(run, options.yes === true ? [...plan.notes, ...news] : news)
    }),
  )
}

/** Throws what stops it, the first thing first. */
function refuse({ issues }: SnapshotDeletePlan, name: string): void {
  const faults = issues.filter((issue) => issue.severity === 'error')
  const [first] = faults
  if (!first) return
  // What is refused of the machine as a whole says so itself.
  const message = first.path === '' ? first.message : `“${name}” can’t be deleted. ${first.message}`
  throw new RingsideError(first.code ?? 'ILLEGAL_STATE', message, faults.length > 1 ? { issues: faults } : {})
}

function planInWords(plan: SnapshotDeletePlan, machineName: string): string {
  const lines = [`Of “${machineName}” go:`, ...plan.snapshots.map(({ name }) => `  “${name}”`), `  ${gains(plan)}`, ...plan.notes.map((note) => `  ${note}`), ...plan.issues.map(({ message }) => `  ${message}`)]
  return lines.map((line) => `${line}\n`).join('')
}

function gains({ freesBytes, laterBytes }: SnapshotDeletePlan): string {
  return `${sizeInWords(freesBytes)} given back${laterBytes > 0 ? `, ${sizeInWords(laterBytes)} later` : ''}`
}
