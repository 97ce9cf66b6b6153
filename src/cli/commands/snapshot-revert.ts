import type { DefinitionDifference } from '@shared/model'
import type { Cli, Run } from '../cli'
import { agrees, requirePerson } from '../confirm'
import { findSnapshot, type Found } from '../find-snapshot'
import { followJob, remarkNotes } from '../follow-job'
import { machineAsJson, sizeInWords } from '../output'
import { timeInWords } from '../snapshot-output'

interface RevertOptions {
  memory: boolean
  keepPresent?: string
  start: boolean
  yes?: boolean
}

const outcomes: Readonly<Record<string, string>> = { running: 'and runs', paused: 'and is paused', saved: 'and is saved to disk; `start` goes on from there', stopped: 'and is off' }

export function registerSnapshotRevert(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('revert <machine> <snapshot>', 'Takes a machine back to a snapshot: disks, memory and hardware.')
    .option('--keep-present <name>', 'take a snapshot of the present first, so that nothing is lost')
    .option('--no-memory', 'the disks alone, as after a power cut, even where the snapshot has memory')
    .option('--no-start', 'leave the machine off afterwards (with memory: saved to disk)')
    .option('--yes', 'do not ask, though what was done since the last snapshot is lost')
    .addHelpText('after', '\nWhat was done since the last snapshot is lost unless it is kept with --keep-present.\n\nExamples:\n  ringside snapshot revert web-01 Configured --keep-present "Before going back"\n  ringside snapshot revert web-01 Configured --no-memory --no-start --yes')
  command.action((wantedMachine: string, wanted: string, options: RevertOptions) =>
    cli.perform(command, async (run) => {
      const found = await findSnapshot(run, wantedMachine, wanted)
      const { machine, snapshot } = found
      const { id } = machine
      const to = { id: snapshot.id, name: snapshot.name }
      if (options.keepPresent === undefined && options.yes !== true) {
        requirePerson(run, 'reverting without --keep-present')
        run.remark(whatIsLost(found, await run.client.snapshot.compare({ id, snapshotId: snapshot.id }), options))
        if (!(await agrees(run, 'Lose the present? [y/N] '))) return run.answer({ ...machineAsJson(machine), reverted: false, snapshot: to }, 'Nothing was changed.\n')
      }
      const { notes } = await followJob(run, await run.client.snapshot.revert({ id, snapshotId: snapshot.id, memory: options.memory, keepPresent: options.keepPresent ?? null, start: options.start }))
      await answerReverted(run, id, { to, keptAs: options.keepPresent ?? null, notes })
    }),
  )
}

interface Outcome {
  to: { id: string; name: string }
  keptAs: string | null
  notes: string[]
}

async function answerReverted(run: Run, id: string, { to, keptAs, notes }: Outcome): Promise<void> {
  const machine = await run.client.machine.get({ id })
  const kept = keptAs === null ? '' : ` The present was kept as “${keptAs}”.`
  run.answer({ ...machineAsJson(machine), reverted: true, snapshot: to, keptAs, notes }, `“${machine.definition.name}” is back at “${to.name}” ${outcomes[machine.state] ?? ''}.${kept}\n`)
  remarkNotes(run, [...new Set([...notes, ...(machine.run?.notes ?? [])])])
}

function whatIsLost({ machine, tree, snapshot }: Found, differences: readonly DefinitionDifference[], options: RevertOptions): string {
  const last = tree.snapshots.find(({ id }) => id === tree.current.parentId)
  const running = machine.state === 'running' || machine.state === 'paused' || machine.state === 'saved'
  const lines = [
    `“${machine.definition.name}” goes back to “${snapshot.name}”, taken ${timeInWords(snapshot.takenAt)}, ${options.memory && snapshot.memory ? 'with its memory' : 'disks only'}.`,
    `  lost: what was done since ${last ? `“${last.name}”` : 'it was made'}, ${sizeInWords(tree.current.sizeBytes)}${running ? ' and what is in memory' : ''}`,
    ...differences.map(({ label, then, now }) => `  ${label}: ${now ?? '-'} becomes ${then ?? '-'}`),
  ]
  return lines.map((line) => `${line}\n`).join('')
}
