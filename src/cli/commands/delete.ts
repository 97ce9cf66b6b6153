import type { Cli } from '../cli'
import { agrees, requirePerson } from '../confirm'
import { sizeInWords } from '../output'

export function registerDelete(cli: Cli): void {
  const command = cli
    .command('delete <machine>', 'Deletes a machine with its disks; to the trash where there is one.')
    .alias('rm')
    .option('--yes', 'do not ask')
    .option('--permanently', 'delete for good, without the trash')
  command.action((wanted: string, options: { yes?: boolean; permanently?: boolean }) =>
    cli.perform(command, async (run) => {
      const { id, definition } = await run.machine(wanted)
      const plan = await run.client.machine.deletePlan({ id })
      const permanently = options.permanently === true
      if (options.yes !== true) {
        requirePerson(run, 'deleting')
        run.remark(`“${definition.name}” goes${permanently || !plan.toTrash ? '' : ' to the trash'}, ${sizeInWords(plan.bytes)} with:\n`)
        for (const file of plan.deletes) run.remark(`  ${file.path} (${sizeInWords(file.bytes)})\n`)
        for (const path of plan.keeps) run.remark(`  stays: ${path}\n`)
        if (!(await agrees(run, permanently ? 'Delete it for good? [y/N] ' : 'Delete it? [y/N] '))) return run.answer({ id, name: definition.name, deleted: false }, 'Nothing was deleted.\n')
      }
      const { trashed } = await run.client.machine.delete({ id, permanently })
      run.answer({ id, name: definition.name, deleted: true, trashed, deletes: plan.deletes, keeps: plan.keeps }, `“${definition.name}” is ${trashed ? 'in the trash' : 'deleted'}.\n`)
    }),
  )
}
