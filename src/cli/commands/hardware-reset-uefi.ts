import { RingsideError } from '@shared/errors'
import { freshNvram } from '@shared/model'
import { change, storedHardware } from '../change-hardware'
import type { Cli } from '../cli'
import { agrees, requirePerson } from '../confirm'
import { machineAsJson } from '../output'

/** `ringside hardware reset-uefi …` */
export function registerHardwareResetUefi(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('reset-uefi <machine>', 'Gives a machine that is off new UEFI variables, as its firmware comes with them. The old ones are kept beside them.')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nBoot entries, keys and settings that were made in the firmware are in the old variables only.\n\nExample:\n  ringside hardware reset-uefi web-01')
  command.action((wanted: string, { yes }: { yes?: boolean }) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { firmware, ...rest } = storedHardware(machine)
      if (firmware.type === 'bios') throw new RingsideError('INVALID_INPUT', `“${machine.definition.name}” starts with a BIOS, which has no UEFI variables.`)
      const hardware = { ...rest, firmware: { ...firmware, nvram: freshNvram } }
      const { issues } = await run.client.hardware.plan({ id: machine.id, hardware })
      // What can't be is refused by the change itself, with every fault.
      const possible = issues.every(({ severity }) => severity === 'warning')
      if (possible) for (const { message } of issues) run.remark(`ringside: ${message}\n`)
      if (possible && yes !== true) {
        requirePerson(run, 'resetting UEFI variables')
        if (!(await agrees(run, `Reset the UEFI variables of “${machine.definition.name}”? [y/N] `))) return run.answer({ ...machineAsJson(machine), differences: [] }, 'Nothing was changed.\n')
      }
      await change(run, machine, hardware)
    }),
  )
}
