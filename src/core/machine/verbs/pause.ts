import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { requireLink } from '../supervise'

/** Stops the guest's processors; its memory stays. */
export async function pause(context: ManagerContext, slot: MachineSlot): Promise<void> {
  const link = await requireLink(context, slot, 'pause')
  await link.command('pause', {}, { timeoutMs: context.timings.command })
  if (slot.state === 'running') slot.set({ state: 'paused' })
}
