import type { MachineDefinition, MachineHardware } from '@shared/model'
import { hasTablet, tabletId, usbPorts } from '../engine/empty-places'
import type { Places } from './places'
import type { Planned } from './planned'
import { othersBehind } from './unplug-obstacles'

const noDisplay = 'The machine has had no display since its start: the pointer comes with one, at the next.'

/**
 * Tells whether the tablet comes or goes while the machine runs, and gives one that comes its port.
 * @param running what runs
 * @param stored what was to be at the next start before this change
 */
export function planPointer(running: MachineDefinition, stored: MachineDefinition, { pointer }: Pick<MachineHardware, 'pointer'>, places: Places): Planned {
  // One that was to go before waits already.
  if (pointer === running.pointer || (pointer === 'ps2' && stored.pointer === 'ps2')) return { changes: [], waits: new Map() }
  const waiting = (reason: string): Planned => ({ changes: [], waits: new Map([['pointer', reason]]) })
  if (running.display.model === 'none') return waiting(noDisplay)
  if (pointer === 'ps2') {
    const obstacle = unplugObstacle(running)
    return obstacle === null ? { changes: [{ kind: 'unplugTablet' }], waits: new Map() } : waiting(obstacle)
  }
  const place = places.forTablet()
  return typeof place === 'string' ? waiting(place) : { changes: [{ kind: 'plugTablet', port: place.port }], waits: new Map() }
}

function unplugObstacle(running: MachineDefinition): string | null {
  if (running.usbController !== 'xhci') return 'Only the USB 3 controller lets devices go while the machine runs; the tablet goes at the next start.'
  return !hasTablet(running) || usbPorts(running).has(tabletId) ? null : othersBehind
}
