import { rm } from 'node:fs/promises'
import { RingsideError, isRingsideError } from '@shared/errors'
import { memoryIsPlain, type MachineDefinition, type MachineState, type SnapshotManifest } from '@shared/model'
import { isDiskFull, writeAtomically } from '../config'
import { hardwareOf, withOwnAddresses } from '../hardware/hardware'
import type { CommandOutput } from '../machine/worker-protocol'
import { runningTops, throwIfCancelled, type Work } from './context'
import { differingKeys, type Tops, topsOf, withTops, withTpmState } from './definition-layers'
import { makeSnapshotFolder, removeSnapshotFolder } from './manifest'
import { frozenBases } from './obstacles'
import { makeOverlays } from './overlays'
import { snapshotTpmPath } from '../library'
import { inFolder, type Survey } from './survey'
import { completeSnapshot, nameMemory, partialRam, type Taking } from './taking'
import { removeUnnamed } from './unnamed'

/** Guests whose file systems are held still longer than this begin to fail: services of Windows give up after ten seconds (VSS). */
const freezeMs = 10_000

/** What the machine was doing and writing to when the snapshot began. */
interface Before {
  state: MachineState
  /** The layers that QEMU writes to; those that the snapshot freezes. */
  tops: Tops
  /** The layers that `machine.json` named, which may be empty ones above those. */
  named: Tops
}

/** Takes a snapshot of a machine that runs or is paused; it goes on meanwhile as far as it can. The order of the steps is that of docs/decisions/060. */
export async function takeRunning(work: Work, taking: Taking): Promise<SnapshotManifest> {
  const { context, held, reporter, signal } = work
  const { files, survey, request } = taking
  const { definition } = held.stored
  const { run } = held
  if (run === null) throw new RingsideError('ILLEGAL_STATE', `“${definition.name}” does not run any more.`, { state: held.state })
  const before: Before = { state: held.state, tops: await runningTops(work), named: topsOf(definition) }
  requireSameDisks(before, topsOf(run.definition), definition.name)
  const overlays = await makeOverlays(await context.imageTool(), survey.folder, frozenBases(survey, before.tops))
  const tpmState = run.definition.tpm === null ? null : snapshotTpmPath(taking.id, run.definition.tpm.state)
  let takenAt: string
  let taken: CommandOutput<'takeSnapshot'>
  try {
    await context.atStep('take:overlays-made')
    await makeSnapshotFolder(held.stored.paths.snapshotsFolder, files)
    await keepPicture(work, taking)
    await context.atStep('take:picture-kept')
    throwIfCancelled(signal, 'The snapshot')
    await context.library.update(held.id, (now) => withTops(now, overlays))
    await context.atStep('take:definition-changed')
    reporter.report(null, request.memory ? 'Keeping memory and disks' : 'Keeping the disks')
    takenAt = new Date().toISOString()
    taken = await held.command('takeSnapshot', {
      overlays: absolute(survey, overlays), ...tpmOrder(run.definition, tpmState, survey), ramFile: request.memory ? partialRam(files) : null, freezeMs: request.quiesce ? freezeMs : null,
    }, { signal, onProgress: (fraction) => { reporter.report(fraction, 'Writing memory') } })
    await context.atStep('take:engine-done')
  } catch (error) {
    await undo(work, taking, before, overlays)
    throw await explain(work, before, error)
  }
  try {
    await held.noteRun(withTops(run.definition, overlays))
    await context.atStep('take:run-noted')
    if (taken.memory === null) await rm(partialRam(files), { force: true })
    else await nameMemory(files)
    await context.atStep('take:memory-named')
    return await completeSnapshot(work, taking, {
      takenAt, machineState: before.state,
      // What waits for the next start goes on waiting, and is no part of what is frozen.
      definition: withTpmState(withTops({ ...definition, ...hardwareOf(withOwnAddresses(run)) }, before.tops), tpmState),
      memory: taken.memory === null ? null : { ...taken.memory, qemuVersion: run.qemu.version, accelerator: run.accelerator, definition: withTpmState(withTops(run.definition, before.tops), tpmState), ownAddresses: run.ownAddresses },
      method: taken.method, pauseMs: taken.pauseMs, quiesced: taken.quiesced, notes: [...taken.notes, ...(taken.memory !== null && run.definition.disks.some(({ encrypted }) => encrypted) ? [memoryIsPlain] : [])],
    })
  } catch (error) {
    await undo(work, taking, before, overlays)
    throw await explain(work, before, error)
  }
}

