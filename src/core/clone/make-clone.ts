import type { CloneRequest } from '@shared/model'
import { readOwnFile, writeAtomically } from '../config'
import { linkOrCopy } from '../creation'
import { type MachineFiles, savedRamPath } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { prepareSavedFolder, writeSavedRun } from '../machine/saved-state'
import type { Work } from '../snapshot/context'
import { adviceFor } from './advice'
import { forgetBase, settleBase } from './base-snapshot'
import type { CloneContext } from './context'
import { newIdentity, requireFreeName } from './identity'
import { makeImages } from './make-images'
import { type ClonePlan, planClone, warmDefinition } from './plan-clone'
import { findStanding, type Standing, type WarmMemory } from './standing'

/**
 * Makes a machine out of one that the caller holds. It is there as a whole when this resolves; when this throws or is cut off there is none, and the
 * original is as it was. Resolves to its id.
 */
export async function makeClone(context: CloneContext, work: Work, request: CloneRequest): Promise<string> {
  const { library, createdBy } = context.snapshots
  const { held, reporter } = work
  requireFreeName(library, request.name)
  const identity = newIdentity(library, request.name, held.stored.definition, createdBy)
  const standing = await findStanding(work, request, identity.id)
  try {
    if (standing.base !== null) await context.atStep('clone:base-taken')
    // From here on nothing depends on what the original does.
    if (held.live) held.outliveRun()
    const plan = planClone({
      source: standing.source, folder: held.stored.paths.folder,
      identity: { ...identity, macAddresses: newIdentity(library, request.name, standing.source, createdBy).macAddresses },
      origin: { kind: request.kind, machineId: held.id, machineName: held.stored.definition.name, snapshotId: request.kind === 'full' && standing.base !== null ? null : standing.snapshotId },
    })
    await library.add(plan.definition, async (paths) => {
      await makeParts(context, work, standing, plan, paths)
    })
    const key = await context.diskKeys.find(held.id)
    // Whoever made it need not be asked at once for what was given just now.
    if (key !== null && plan.definition.disks.some(({ encrypted }) => encrypted)) context.diskKeys.hold(identity.id, key)
    await context.atStep('clone:added')
    held.log('cloned', { clone: identity.id, kind: request.kind, snapshot: standing.snapshotId, warm: standing.memory !== null })
    for (const sentence of adviceFor(request, plan.definition, context.catalog)) reporter.note?.(sentence)
  } catch (error) {
    if (standing.base !== null) await forgetBase(work, standing.base)
    throw error
  }
  if (standing.base !== null) await settleBase(work, standing.base, request.kind)
  await context.atStep('clone:base-settled')
  // A warm one shows as saved only when its folder has been looked at.
  await context.snapshots.machines.settled(identity.id)
  context.snapshotsChanged(held.id)
  return identity.id
}

async function makeParts(context: CloneContext, { held, reporter, signal }: Work, { memory }: Standing, plan: ClonePlan, paths: MachineFiles): Promise<void> {
  const { library, imageTool } = context.snapshots
  if (plan.definition.disks.some(({ encrypted }) => encrypted)) await copyLock(held.stored.paths.keyFile, paths.keyFile)
  await makeImages(plan, {
    tool: await imageTool(),
    original: { machineFolder: held.stored.paths.folder, baseFolders: baseFoldersOf(library, held.stored.definition) },
    folder: paths.folder, reporter, signal,
  })
  await context.atStep('clone:images-made')
  if (memory === null) return
  await keepMemory(memory, plan, paths, (fraction) => { reporter.report(fraction, 'Copying memory') }, signal)
  await context.atStep('clone:memory-kept')
}

/** Without it the clone's disks could not be opened. */
async function copyLock(from: string, to: string): Promise<void> {
  await writeAtomically(to, await readOwnFile(from))
}

/** The clone is made in the state “saved”. The record comes last: memory without one is none. */
async function keepMemory({ file, ...saved }: WarmMemory, { definition }: ClonePlan, paths: MachineFiles, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
  await prepareSavedFolder(paths)
  await linkOrCopy(file, paths.savedRam, onProgress, signal)
  await writeSavedRun(paths, { ...saved, schemaVersion: 1, ramFile: savedRamPath, definition: warmDefinition(saved.definition, definition) })
}
