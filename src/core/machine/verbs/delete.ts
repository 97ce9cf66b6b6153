import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'

/** Deletes a machine that does not run. The library says what goes with it. */
export async function deleteMachine(context: ManagerContext, slot: MachineSlot, options: { permanently: boolean }): Promise<{ trashed: boolean }> {
  await slot.cleaning
  await slot.log.flushed()
  return context.library.remove(slot.id, options)
}