/** @param named what the run is known to write to */
function requireSameDisks({ tops }: Before, named: Tops, name: string): void {
  const differing = differingKeys(tops, named)
  if (differing.length === 0) return
  throw new RingsideError('ILLEGAL_STATE', `“${name}” runs with other disks than are known of it (${differing.join(', ')}).`, {
    hint: 'Shut the machine down; a snapshot can be taken then.',
  })
}

/** What the screen shows; without it the snapshot is as good. */
async function keepPicture({ held }: Work, { files }: Taking): Promise<void> {
  try {
    const { png } = await held.command('screenshot', {}, { timeoutMs: 10_000 })
    if (png !== null) await writeAtomically(files.screen, png)
  } catch (error) {
    held.log('snapshot.noPicture', { message: (error as Error).message })
  }
}

/** The worker copies the state while the guest stands still; the TPM goes on in the folder that it has. */
function tpmOrder({ tpm }: MachineDefinition, state: string | null, survey: Survey): { tpm?: { from: string; to: string } } {
  return tpm === null || state === null ? {} : { tpm: { from: inFolder(survey, tpm.state), to: inFolder(survey, state) } }
}

function absolute(survey: Taking['survey'], tops: Tops): Record<string, string> {
  return Object.fromEntries(Object.entries(tops).map(([key, own]) => [key, inFolder(survey, own)]))
}

/**
 * Nothing of the snapshot stays. The overlays go where QEMU is known not to write to them; else `machine.json` goes on naming them, which is right either way:
 * what lies below is then read through them, and merged with them at the next occasion.
 */
async function undo(work: Work, { files }: Taking, before: Before, overlays: Tops): Promise<void> {
  const { context, held } = work
  try {
    await removeSnapshotFolder(files)
    const now = held.live ? await runningTops(work) : null
    if (now === null) {
      await removeUnnamed(held.stored.paths, overlays)
      return
    }
    if (Object.values(overlays).some((own) => Object.values(now).includes(own))) {
      if (held.run !== null) await held.noteRun(withTops(held.run.definition, overlays))
      return
    }
    await context.library.update(held.id, (definition) => withTops(definition, before.named))
    await removeUnnamed(held.stored.paths, overlays)
  } catch (error) {
    // What stays is listed as left over, and harms nothing.
    held.log('snapshot.leftovers', { message: (error as Error).message })
  }
}

async function explain({ held, signal }: Work, before: Before, error: unknown): Promise<unknown> {
  const { name } = held.stored.definition
  if (signal.aborted) return new RingsideError('CANCELLED', `The snapshot of “${name}” was cancelled; nothing of it was kept.`, {}, { cause: error })
  if (!isDiskFull(error)) return error
  // QEMU stops a guest whose write finds no room; what took it is gone again.
  if (before.state === 'running' && held.state === 'paused') {
    await held.command('resume', {}).catch((failed: unknown) => { held.log('snapshot.notResumed', { message: (failed as Error).message }) })
  }
  if (isRingsideError(error, 'DISK_FULL')) return error
  return new RingsideError('DISK_FULL', `The drive became full while a snapshot of “${name}” was taken; nothing of it was kept.`, {
    path: held.stored.paths.folder, hint: 'Free some space there, then take it again.',
  }, { cause: error })
}
