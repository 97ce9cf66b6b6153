import type { Command } from 'commander'
import { factsOf } from '@core/snapshot/compare'
import { resolve } from 'node:path'
import { RingsideError } from '@shared/errors'
import { answerPlan, change, differencesInWords, inWords, storedHardware } from '../change-hardware'
import { usageError, type Cli } from '../cli'
import { withValues } from '../hardware-edits'
import { facts, machineAsJson, table } from '../output'
import { machineOf } from '../snapshot-output'
import { registerHardwareBalloon } from './hardware-balloon'
import { registerHardwareCommand } from './hardware-command'
import { registerHardwareDisk } from './hardware-disk'
import { registerPreset } from './hardware-preset'
import { registerHardwareFolder } from './hardware-folder'
import { registerHardwarePci } from './hardware-pci'
import { registerHardwareResetUefi } from './hardware-reset-uefi'
import { registerHardwareUsb } from './hardware-usb'

type Group = Pick<Cli, 'command'>

/** `ringside hardware …` */
export function registerHardware(cli: Cli): void {
  const group = cli.group('hardware', 'What a machine is made of: look at it, change it while it runs, go back.')
  registerShow(cli, group)
  registerSet(cli, group)
  registerPreset(cli, group)
  registerHardwareCommand(cli, group)
  registerDiscard(cli, group)
  registerRetry(cli, group)
  registerCd(cli, group)
  registerLink(cli, group)
  registerHardwareBalloon(cli, group)
  registerHardwareDisk(cli, group)
  registerHardwareFolder(cli, group)
  registerHardwareUsb(cli, group)
  registerHardwarePci(cli, group)
  registerHardwareResetUefi(cli, group)
  registerHistory(cli, group)
  registerRevert(cli, group)
}

function registerShow(cli: Cli, group: Group): void {
  const command = group
    .command('show <machine>', 'What the machine is made of, and which changes wait, until when and why.')
    .option('--properties', 'what can be set, to what, and whether while it runs')
    .addHelpText('after', '\nExamples:\n  ringside hardware show web-01\n  ringside hardware show web-01 --properties')
  command.action((wanted: string, options: { properties?: boolean }) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const properties = await run.client.hardware.properties({ id: machine.id })
      const waiting = machine.next === null ? [] : (await run.client.hardware.plan({ id: machine.id, hardware: machine.next })).waiting
      const text = options.properties === true
        ? table(['PATH', 'WHAT', 'MAY BE', 'LIVE'], properties.map((property) => [
            property.path, property.label,
            property.obstacle ?? (property.kind === 'choice' ? property.choices.filter(({ obstacle }) => obstacle === null).map(({ value }) => value).join(', ') : property.kind === 'number' ? `${String(property.minimum ?? '')}–${String(property.maximum ?? '')} ${property.unit ?? ''}`.trim() : property.kind),
            property.live.possible ? 'yes' : 'no',
          ]))
        : facts(factsOf(machine.definition).map(({ label, value }) => [label, value])) + (waiting.length === 0 ? '' : `\nWhat waits:\n${differencesInWords(waiting, machine.state)}`)
      run.answer({ ...machineOf(machine), hardware: machine.definition, next: machine.next, waiting, properties }, text)
    }),
  )
}

function registerSet(cli: Cli, group: Group): void {
  const command = group
    .command('set <machine> <change...>', 'Changes hardware: PATH=VALUE, as many as are wanted, all or none. What can be is changed while the machine runs, the rest at its next start; of a saved machine when it goes on, or after its next shut down.')
    .option('--plan', 'only tell what would happen')
    .addHelpText('after', '\nA value is JSON, or text; a device is named by its id. The paths are those of `ringside hardware show --properties`.\n\nExamples:\n  ringside hardware set web-01 memoryMiB=4096 processors.cores=4\n  ringside hardware set web-01 disks.disk0.limits=\'{"writesPerSecond":500}\'\n  ringside hardware set web-01 sound=null --plan\n  ringside hardware set web-01 \'tpm={}\' firmware.secureBoot=true')
  command.action((wanted: string, changes: string[], options: { plan?: boolean }) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const hardware = withValues(storedHardware(machine), changes)
      if (options.plan !== true) {
        // What is lost is said, also to who does not ask beforehand.
        for (const { message, severity } of (await run.client.hardware.plan({ id: machine.id, hardware })).issues) if (severity === 'warning') run.remark(`ringside: ${message}\n`)
        await change(run, machine, hardware)
        return
      }
      answerPlan(run, machine, await run.client.hardware.plan({ id: machine.id, hardware }), machineOf(machine))
    }),
  )
}

function registerDiscard(cli: Cli, group: Group): void {
  const command = group
    .command('discard <machine>', 'Takes back every change that waits.')
    .addHelpText('after', '\nExample:\n  ringside hardware discard web-01')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const { id } = await run.machine(wanted)
      const machine = await run.client.hardware.discardPending({ id })
      run.answer(machineAsJson(machine), `Nothing waits for “${machine.definition.name}”.\n`)
    }),
  )
}

