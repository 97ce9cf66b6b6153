import type { MachineSlot } from '../machine-slot'
import { readCrash } from '../last-run'
import { removeSaved } from '../saved-state'

/** Throws the saved memory away: for the guest it is as if the plug had been pulled when it was saved. */
export async function discardSaved(slot: MachineSlot): Promise<void> {
  const { paths } = slot.stored
  await slot.cleaning
  await removeSaved(paths)
  slot.log.write('saved.discarded')
  slot.savedGuest = null
  const crash = await readCrash(paths)
  slot.set({ state: crash === null ? 'stopped' : 'crashed', saved: null, crash })
}
