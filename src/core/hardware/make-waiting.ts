import { isRingsideError, type RingsideError } from '@shared/errors'
import type { LiveChange } from '../engine/live-change'
import { presentOf } from './apply'
import type { HardwareWork } from './context'
import { inPresentLayers, withHardware } from './hardware'
import { isAskedFor, makeAllLive, type NotMade } from './make-live'
import { planWaiting } from './saved-plan'

/**
 * Makes what waits for a machine that has gone on from its memory, as if somebody changed it now. `machine.json` says what is wanted and gets the places of what is plugged in first, so that
 * whoever takes the machine over meanwhile finds what QEMU has; the record of the run says that changes are due until all were tried. What can’t be made goes on waiting, and a note of the
 * run says why. Does not throw for what is wrong with a change.
 */
export async function makeWaiting(work: HardwareWork): Promise<void> {
  const { context, held } = work
  if (held.run?.changesDue !== true) return
  const present = await presentOf(held)
  if (present === null || present.isSaved) return
  const { hardware, changes } = planWaiting(present, held.stored.definition)
  if (changes.length > 0) {
    await context.snapshots.library.update(held.id, (now) => withHardware(now, inPresentLayers(hardware, now)))
    await context.atStep('hardware:places-given')
    const notMade = await makeInTurn(work, changes)
    if (notMade === null) return
    for (const { error } of notMade) held.addNote(`A change from while the machine was saved waits. ${(error as Error).message}`)
    context.snapshotsChanged(held.id)
  }
  await held.noteChangesMade()
}

/** null: the machine has ended, or is let go of; the next host goes on. */
async function makeInTurn(work: HardwareWork, changes: readonly LiveChange[]): Promise<NotMade[] | null> {
  const { held } = work
  let taken: RingsideError | null = null
  try {
    await held.requireFreeImages(held.stored.definition)
  } catch (error) {
    if (!isRingsideError(error)) throw error
    taken = error
  }
  const notMade = await makeAllLive(work, changes.filter(isAskedFor))
  for (const change of changes.filter((each) => !isAskedFor(each))) {
    if (!held.live || held.signal.aborted) return null
    const needsImage = change.kind === 'plugDisk' || (change.kind === 'changeMedium' && change.image !== null)
    if (taken !== null && needsImage) notMade.push({ change, error: taken })
    else notMade.push(...(await makeAllLive(work, [change])))
  }
  return held.live && !held.signal.aborted ? notMade : null
}
