import { RingsideError } from '@shared/errors'
import { memoryIsPlain, type MachineDefinition, type SnapshotManifest } from '@shared/model'
import { syncFolder } from '../config'
import { linkOrCopy } from '../creation'
import type { SavedRun } from '../engine/engine'
import { copyTpmState } from '../engine/qemu'
import { hardwareOf, withOwnAddresses } from '../hardware/hardware'
import { imagePath, snapshotTpmPath } from '../library'
import { memoryPath, readSavedRun, writeSavedRun } from '../machine/saved-state'
import { throwIfCancelled, type Work } from './context'
import { differingKeys, type Tops, topsOf, withTops, withTpmState } from './definition-layers'
import { makeSnapshotFolder, removeSnapshotFolder } from './manifest'
import { frozenBases } from './obstacles'
import { makeOverlays, syncFile } from './overlays'
import { inFolder } from './survey'
import { completeSnapshot, nameMemory, partialRam, type Taking } from './taking'
import { removeUnnamed } from './unnamed'

/** Takes a snapshot of a machine that is off or saved to disk. The order of the steps is that of docs/decisions/060. */
export async function takeOff(work: Work, taking: Taking): Promise<SnapshotManifest> {
  const { context, held, reporter, signal } = work
  const { files, survey, request } = taking
  const { definition } = held.stored
  const tool = await context.imageTool()
  const saved = held.state === 'saved' ? await readSavedRun(held.stored.paths) : null
  const before = topsOf(definition)
  if (saved !== null) requireSavedDisks(definition, saved)
  const takenAt = saved?.savedAt ?? new Date().toISOString()
  // A frozen layer is never opened for writing again, which is when QEMU would mend what a crash has left.
  for (const own of Object.values(before)) {
    if (survey.graph.own(own)?.dirty !== true) continue
    reporter.report(null, 'Mending the disk after the crash')
    await tool.repair(inFolder(survey, own))
  }
  throwIfCancelled(signal, 'The snapshot')
  const overlays = await makeOverlays(tool, survey.folder, frozenBases(survey))
  try {
    await carryMarks(work, survey, before, overlays)
    await context.atStep('take:overlays-made')
    await makeSnapshotFolder(held.stored.paths.snapshotsFolder, files)
    await context.library.update(held.id, (now) => withTops(now, overlays))
    await context.atStep('take:definition-changed')
    if (saved !== null) {
      await writeSavedRun(held.stored.paths, { ...saved, definition: withTops(saved.definition, overlays) })
      await context.atStep('take:saved-record-changed')
    }
    const keepsMemory = saved !== null && request.memory
    if (keepsMemory) {
      await keepMemory(work, taking, saved)
      await context.atStep('take:memory-named')
    }
    const tpmState = await keepTpm(work, taking, saved?.definition ?? definition)
    throwIfCancelled(signal, 'The snapshot')
    return await completeSnapshot(work, taking, {
      takenAt, machineState: held.state,
      // What waits goes on waiting, and is no part of what is frozen.
      definition: withTpmState(withTops(saved === null ? definition : { ...definition, ...hardwareOf(withOwnAddresses(saved)) }, before), tpmState),
      memory: keepsMemory
        ? { format: saved.ramFormat, compression: saved.ramCompression, qemuVersion: saved.qemuVersion, accelerator: saved.accelerator, definition: withTpmState(withTops(saved.definition, before), tpmState), ownAddresses: saved.ownAddresses }
        : null,
      method: keepsMemory ? 'paused' : 'none', pauseMs: null, quiesced: false,
      notes: keepsMemory && definition.disks.some(({ encrypted }) => encrypted) ? [memoryIsPlain] : [],
    })
  } catch (error) {
    await undo(work, taking, { tops: before, saved }, overlays)
    throw error
  } finally {
    if (saved !== null) await held.refresh()
  }
}

/** What notes the guest's writes for the next backup goes on in the overlays. Where that can't be had, the next backup is whole. */
async function carryMarks({ context, held }: Work, survey: Taking['survey'], before: Tops, overlays: Tops): Promise<void> {
  const tool = await context.imageTool()
  for (const [key, own] of Object.entries(overlays)) {
    const lower = before[key]
    if (lower === undefined) continue
    try {
      const marks = await tool.marks(inFolder(survey, lower))
      if (marks.length === 0) continue
      await tool.carryMarks(inFolder(survey, own), inFolder(survey, lower), marks)
      await syncFile(inFolder(survey, own))
    } catch (error) {
      held.log('snapshot.marksNotCarried', { key, message: (error as Error).message })
    }
  }
}

/** Throws `ILLEGAL_STATE` while disks are to come or to go that the saved guest knows otherwise: what it goes on to write to could not be kept. */
export function requireSavedDisks({ name, ...definition }: MachineDefinition, saved: Pick<SavedRun, 'definition'>): void {
  const differing = differingKeys(topsOf(definition), topsOf(saved.definition))
  if (differing.length === 0) return
  throw new RingsideError('ILLEGAL_STATE', `A change of the disks of “${name}” waits for its next start (${differing.join(', ')}), and its saved guest has them as they were.`, {
    state: 'saved', hint: 'Take back the change in its hardware, or start the machine and shut it down.',
  })
}

/** One file with two names where the file system has that: memory is only ever read. */
async function keepMemory({ held, reporter, signal }: Work, { files }: Taking, saved: SavedRun): Promise<void> {
  const from = memoryPath(held.stored.paths, saved)
  const partial = partialRam(files)
  await linkOrCopy(from, partial, (fraction) => { reporter.report(fraction, 'Copying memory') }, signal)
  await syncFolder(files.folder)
  await nameMemory(files)
}

/** The TPM goes on in the folder that it has, so that the snapshot gets a copy. @returns where that is, from the machine's folder; null: it has none */
async function keepTpm({ context, held }: Work, { id }: Taking, { tpm }: MachineDefinition): Promise<string | null> {
  if (tpm === null) return null
  const state = snapshotTpmPath(id, tpm.state)
  const { folder } = held.stored.paths
  await copyTpmState(imagePath(folder, { kind: 'own', path: tpm.state }), imagePath(folder, { kind: 'own', path: state }))
  await context.atStep('take:tpm-kept')
  return state
}

/** The overlays are empty: nothing has run meanwhile. The saved state first, which must never be ahead of `machine.json`. */
async function undo({ context, held }: Work, { files }: Taking, before: { tops: Tops; saved: SavedRun | null }, overlays: Tops): Promise<void> {
  try {
    await removeSnapshotFolder(files)
    if (before.saved !== null) await writeSavedRun(held.stored.paths, before.saved)
    await context.library.update(held.id, (definition) => withTops(definition, before.tops))
    await removeUnnamed(held.stored.paths, overlays)
  } catch (error) {
    // Where `machine.json` names the overlays still, what lies below is read through them; all else that stays is listed as left over.
    held.log('snapshot.leftovers', { message: (error as Error).message })
  }
}
