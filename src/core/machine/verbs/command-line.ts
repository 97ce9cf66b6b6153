import type { CommandLine } from '@shared/model'
import { readLastStart } from '../last-start'
import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { adoptionPlan } from '../run-record'
import { prepare } from './start'

/** What QEMU was given, or would be given if the machine were started now; what it was given last, and what the next start would give it. */
export async function commandLine(context: ManagerContext, slot: MachineSlot): Promise<CommandLine> {
  const { record } = slot
  const last = await readLastStart(slot.stored.paths)
  if (record === null) {
    const argv = await ofNextStart(context, slot)
    return { argv, last, next: argv }
  }
  // What can't be told of the next start, such as files that are not there now, keeps nobody from seeing what runs.
  const [argv, next] = await Promise.all([context.commandLine(adoptionPlan(record, slot.stored.paths)), ofNextStart(context, slot).catch(() => null)])
  return { argv, last, next }
}

async function ofNextStart(context: ManagerContext, slot: MachineSlot): Promise<string[]> {
  const { plan } = await prepare(context, slot, slot.record === null ? slot.state : 'stopped', { forStart: false, disposable: false })
  return context.commandLine(plan)
}
