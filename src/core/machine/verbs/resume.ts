import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { requireLink } from '../supervise'

/** Lets a paused guest go on. */
export async function resume(context: ManagerContext, slot: MachineSlot): Promise<void> {
  const link = await requireLink(context, slot, 'resume')
  await link.command('resume', {}, { timeoutMs: context.timings.command })
  if (slot.state === 'paused') slot.set({ state: 'running' })
}
