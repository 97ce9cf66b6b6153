import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { adoptionPlan } from '../run-record'
import { prepare } from './start'

/** What QEMU was given, or would be given if the machine were started now. */
export async function commandLine(context: ManagerContext, slot: MachineSlot): Promise<string[]> {
  const { record } = slot
  if (record !== null) return context.commandLine(adoptionPlan(record, slot.stored.paths))
  const { plan } = await prepare(context, slot, slot.state, { forStart: false, disposable: false })
  return context.commandLine(plan)
}
