import { rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import type { MachineReference, SnapshotManifest } from '@shared/model'
import { fileError, syncFolder } from '../config'
import { deletedSnapshotName, savedRamPath, snapshotFiles, snapshotRamPath } from '../library'
import { memoryPath, writeSavedRun } from '../machine/saved-state'
import { linkOrCopy } from '../creation'
import { look, throwIfCancelled, type Work } from './context'
import { topsOf } from './definition-layers'
import { namesOf } from './names'
import { snapshotIn, type SnapshotOnDisk, type Survey } from './survey'
import { type Tidied, tidy } from './tidy'
import { clonesBySnapshot, parentsIn } from './tree'
import { type Parents, withDescendants } from './parents'

/** The snapshots that go, children before their parents, and who speaks against it. */
export interface Doomed {
  readonly snapshots: readonly SnapshotOnDisk[]
  readonly parents: Parents
  /** Linked clones that read from them. */
  readonly clones: readonly MachineReference[]
}

/** Throws `NOT_FOUND`. */
export async function findDoomed(survey: Survey, library: Parameters<typeof clonesBySnapshot>[1], snapshotId: string, { children }: { children: boolean }): Promise<Doomed> {
  snapshotIn(survey, snapshotId)
  const parents = parentsIn(survey)
  const ids = children ? withDescendants(parents, snapshotId).toReversed() : [snapshotId]
  const clones = await clonesBySnapshot(namesOf(survey, null), library)
  const reading = ids.flatMap((id) => clones.get(id) ?? [])
  return {
    snapshots: ids.map((id) => snapshotIn(survey, id)), parents,
    clones: reading.filter(({ id, name }, index) => reading.findIndex((other) => other.id === id && other.name === name) === index),
  }
}

/** The layers that a snapshot has for its own. */
export function layersOf({ definition, memory }: SnapshotManifest): string[] {
  return [...new Set([...Object.values(topsOf(definition)), ...(memory === null ? [] : Object.values(topsOf(memory.definition)))])]
}

/**
 * Deletes a snapshot, alone or with all that go on from it. The others hold afterwards what they held, at every moment. The order of the steps is that of docs/decisions/060.
 * Throws `NOT_FOUND`, `DISK_IN_USE` while linked clones read from it, `CANCELLED`, `FILE_UNREADABLE`.
 * @returns bytes that were given back
 */
export async function deleteSnapshots(work: Work, snapshotId: string, options: { children: boolean }): Promise<{ freedBytes: number }> {
  const { context, held, reporter, signal } = work
  reporter.report(null, 'Looking at the disks')
  const survey = await look(work)
  const { snapshots, parents, clones } = await findDoomed(survey, context.library, snapshotId, options)
  refuseClones(clones)
  throwIfCancelled(signal, 'Deleting the snapshot')
  const ids = new Set(snapshots.map(({ manifest }) => manifest.id))
  await noteParents(work, survey, parents, ids)
  await context.atStep('delete:parents-noted')
  await moveMemory(work, survey, ids)
  const folders: string[] = []
  let freedBytes = 0
  for (const snapshot of snapshots) {
    folders.push(await putAside(work, snapshot))
    freedBytes += snapshot.folderBytes - (snapshot.ram?.isShared === true ? snapshot.ram.bytes : 0)
    held.log('snapshot.deleted', { id: snapshot.manifest.id, name: snapshot.manifest.name })
  }
  const tidied = await finishDeletion(work, folders, new Set(snapshots.flatMap(({ manifest }) => layersOf(manifest))))
  return { freedBytes: freedBytes + tidied }
}

function refuseClones(clones: readonly MachineReference[]): void {
  const [first] = clones
  if (first === undefined) return
  throw new RingsideError('DISK_IN_USE', `${cloneNames(clones)} ${clones.length === 1 ? 'is a linked clone and reads' : 'are linked clones and read'} from this snapshot, which therefore can't be deleted.`, {
    hint: `Make ${clones.length === 1 ? 'it' : 'them'} independent or delete ${clones.length === 1 ? 'it' : 'them'} first.`,
  })
}

export function cloneNames(clones: readonly MachineReference[]): string {
  const quoted = clones.map(({ name }) => `“${name}”`)
  const last = quoted.pop() ?? ''
  return quoted.length === 0 ? last : `${quoted.join(', ')} and ${last}`
}

/** Those that go on from what is deleted go on from what it went on from. Layers say so by themselves; records are for machines that have none. */
async function noteParents({ context, held }: Work, { snapshots, stored }: Survey, parents: Parents, ids: ReadonlySet<string>): Promise<void> {
  const survivor = (from: string | null): string | null => {
    let at = from
    while (at !== null && ids.has(at)) at = parents.of.get(at) ?? null
    return at
  }
  for (const { manifest, files } of snapshots.values()) {
    if (ids.has(manifest.id) || manifest.parentId === null || !ids.has(manifest.parentId)) continue
    await context.manifests.change(files, manifest.id, (now) => ({ ...now, parentId: survivor(now.parentId) }))
  }
  const { snapshotParentId } = stored.definition
  if (snapshotParentId !== null && ids.has(snapshotParentId)) {
    await context.library.update(held.id, (definition) => ({ ...definition, snapshotParentId: survivor(snapshotParentId) }))
  }
}

/** A machine that was reverted and not started yet goes on from the memory of its snapshot: it keeps that. */
async function moveMemory({ context, held, reporter, signal }: Work, { saved }: Survey, ids: ReadonlySet<string>): Promise<void> {
  if (saved === null || ![...ids].some((id) => saved.ramFile === snapshotRamPath(id))) return
  const { paths } = held.stored
  await rm(paths.savedRam, { force: true })
  await linkOrCopy(memoryPath(paths, saved), paths.savedRam, (fraction) => { reporter.report(fraction, 'Copying memory') }, signal)
  await syncFolder(paths.savedFolder)
  await writeSavedRun(paths, { ...saved, ramFile: savedRamPath })
  await context.atStep('delete:memory-moved')
}

/** From here on there is no such snapshot. Its record stays for now, so that a later host knows what is left to be done. */
async function putAside({ context, held }: Work, { manifest, files }: SnapshotOnDisk): Promise<string> {
  const { snapshotsFolder } = held.stored.paths
  const aside = join(snapshotsFolder, deletedSnapshotName(manifest.id))
  try {
    await rename(files.folder, aside)
    await syncFolder(snapshotsFolder)
  } catch (cause) {
    throw fileError(cause, files.folder, 'removed')
  }
  await context.atStep('delete:renamed')
  return aside
}

/**
 * The rest of a deletion, which a later host does when this one is cut off: memory and picture go, then the layers, and the folder with the record last.
 * @param folders with their names of deleted snapshots
 * @returns bytes that the layers gave back
 */
export async function finishDeletion(work: Work, folders: readonly string[], doomed: ReadonlySet<string>): Promise<number> {
  const { context, held, reporter } = work
  for (const folder of folders) {
    const { ram, screen } = snapshotFiles(dirname(folder), basename(folder))
    await removeFile(ram)
    await removeFile(screen)
  }
  await context.atStep('delete:memory-removed')
  const removeFolders = async (): Promise<void> => {
    for (const folder of folders) {
      await rm(folder, { recursive: true, force: true }).catch((error: unknown) => { held.log('snapshot.notRemoved', { message: (error as Error).message }) })
    }
    await context.atStep('delete:folder-removed')
  }
  let tidied: Tidied
  try {
    tidied = await tidy(work, doomed)
  } catch (error) {
    // Stopped, all that is left to do is to merge, and that is found without the record.
    if (isRingsideError(error, 'CANCELLED')) await removeFolders()
    throw error
  }
  for (const note of tidied.notes) reporter.note?.(note)
  await context.atStep('delete:tidied')
  await removeFolders()
  return tidied.freedBytes
}

async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) => {
    throw fileError(cause, path, 'removed')
  })
}
