import { RingsideError } from '@shared/errors'
import type { Orphan } from '@shared/model'
import { usageError, type Cli } from '../cli'
import { agrees, requirePerson } from '../confirm'
import { followJob, remarkNotes } from '../follow-job'
import { sizeInWords, table } from '../output'
import { argument, machineOf } from '../snapshot-output'

export function registerSnapshotOrphans(cli: Cli, group: Pick<Cli, 'command'>): void {
  registerList(cli, group)
  registerCleanUp(cli, group)
}

function registerList(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('orphans <machine>', 'Files in a machine’s folder that belong to nothing, and snapshots that cannot be used.')
    .addHelpText('after', '\nNothing of that is removed unasked: `ringside snapshot clean-up` does it.\n\nExample:\n  ringside snapshot orphans web-01')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { orphans, problems } = await run.client.snapshot.tree({ id: machine.id })
      run.answer({ ...machineOf(machine), folder: machine.folder, orphans, problems }, orphans.length === 0 ? 'Every file belongs to something.\n' : orphanTable(orphans))
      for (const { path, message, hint } of problems) run.remark(`${message.includes(path) ? '' : `${path}: `}${message}\n  ${hint}\n`)
      if (orphans.length > 0) run.remark(`Next: ringside snapshot clean-up ${argument(machine.definition.name, machine.id)}\n`)
    }),
  )
}

function registerCleanUp(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('clean-up <machine> [path...]', 'Moves files that belong to nothing to the trash: all of them, or those that are named.')
    .option('--permanently', 'delete for good, without the trash')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nPaths are as `ringside snapshot orphans` lists them.\n\nExamples:\n  ringside snapshot clean-up web-01\n  ringside snapshot clean-up web-01 disks/disk0.0badf00d.qcow2 --yes')
  command.action((wanted: string, paths: string[], options: { permanently?: boolean; yes?: boolean }) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { orphans } = await run.client.snapshot.tree({ id: machine.id })
      const chosen = paths.length === 0 ? orphans : [...new Set(paths)].map((path) => pick(orphans, path, machine.definition.name))
      const permanently = options.permanently === true
      const answer = { ...machineOf(machine), removed: chosen, permanently, freedBytes: chosen.reduce((sum, { bytes }) => sum + bytes, 0) }
      if (chosen.length === 0) return run.answer(answer, 'Every file belongs to something; there is nothing to clean up.\n')
      if (options.yes !== true) {
        requirePerson(run, 'cleaning up')
        run.remark(orphanTable(chosen))
        const question = permanently ? 'Delete for good? [y/N] ' : 'Move to the trash? [y/N] '
        if (!(await agrees(run, question))) return run.answer({ ...answer, removed: [], freedBytes: 0 }, 'Nothing was removed.\n')
      }
      const { notes } = await followJob(run, await run.client.snapshot.cleanUp({ id: machine.id, paths: chosen.map(({ path }) => path), permanently }))
      run.answer({ ...answer, notes }, `${chosen.length === 1 ? '1 file' : `${String(chosen.length)} files`} ${permanently ? 'deleted' : 'moved to the trash'}, ${sizeInWords(answer.freedBytes)}.\n`)
      remarkNotes(run, notes)
    }),
  )
}

function pick(orphans: readonly Orphan[], path: string, machineName: string): Orphan {
  if (path === '') throw usageError('error: a path is empty')
  const found = orphans.find((orphan) => orphan.path === path)
  if (found) return found
  throw new RingsideError('NOT_FOUND', `${path} is no file of “${machineName}” that belongs to nothing.`, { hint: orphans.length === 0 ? 'There are no such files.' : `There is ${orphans.map((orphan) => orphan.path).join(', ')}.` })
}

function orphanTable(orphans: readonly Orphan[]): string {
  return table(['FILE', 'SIZE', 'WHAT IT SEEMS TO BE'], orphans.map(({ path, bytes, about }) => [path, sizeInWords(bytes), about]))
}
