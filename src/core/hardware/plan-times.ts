import type { HardwareDifference, MachineDefinition, MachineHardware } from '@shared/model'
import { type LiveChange, withLiveChange } from '../engine/live-change'
import { compareDefinitions } from '../snapshot/compare'
import { inPresentLayers, withHardware } from './hardware'
import { pathOf } from './live-path'

/**
 * What a change makes different from what is stored, and what of that is so at once.
 * @param present what the guest has
 * @param whyNot why the rest waits, by the path of its device and its own
 */
export function whenOf(present: MachineDefinition, stored: MachineDefinition, wanted: MachineHardware, changes: readonly LiveChange[], whyNot: (device: string, path: string) => string): HardwareDifference[] {
  const live = new Set(changes.map(pathOf))
  const then = changes.reduce(withLiveChange, present)
  return compareDefinitions(stored, withHardware(stored, inPresentLayers(wanted, stored)))
    .filter((difference) => difference.then !== difference.now)
    .map((difference) => {
      const device = difference.path.split('.').slice(0, 2).join('.')
      if (isLive(difference.path, device, live)) return { ...difference, when: 'now' as const, reason: null }
      // It was to come at the next start, and now is as it is already.
      if (isAsItRuns(then, wanted, difference.path, difference.now)) return { ...difference, when: 'now' as const, reason: null }
      return { ...difference, when: 'nextStart' as const, reason: whyNot(device, difference.path) }
    })
}

function isLive(path: string, device: string, live: ReadonlySet<string>): boolean {
  return live.has(path) || (device !== path && live.has(device))
}

function isAsItRuns(running: MachineDefinition, wanted: MachineHardware, path: string, now: string | null): boolean {
  const differing = compareDefinitions(running, withHardware(running, wanted)).find((difference) => difference.path === path)
  return differing === undefined || differing.now !== now
}
