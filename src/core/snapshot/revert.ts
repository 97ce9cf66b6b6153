import { randomBytes } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { RingsideError, isRingsideError } from '@shared/errors'
import type { MachineDefinition, RevertRequest, SnapshotManifest } from '@shared/model'
import { copyTpmState } from '../engine/qemu'
import { imagePath, snapshotFiles, snapshotRamPath, tpmLayerPath, tpmLine } from '../library'
import { forgetCrash } from '../machine/last-run'
import { removeSaved, writeSavedRun } from '../machine/saved-state'
import { look, runNames, throwIfCancelled, type Work } from './context'
import { type Tops, topsOf, withTops, withTpmState } from './definition-layers'
import { frozenBases } from './obstacles'
import { makeOverlays } from './overlays'
import { removeUnnamed } from './unnamed'
import { snapshotIn, type Survey } from './survey'
import { take } from './take'
import { lookForTidy, removeDoomed } from './tidy'
import { faultOfLayers } from './tree'

/**
 * Takes a machine back to a snapshot, running or not. The order of the steps is that of docs/decisions/060.
 * Throws `NOT_FOUND`, `FILE_NOT_FOUND` and the like before anything is changed; after `machine.json` was changed, the machine is back at the snapshot whatever happens, and is off when it
 * could not be started.
 */
export async function revert(work: Work, request: RevertRequest): Promise<void> {
  const { context, held, reporter, signal } = work
  reporter.report(null, 'Looking at the disks')
  const { manifest } = snapshotIn(await look(work), request.snapshotId)
  const withMemory = request.memory && manifest.memory !== null
  if (withMemory) await requireMemory(work, manifest)
  if (request.keepPresent !== null) {
    await take(work, { name: request.keepPresent, description: `The machine before it was reverted to “${manifest.name}”.`, memory: true, quiesce: false }, 'manual')
    await context.atStep('revert:present-kept')
  }
  const survey = await look(work)
  requireLayers(survey, manifest)
  const abandoned = await presentLayers(work, survey)
  const abandonedTpms = presentTpms(work, survey, manifest)
  throwIfCancelled(signal, 'Reverting')
  const overlays = await makeOverlays(await context.imageTool(), survey.folder, frozenBases(survey, topsOf(manifest.definition)))
  let tpmState: string | null = null
  try {
    await context.atStep('revert:overlays-made')
    tpmState = await makeTpm(work, manifest)
    reporter.report(null, 'Going back')
    await held.powerOff()
    await context.atStep('revert:off')
    await removeSaved(held.stored.paths)
    await context.atStep('revert:saved-discarded')
    await context.library.update(held.id, (today) => revertedDefinition(today, manifest, overlays, tpmState))
  } catch (error) {
    await removeUnnamed(held.stored.paths, overlays, tpmState).catch((failed: unknown) => { held.log('revert.leftovers', { message: (failed as Error).message }) })
    await held.refresh()
    throw error
  }
  held.log('reverted', { to: manifest.id, name: manifest.name, memory: withMemory })
  await context.atStep('revert:definition-changed')
  try {
    await goOn(work, request, manifest, withMemory ? overlays : null, tpmState)
  } finally {
    await removeAbandoned(work, abandoned)
    await removeTpms(work, abandonedTpms)
  }
}

/** The snapshot's TPM, in a folder of its own for the machine to go on in. @returns its place from the machine's folder; null: the snapshot has none */
async function makeTpm({ context, held }: Work, { definition: { tpm } }: SnapshotManifest): Promise<string | null> {
  if (tpm === null) return null
  const { folder } = held.stored.paths
  const state = tpmLayerPath(tpm.state, randomBytes(4).toString('hex'))
  await copyTpmState(imagePath(folder, { kind: 'own', path: tpm.state }), imagePath(folder, { kind: 'own', path: state }))
  await context.atStep('revert:tpm-made')
  return state
}

/** States of the very TPM that the snapshot has: what it did since then is to be undone. Another one is more than that, and stays, listed as left over. */
function presentTpms({ held }: Work, { stored, saved }: Survey, { definition: { tpm } }: SnapshotManifest): string[] {
  const states = [stored.definition, saved?.definition, held.live && !held.isDisposable ? held.run?.definition : undefined].flatMap((definition) => definition?.tpm?.state ?? [])
  return [...new Set(states)].filter((state) => tpm !== null && state.startsWith('tpm/') && tpmLine(state) === tpmLine(tpm.state))
}

async function removeTpms({ context, held }: Work, states: readonly string[]): Promise<void> {
  try {
    const { definition, paths } = held.stored
    for (const state of states) {
      if (definition.tpm?.state === state) continue
      await rm(imagePath(paths.folder, { kind: 'own', path: state }), { recursive: true, force: true })
      await context.atStep('revert:tpm-removed')
    }
  } catch (error) {
    held.log('revert.leftovers', { message: (error as Error).message })
  }
}

