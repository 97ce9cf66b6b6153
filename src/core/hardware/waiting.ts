import type { HardwareDifference, MachineDefinition } from '@shared/model'
import { isChannel, type LiveChange } from '../engine/live-change'
import { pathOf } from './live-path'
import type { LivePlan } from './live-plan'
import { goesAlong, isAskedFor } from './make-live'
import { planWaiting, waitingForSaved } from './saved-plan'
import type { PresentHardware } from './apply'

const keptByGuest = 'The guest has not let go of it. It goes when the guest does, when it restarts, or at the next start; the guest can be asked again.'
const notMade = 'It was not made while the machine runs, and comes at the next start.'

/** What waits for a machine that runs or is saved, when each of it comes, and why it waits; of others nothing waits. */
export function waitingFor(present: PresentHardware | null, stored: MachineDefinition): HardwareDifference[] {
  if (present === null) return []
  if (present.isSaved) return waitingForSaved(present, stored)
  const { differences, changes } = planWaiting(present, stored)
  return differences.map((difference) => (difference.when === 'nextStart' ? difference : { ...difference, when: 'nextStart', reason: whyKept(difference.path, changes) }))
}

/** What a change does to a machine whose guest is paused: it lets go of nothing; only USB disks are pulled out unasked. */
export function differencesOfPaused({ differences, changes }: Pick<LivePlan, 'differences' | 'changes'>, { disks }: Pick<MachineDefinition, 'disks'>): HardwareDifference[] {
  const asked = changes.filter((change) => isAskedFor(change) && !(change.kind === 'unplugDisk' && disks.some(({ id, bus }) => id === change.id && bus === 'usb'))).flatMap((change) => [pathOf(change), ...goesAlong(change)])
  return differences.map((difference) => (asked.some((path) => difference.path === path || difference.path.startsWith(`${path}.`)) ? { ...difference, when: 'nextStart', reason: 'The guest is paused and can’t let go of it. Resume the machine first to take it out now.' } : difference))
}

/** Why a change waits that could be made: the guest had its say. */
function whyKept(path: string, changes: readonly LiveChange[]): string {
  const change = changes.find((each) => path === pathOf(each) || path.startsWith(`${pathOf(each)}.`))
  switch (change?.kind) {
    case 'unplugDisk':
    case 'unplugNic':
    case 'unplugFolder':
    case 'unplugPci':
    case 'unplugVsock':
    case 'unplugProcessor':
      return keptByGuest
    case 'unplugSystem':
      return isChannel(change.part) ? notMade : keptByGuest
    case 'changeMedium':
      return 'The guest keeps the drive locked; the disc is changed at the next start, or by force.'
    default:
      return changes.some((each) => goesAlong(each).includes(path)) ? 'It comes with what the guest has not let go of yet.' : notMade
  }
}
