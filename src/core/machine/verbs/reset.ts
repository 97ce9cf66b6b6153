import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { requireLink } from '../supervise'

/** Presses the reset button: the guest begins anew at once, without being asked. */
export async function reset(context: ManagerContext, slot: MachineSlot): Promise<void> {
  const link = await requireLink(context, slot, 'reset')
  await link.command('reset', {}, { timeoutMs: context.timings.command })
}