function registerRetry(cli: Cli, group: Group): void {
  const command = group
    .command('retry <machine>', 'Tries again to make what waits while the machine runs: the guest is asked once more for what it kept.')
    .addHelpText('after', '\nExample:\n  ringside hardware retry web-01')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      if (machine.next === null) run.answer({ ...machineAsJson(machine), differences: [] }, `Nothing waits for “${machine.definition.name}”.\n`)
      else await change(run, machine, storedHardware(machine), { again: true })
    }),
  )
}

/** The one that is named, or the only one. */
function deviceOf<T extends { id: string }>(devices: readonly T[], wanted: string | undefined, what: string, option: string): T {
  const found = wanted === undefined ? (devices.length === 1 ? devices[0] : undefined) : devices.find(({ id }) => id === wanted)
  if (found !== undefined) return found
  const ids = devices.map(({ id }) => id).join(', ')
  throw new RingsideError('NOT_FOUND', wanted === undefined && devices.length > 1 ? `The machine has several: say which ${what} with ${option}.` : `The machine has no such ${what}${wanted === undefined ? '' : `: ${wanted}`}.`, {
    hint: ids === '' ? `It has no ${what} at all.` : `There is: ${ids}.`,
  })
}

function registerCd(cli: Cli, group: Group): void {
  const command = group
    .command('cd <insert|eject> <machine> [image]', 'Puts a disc into a CD drive, or takes it out; also while the machine runs.')
    .option('--drive <id>', 'which drive, where there are several')
    .option('--force', 'also while the guest keeps the drive locked: what it reads from the disc fails then')
    .addHelpText('after', '\nExamples:\n  ringside hardware cd insert web-01 ~/isos/debian-12.iso\n  ringside hardware cd eject web-01')
  command.action((action: string, wanted: string, image: string | undefined, options: { drive?: string; force?: boolean }) =>
    cli.perform(command, async (run) => {
      requireAction(command, action, ['insert', 'eject'])
      if ((action === 'insert') !== (image !== undefined)) throw usageError(action === 'insert' ? 'error: say which image to insert' : 'error: eject takes no image')
      const machine = await run.machine(wanted)
      const hardware = storedHardware(machine)
      const { id } = deviceOf(hardware.cdroms, options.drive, 'CD drive', '--drive')
      await change(run, machine, { ...hardware, cdroms: hardware.cdroms.map((drive) => (drive.id === id ? { ...drive, image: image === undefined ? null : { kind: 'external', path: resolve(image) } } : drive)) }, { forceDiscs: options.force === true })
    }),
  )
}

function registerLink(cli: Cli, group: Group): void {
  const command = group
    .command('link <up|down> <machine>', 'Plugs the cable of a network card in, or pulls it out; also while the machine runs.')
    .option('--card <id>', 'which card, where there are several')
    .addHelpText('after', '\nExamples:\n  ringside hardware link down web-01\n  ringside hardware link up web-01 --card net1')
  command.action((action: string, wanted: string, options: { card?: string }) =>
    cli.perform(command, async (run) => {
      requireAction(command, action, ['up', 'down'])
      const machine = await run.machine(wanted)
      const hardware = storedHardware(machine)
      const { id } = deviceOf(hardware.nics, options.card, 'network card', '--card')
      await change(run, machine, { ...hardware, nics: hardware.nics.map((nic) => (nic.id === id ? { ...nic, linkUp: action === 'up' } : nic)) })
    }),
  )
}

export function requireAction(command: Command, action: string, known: readonly string[]): void {
  if (!known.includes(action)) throw usageError(`error: hardware ${command.name()} takes ${known.join(' or ')} as its first word`)
}

function registerHistory(cli: Cli, group: Group): void {
  const command = group
    .command('history <machine>', 'Earlier forms of the machine’s hardware, newest first, and how they differ from now.')
    .addHelpText('after', '\nExample:\n  ringside hardware history web-01')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const versions = await run.client.hardware.history({ id: machine.id })
      const rows = versions.map(({ id, until, differences }) => [id, until, differences.map(inWords).join('; ') || 'as now'])
      run.answer({ ...machineOf(machine), versions }, versions.length === 0 ? 'Its hardware has not been changed yet.\n' : table(['VERSION', 'UNTIL', 'SINCE THEN'], rows))
    }),
  )
}

function registerRevert(cli: Cli, group: Group): void {
  const command = group
    .command('revert <machine> <version>', 'Goes back to an earlier form of the hardware; what disks hold stays as it is.')
    .addHelpText('after', '\nExample:\n  ringside hardware revert web-01 20261128T231107123Z')
  command.action((wanted: string, versionId: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      await change(run, machine, await run.client.hardware.version({ id: machine.id, versionId }))
    }),
  )
}
