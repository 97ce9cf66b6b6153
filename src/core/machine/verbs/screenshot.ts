import { RingsideError } from '@shared/errors'
import type { MachineSlot } from '../machine-slot'
import type { ManagerContext } from '../manager-context'
import { requireLink } from '../supervise'

/** PNG of the screen now. Throws `CAPABILITY_MISSING` while there is none. */
export async function screenshot(context: ManagerContext, slot: MachineSlot): Promise<Uint8Array> {
  slot.require('screenshot')
  const link = await requireLink(context, slot, 'screenshot')
  const { png } = await link.command('screenshot', {}, { timeoutMs: context.timings.command })
  if (png !== null) return png
  throw new RingsideError('CAPABILITY_MISSING', `“${slot.name}” shows nothing now: ${slot.stored.definition.display.model === 'none' ? 'it has no display' : 'the guest’s display is off'}.`, {
    hint: slot.stored.definition.display.model === 'none' ? 'Open its serial console instead.' : 'Press a key in its console, or wait until the guest has switched its display on.',
  })
}
