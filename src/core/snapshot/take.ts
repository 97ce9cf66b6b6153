import { randomUUID } from 'node:crypto'
import { RingsideError } from '@shared/errors'
import type { SnapshotKind, SnapshotManifest, TakeSnapshotRequest } from '@shared/model'
import { snapshotFiles } from '../library'
import { look, type Work } from './context'
import { topsOf } from './definition-layers'
import { findObstacles, refuseObstacles } from './obstacles'
import { requireRoom } from './room'
import { takeOff } from './take-off'
import { takeRunning } from './take-running'
import type { Taking } from './taking'
import { parentsIn } from './tree'

/** Room for one new layer, or for records: an empty layer takes less than half of it. Bytes. */
const layerRoom = 2 ** 20

/**
 * Takes a snapshot of a machine in any state that holds still or runs. It is there as a whole when this resolves. When this throws or is cut off, there is none, and the machine
 * is and does what it was and did before.
 * @param forClone the machine that is to stand on it, or to be copied from it, and is not there yet
 * Throws `NAME_TAKEN`, `IMAGE_UNSUPPORTED`, `DISK_FULL`, `CAPABILITY_MISSING` (no agent to hold the file systems still), `CANCELLED`, and what QEMU throws.
 */
export async function take(work: Work, request: TakeSnapshotRequest, kind: SnapshotKind, forClone: string | null = null): Promise<SnapshotManifest> {
  const { context, held, reporter } = work
  reporter.report(null, 'Looking at the disks')
  const survey = await look(work)
  const release = context.namesInUse.reserve(survey, request.name)
  try {
    refuseObstacles(await findObstacles(survey, held.live && held.run !== null ? held.run.definition : survey.stored.definition), held.stored.definition.name)
    await requireRoom(survey.folder, (Object.keys(topsOf(held.stored.definition)).length + 1) * layerRoom, 'a snapshot')
    if (request.quiesce && held.live) await requireAgent(work)
    const id = randomUUID()
    const taking: Taking = { request, kind, forClone, id, files: snapshotFiles(held.stored.paths.snapshotsFolder, id), parentId: parentsIn(survey).current, survey }
    const manifest = held.live ? await takeRunning(work, taking) : await takeOff(work, taking)
    for (const note of manifest.notes) reporter.note?.(note)
    held.log('snapshot.taken', { id, name: manifest.name, method: manifest.method, pauseMs: manifest.pauseMs })
    return manifest
  } finally {
    release()
  }
}

async function requireAgent({ held }: Work): Promise<void> {
  const { obstacle } = await held.command('freezeObstacle', {})
  if (obstacle === null) return
  throw new RingsideError('CAPABILITY_MISSING', `The file systems of “${held.stored.definition.name}” can't be held still. ${obstacle}`, {
    hint: 'Take the snapshot without that; its disks are then as after a power cut.',
  })
}
