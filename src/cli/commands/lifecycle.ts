import { InvalidArgumentError } from 'commander'
import { RingsideError } from '@shared/errors'
import { isLive, type MachineView } from '@shared/model'
import type { Cli, Run } from '../cli'
import { followJob } from '../follow-job'
import { machineAsJson } from '../output'
import { waitForState } from '../wait-for-state'

/** How long `stop` waits for the guest by default. Seconds. */
const defaultStopTimeoutS = 60

/** Verbs that are one call each. */
const simpleVerbs = [
  ['pause', 'Pauses a running machine.', 'is paused'],
  ['resume', 'Goes on with a paused machine.', 'runs'],
  ['reset', 'Restarts a machine at once, as its reset button.', 'was reset'],
  ['discardSaved', 'Throws the saved state of a machine away; it starts anew next time.', 'has no saved state any more'],
] as const

export function registerLifecycle(cli: Cli): void {
  registerStart(cli)
  for (const [verb, description, outcome] of simpleVerbs) {
    const command = cli.command(`${verb === 'discardSaved' ? 'discard-saved' : verb} <machine>`, description)
    command.action((wanted: string) =>
      cli.perform(command, async (run) => {
        const { id } = await run.machine(wanted)
        report(run, await run.client.machine[verb]({ id }), outcome)
      }),
    )
  }
  registerStop(cli)
  registerSave(cli)
  registerRename(cli)
}

function registerStart(cli: Cli): void {
  const command = cli
    .command('start <machine>', 'Starts a machine, or goes on from its saved state.')
    .option('--disposable', 'throw away what the guest writes when the machine is off; there are no snapshots meanwhile')
    .addHelpText('after', '\nExamples:\n  ringside start web-01\n  ringside start web-01 --disposable')
  command.action((wanted: string, options: { disposable?: boolean }) =>
    cli.perform(command, async (run) => {
      const { id } = await run.machine(wanted)
      const machine = await run.client.machine.start({ id, disposable: options.disposable === true })
      report(run, machine, machine.run?.disposable === true ? 'runs; what it writes is thrown away when it is off' : 'runs')
    }),
  )
}

function registerStop(cli: Cli): void {
  const command = cli
    .command('stop <machine>', 'Shuts a machine down and waits until it is off.')
    .option('--timeout <seconds>', `how long the guest may take (${String(defaultStopTimeoutS)} unless given)`, seconds)
    .option('--force', 'switch the power off: at once, or when the guest took longer than a given --timeout')
    .option('--no-wait', 'only press the power button')
  command.action((wanted: string, options: { timeout?: number; force?: boolean; wait: boolean }) =>
    cli.perform(command, async (run) => {
      const { id, definition, state } = await run.machine(wanted)
      if (options.force === true && options.timeout === undefined) {
        return report(run, await run.client.machine.powerOff({ id }), 'is off')
      }
      // Whoever else pressed the button: wait with them.
      const pressed = state === 'stopping' ? await run.client.machine.get({ id }) : await run.client.machine.shutDown({ id })
      if (!options.wait) return report(run, pressed, 'was told to shut down')
      const timeoutS = options.timeout ?? defaultStopTimeoutS
      const ended = await waitForState(run, id, ['stopped', 'crashed', 'saved'], timeoutS * 1000)
      if (ended) {
        if (ended.state === 'crashed') throw new RingsideError('QEMU_FAILED', ended.crash?.reason ?? `“${definition.name}” crashed while it shut down.`, ended.crash?.process ? { process: ended.crash.process } : {})
        return report(run, ended, 'is off')
      }
      if (options.force === true) return report(run, await run.client.machine.powerOff({ id }), 'did not shut down in time and was switched off')
      throw new RingsideError('TIMED_OUT', `“${definition.name}” did not shut down within ${String(timeoutS)} seconds.`, { hint: 'Give it longer with --timeout, or switch it off with --force.' })
    }),
  )
}

function registerSave(cli: Cli): void {
  const command = cli.command('save <machine>', 'Saves a running machine to disk and ends it; `start` goes on from there.')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const { id } = await run.machine(wanted)
      await followJob(run, await run.client.machine.save({ id }))
      report(run, await run.client.machine.get({ id }), 'is saved to disk')
    }),
  )
}

function registerRename(cli: Cli): void {
  const command = cli.command('rename <machine> <name>', 'Gives a machine another name.')
  command.action((wanted: string, name: string) =>
    cli.perform(command, async (run) => {
      const { id } = await run.machine(wanted)
      report(run, await run.client.machine.rename({ id, name }), 'it is called now')
    }),
  )
}

function report(run: Run, machine: MachineView, outcome: string): void {
  const notes = isLive(machine.state) && machine.run ? [machine.run.acceleratorNote, ...machine.run.notes].filter((note) => note !== null) : []
  run.answer(machineAsJson(machine), outcome.startsWith('it is called') ? `It is called “${machine.definition.name}” now.\n` : `“${machine.definition.name}” ${outcome}.\n`)
  for (const note of notes) run.remark(`  ${note}\n`)
}

/** A whole or broken number of seconds above zero. */
export function seconds(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0 || value > 2_000_000) throw new InvalidArgumentError('It is a number of seconds above zero.')
  return value
}
