import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { notes, requireLink } from '../supervise'

/**
 * Presses the power button and says so: the guest is asked, not made. One that has not begun to switch itself off after
 * `powerButtonPatience` counts as running again, with a note; it may still be busy shutting down, and if it then ends it is stopped
 * all the same. The button can be pressed again at any time (decision 031).
 */
export async function shutDown(context: ManagerContext, slot: MachineSlot): Promise<void> {
  const link = await requireLink(context, slot, 'shutDown')
  slot.removeNote(notes.powerButton)
  await link.command('pressPowerButton', {}, { timeoutMs: context.timings.command })
  if (slot.state !== 'running' && slot.state !== 'stopping') return
  slot.set({ state: 'stopping' })
  slot.stopWaitingForPowerButton()
  slot.powerButtonTimer = setTimeout(() => {
    slot.powerButtonTimer = null
    if (slot.state !== 'stopping') return
    slot.set({ state: 'running' })
    slot.addNote(notes.powerButton)
  }, context.timings.powerButtonPatience)
  slot.powerButtonTimer.unref()
}
