import { RingsideError } from '@shared/errors'
import { type CloneRequest, type MachineDefinition, type SnapshotManifest, snapshotNameMaxLength } from '@shared/model'
import { freeName } from '../creation'
import type { SavedRun } from '../engine/engine'
import { snapshotFiles } from '../library'
import { memoryPath, readSavedRun } from '../machine/saved-state'
import { hasChanged } from '../snapshot/changed'
import { look, type Work } from '../snapshot/context'
import { snapshotIn, type SnapshotOnDisk, type Survey } from '../snapshot/survey'
import { take } from '../snapshot/take'
import { requireSavedDisks } from '../snapshot/take-off'
import { parentsIn } from '../snapshot/tree'

/** Memory that a clone can go on from. */
export type WarmMemory = Omit<SavedRun, 'schemaVersion' | 'ramFile'> & {
  /** Absolute; only read. */
  readonly file: string
}

/** What a clone is made from: images that nobody writes to while it is made, and of a linked one ever. */
export interface Standing {
  readonly source: MachineDefinition
  readonly snapshotId: string | null
  /** null: the clone is cold. */
  readonly memory: WarmMemory | null
  /** Taken for this clone. */
  readonly base: SnapshotManifest | null
}

/**
 * Finds what a clone can be made from, and takes a `base` snapshot where there is nothing yet: for a linked clone of what is no template, and of a machine
 * that runs. One that nothing was written since serves as well, so that ten clones of a machine stand on one snapshot.
 * Throws `NOT_FOUND`, `CAPABILITY_MISSING` where there is no memory for a warm clone, and what taking a snapshot throws.
 * @param cloneId of the machine that is to be
 */
export async function findStanding(work: Work, request: CloneRequest, cloneId: string): Promise<Standing> {
  const { held } = work
  const { definition } = held.stored
  const survey = await look(work)
  if (request.snapshotId !== null) return onSnapshot(survey, snapshotIn(survey, request.snapshotId), request, null)
  const needsSnapshot = held.live || (request.kind === 'linked' && !definition.template)
  if (!needsSnapshot) return { source: definition, snapshotId: null, memory: request.warm ? await savedMemory(work) : null, base: null }
  // Before anything is made: there may be none.
  const memory = request.warm && !held.live ? await savedMemory(work) : null
  const known = request.warm && held.live ? null : await unchangedSnapshot(survey)
  if (known !== null) return { source: known.manifest.definition, snapshotId: known.manifest.id, memory, base: null }
  const names = [...survey.snapshots.values()].map(({ manifest }) => manifest.name)
  const name = freeName(`Base of ${request.name}`.slice(0, snapshotNameMaxLength - 8).trim(), names)
  const base = await take(work, { name, description: '', memory: request.warm, quiesce: false }, 'base', cloneId)
  const taken = await look(work)
  return onSnapshot(taken, snapshotIn(taken, base.id), request, base)
}

/** The snapshot that the machine goes on from, when its disks hold all that the machine's do. */
async function unchangedSnapshot(survey: Survey): Promise<SnapshotOnDisk | null> {
  const { current } = parentsIn(survey)
  const found = current === null ? undefined : survey.snapshots.get(current)
  return found === undefined || (await hasChanged(survey)) ? null : found
}

function onSnapshot(survey: Survey, { manifest, ram }: SnapshotOnDisk, { warm }: CloneRequest, base: SnapshotManifest | null): Standing {
  const { id, definition: source, memory, takenAt, name } = manifest
  if (!warm) return { source, snapshotId: id, memory: null, base }
  if (memory === null || ram === null) {
    const why = base?.notes.at(-1)
    throw noMemory(`The snapshot “${name}”`, why === undefined ? '' : ` ${why}`)
  }
  return {
    source, snapshotId: id, base,
    memory: {
      file: snapshotFiles(survey.stored.paths.snapshotsFolder, id).ram, savedAt: takenAt, qemuVersion: memory.qemuVersion, accelerator: memory.accelerator,
      definition: memory.definition, ramFormat: memory.format, ramCompression: memory.compression,
    },
  }
}

/** Of a template, or of another machine that is saved to disk. Throws `CAPABILITY_MISSING` when it is not. */
async function savedMemory({ held }: Work): Promise<WarmMemory> {
  const { definition, paths } = held.stored
  if (held.state !== 'saved') throw noMemory(`“${definition.name}”`, '')
  const saved = await readSavedRun(paths)
  requireSavedDisks(definition, saved)
  return { ...saved, file: memoryPath(paths, saved) }
}

function noMemory(what: string, why: string): RingsideError {
  return new RingsideError('CAPABILITY_MISSING', `${what} has no memory that a clone could go on from.${why}`, {
    hint: 'Make a cold clone, or save the machine to disk first.',
  })
}
