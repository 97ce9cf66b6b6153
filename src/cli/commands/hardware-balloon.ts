import { RingsideError } from '@shared/errors'
import { change, storedHardware } from '../change-hardware'
import { usageError, type Cli, type Run } from '../cli'
import { facts, machineAsJson, sizeInWords } from '../output'

/** How long a running machine may take until its next reading, milliseconds. */
const readingMs = 5000
const MiB = 2 ** 20

/** `ringside hardware balloon …` */
export function registerHardwareBalloon(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('balloon <machine> [memory]', 'What the memory balloon is to leave the guest: a size, or “all”. Without one, tells that and what the guest has now.')
    .addHelpText('after', '\nExamples:\n  ringside hardware balloon web-01 2G\n  ringside hardware balloon web-01 all\n  ringside hardware balloon web-01')
  command.action((wanted: string, memory: string | undefined) =>
    cli.perform(command, async (run) => {
      const target = memory === undefined ? undefined : memory === 'all' ? null : targetOf(memory)
      const machine = await run.machine(wanted)
      const hardware = storedHardware(machine)
      if (target !== undefined) {
        await change(run, machine, { ...hardware, memory: { ...hardware.memory, targetMiB: target } })
        return
      }
      const actualBytes = machine.run === null ? null : await guestMemory(run, machine.id)
      const { targetMiB } = hardware.memory
      run.answer({ ...machineAsJson(machine), targetMiB, actualMiB: actualBytes === null ? null : Math.round(actualBytes / MiB) }, facts([
        ['Memory', sizeInWords(hardware.memoryMiB * MiB)], ['Left by the balloon', targetMiB === null ? 'all of it' : sizeInWords(targetMiB * MiB)],
        ['The guest has', actualBytes === null ? null : sizeInWords(actualBytes)],
      ]))
    }),
  )
}

function targetOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)([MGT])(?:i?B)?$/iu.exec(text) ?? []
  const target = Number(number) * 1024 ** 'MGT'.indexOf(unit.toUpperCase())
  if (number === '' || !Number.isInteger(target)) throw usageError('error: the balloon takes a size in whole MiB, such as 512M or 2G, or “all”')
  return target
}

/** What the guest has now, bytes; null: it does not tell. */
async function guestMemory(run: Run, id: string): Promise<number | null> {
  const timeout = AbortSignal.timeout(readingMs)
  try {
    for await (const event of await run.client.metrics.watch(undefined, { signal: AbortSignal.any([run.signal, timeout]) })) {
      const last = event.id === id ? event.samples.at(-1) : undefined
      // Earlier readings come first, and may be old.
      if (last !== undefined && Date.now() - last.at < readingMs) return last.guestMemoryBytes
    }
  } catch (error) {
    if (run.signal.aborted) throw new RingsideError('CANCELLED', 'Interrupted.', {}, { cause: error })
    if (!timeout.aborted) throw error
  }
  return null
}
