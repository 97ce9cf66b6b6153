import { RingsideError } from '@shared/errors'
import { type Snapshot, SnapshotDescription, SnapshotName } from '@shared/model'
import type { SnapshotContext } from './context'
import { namesOf } from './names'
import { bytesOf, divide } from './shares'
import { snapshotIn, type Survey, survey as look } from './survey'
import { clonesBySnapshot, parentsIn, snapshotView } from './tree'

/**
 * Gives a snapshot another name or description, whatever the machine does meanwhile.
 * Throws `NOT_FOUND`, `NAME_TAKEN`, `INVALID_INPUT`, `DISK_FULL`, and the reason where its record can't be read.
 */
export async function changeSnapshot(context: SnapshotContext, machineId: string, snapshotId: string, change: { name?: string; description?: string }): Promise<Snapshot> {
  const survey = await look(context, context.library.get(machineId))
  const { files } = snapshotIn(survey, snapshotId)
  const name = change.name === undefined ? undefined : SnapshotName.safeParse(change.name)
  const description = change.description === undefined ? undefined : SnapshotDescription.safeParse(change.description)
  const fault = name?.error ?? description?.error
  if (fault !== undefined) throw new RingsideError('INVALID_INPUT', fault.issues[0]?.message ?? 'This can’t be used.', { hint: 'Choose another one.' })
  const release = name === undefined ? null : context.namesInUse.reserve(survey, name.data ?? '', snapshotId)
  try {
    await context.manifests.change(files, snapshotId, (manifest) => ({ ...manifest, name: name?.data ?? manifest.name, description: description?.data ?? manifest.description }))
  } finally {
    release?.()
  }
  return viewOf(context, await look(context, context.library.get(machineId), survey.outside), snapshotId)
}

/** One snapshot as it is shown. Throws `NOT_FOUND`. */
export async function viewOf(context: SnapshotContext, survey: Survey, snapshotId: string): Promise<Snapshot> {
  const found = snapshotIn(survey, snapshotId)
  const names = namesOf(survey, null)
  const clones = await clonesBySnapshot(names, context.library)
  return snapshotView(found, parentsIn(survey).of.get(snapshotId) ?? null, bytesOf(divide(survey, names).bySnapshot.get(snapshotId) ?? []), clones.get(snapshotId) ?? [])
}
