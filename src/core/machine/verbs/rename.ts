import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'

/** Gives a machine another name, also while it runs: what QEMU was told at the start shows nowhere but in its process title. */
export async function rename(context: ManagerContext, slot: MachineSlot, name: string): Promise<void> {
  const before = slot.name
  await context.library.update(slot.id, (definition) => ({ ...definition, name }))
  slot.log.write('renamed', { from: before, to: slot.name })
}
