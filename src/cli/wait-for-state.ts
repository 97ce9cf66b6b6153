import { RingsideError } from '@shared/errors'
import type { MachineState, MachineView } from '@shared/model'
import type { Run } from './cli'

/**
 * Waits until the machine is in one of the states.
 * @param timeoutMs null: as long as it takes
 * @returns the machine then; null when the time ran out
 * @throws `NOT_FOUND` when it is deleted meanwhile, `CANCELLED` on Ctrl+C
 */
export async function waitForState(run: Run, id: string, states: readonly MachineState[], timeoutMs: number | null): Promise<MachineView | null> {
  const timeout = timeoutMs === null ? null : AbortSignal.timeout(timeoutMs)
  const signal = timeout ? AbortSignal.any([run.signal, timeout]) : run.signal
  try {
    for await (const event of await run.client.host.watch(undefined, { signal })) {
      const machine = event.type === 'opened' ? event.machines.find((one) => one.id === id) : event.type === 'machineChanged' && event.machine.id === id ? event.machine : undefined
      if ((event.type === 'opened' && !machine) || (event.type === 'machineRemoved' && event.id === id)) {
        throw new RingsideError('NOT_FOUND', 'The machine was deleted meanwhile.')
      }
      if (machine && states.includes(machine.state)) return machine
    }
  } catch (thrown) {
    if (run.signal.aborted) throw new RingsideError('CANCELLED', 'Interrupted; the machine goes on.', {}, { cause: thrown })
    if (timeout?.aborted !== true) throw thrown
  }
  if (run.signal.aborted) throw new RingsideError('CANCELLED', 'Interrupted; the machine goes on.')
  return null
}