/** What the machine writes to now, from its folder. */
async function presentLayers(work: Work, { stored, saved }: Survey): Promise<string[]> {
  const run = await runNames(work)
  const definitions = [stored.definition, ...(saved === null ? [] : [saved.definition]), ...(run === null ? [] : [run.definition])]
  return [...new Set([...definitions.flatMap((definition) => Object.values(topsOf(definition))), ...(run?.tops ?? [])])]
}

/**
 * Removes what the machine had written since its last snapshot. A disk that was put in since then is more than that: all of it would be lost. It stays, and is listed as left over.
 * The machine is back where it was to go, so that a failure here is none of its own: what stays is listed too.
 */
async function removeAbandoned(work: Work, layers: readonly string[]): Promise<void> {
  try {
    const { graph, names } = await lookForTidy(work)
    const used = new Set(names.all().flatMap((own) => [...graph.downFrom(graph.own(own)?.path ?? '')].map(({ path }) => path)))
    const changes = layers.filter((own) => [...graph.downFrom(graph.own(own)?.path ?? '')].some(({ path }) => used.has(path)))
    await removeDoomed(work, new Set(changes))
    await work.context.atStep('revert:layers-removed')
  } catch (error) {
    work.held.log('revert.leftovers', { message: (error as Error).message })
  }
}

/** The disks of that instant are there from here on, whatever else fails; the machine is then off. */
async function goOn(work: Work, request: RevertRequest, manifest: SnapshotManifest, memoryOverlays: Tops | null, tpmState: string | null): Promise<void> {
  const { context, held, reporter } = work
  const { paths } = held.stored
  try {
    await forgetCrash(paths)
    if (memoryOverlays !== null && manifest.memory !== null) {
      const { memory } = manifest
      await writeSavedRun(paths, {
        schemaVersion: 1, savedAt: manifest.takenAt, qemuVersion: memory.qemuVersion, accelerator: memory.accelerator, definition: withTpmState(withTops(memory.definition, memoryOverlays), tpmState), ownAddresses: memory.ownAddresses,
        ramFormat: memory.format, ramCompression: memory.compression, ramFile: snapshotRamPath(manifest.id),
      })
      await context.atStep('revert:saved-written')
    }
    await held.refresh()
    if (!request.start) return
    reporter.report(null, memoryOverlays === null ? 'Starting the machine' : 'Loading memory')
    await held.start()
    await context.atStep('revert:started')
  } catch (error) {
    if (!held.live) {
      await removeSaved(paths).catch((failed: unknown) => { held.log('revert.leftovers', { message: (failed as Error).message }) })
      await held.refresh()
    }
    throw notStarted(held.stored.definition, manifest, memoryOverlays !== null, error)
  }
}

function notStarted({ name }: MachineDefinition, snapshot: SnapshotManifest, withMemory: boolean, error: unknown): unknown {
  if (!isRingsideError(error)) return error
  const what = withMemory ? 'its memory could not be loaded, so it is off' : 'it could not be started'
  return new RingsideError(error.code, `“${name}” is back at “${snapshot.name}”, but ${what}. ${error.message}`, {
    ...error.data, hint: withMemory ? 'Its disks are those of that instant: start it, as after a power cut.' : error.data.hint ?? 'Start it when that is mended.',
  }, { cause: error })
}

async function requireMemory({ held }: Work, { id, name }: SnapshotManifest): Promise<void> {
  const { ram } = snapshotFiles(held.stored.paths.snapshotsFolder, id)
  const found = await stat(ram).catch(() => null)
  if (found?.isFile() === true && found.size > 0) return
  throw new RingsideError('FILE_NOT_FOUND', `The memory of the snapshot “${name}” is missing: ${ram}`, { path: ram, hint: 'Revert to its disks without the memory, or put the file back from a backup.' })
}

function requireLayers(survey: Survey, manifest: SnapshotManifest): void {
  const fault = faultOfLayers(survey, manifest)
  if (fault !== null) throw new RingsideError('FILE_NOT_FOUND', `The snapshot “${manifest.name}” can't be used. ${fault}`, { path: survey.folder, hint: 'Put the file back from a backup; the machine is as it was.' })
}

/** Hardware and disks go back; who the machine is does not. */
export function revertedDefinition(today: MachineDefinition, { id, definition }: Pick<SnapshotManifest, 'id' | 'definition'>, overlays: Tops, tpmState: string | null): MachineDefinition {
  const { name, notes, origin, snapshotPolicy, backupPolicy, template, createdAt, createdBy } = today
  return { ...withTpmState(withTops(definition, overlays), tpmState), id: today.id, name, notes, origin, snapshotPolicy, backupPolicy, template, createdAt, createdBy, snapshotParentId: id }
}
