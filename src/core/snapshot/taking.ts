import { rename } from 'node:fs/promises'
import { type SnapshotKind, type SnapshotManifest, snapshotSchemaVersion, type TakeSnapshotRequest } from '@shared/model'
import { fileError, syncFolder } from '../config'
import type { SnapshotFiles } from '../library'
import type { Work } from './context'
import { writeManifest } from './manifest'
import type { Survey } from './survey'

/** A snapshot that is being taken. */
export interface Taking {
  readonly request: TakeSnapshotRequest
  readonly kind: SnapshotKind
  readonly forClone: string | null
  readonly id: string
  readonly files: SnapshotFiles
  readonly parentId: string | null
  readonly survey: Survey
}

/** What a snapshot turned out to hold. */
type Found = Pick<SnapshotManifest, 'takenAt' | 'machineState' | 'definition' | 'memory' | 'method' | 'pauseMs' | 'quiesced' | 'notes'>

/** From here on there is the snapshot. Then the machine is told that it goes on from it. */
export async function completeSnapshot({ context, held }: Work, { request, kind, forClone, id, files, parentId }: Taking, found: Found): Promise<SnapshotManifest> {
  const manifest: SnapshotManifest = {
    schemaVersion: snapshotSchemaVersion, createdBy: context.createdBy, id, parentId, name: request.name, description: request.description, kind, forClone, ...found,
  }
  await writeManifest(files, manifest)
  await context.atStep('take:manifest-written')
  // The layers say the same; a machine without any has only this.
  await context.library.update(held.id, (definition) => ({ ...definition, snapshotParentId: id })).catch((error: unknown) => {
    held.log('snapshot.parentNotNoted', { message: (error as Error).message })
  })
  await context.atStep('take:parent-noted')
  return manifest
}

/** Memory that is whole gets its name. */
export async function nameMemory({ folder, ram }: SnapshotFiles): Promise<void> {
  try {
    await rename(partialRam({ ram }), ram)
    await syncFolder(folder)
  } catch (cause) {
    throw fileError(cause, ram, 'written')
  }
}

/** Where memory goes while it is written. */
export function partialRam({ ram }: Pick<SnapshotFiles, 'ram'>): string {
  return `${ram}.partial`
}
