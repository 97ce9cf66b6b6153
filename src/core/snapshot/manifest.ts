import { lstat, readdir, rm } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import { machineSchemaVersion, SnapshotManifest, SnapshotMemory, snapshotSchemaVersion } from '@shared/model'
import { type FileFormat, errnoOf, fileError, makeFolder, parseVersioned, readOwnFile, StoredDefinition, syncFolder, writeAtomically } from '../config'
import type { SnapshotFiles } from '../library'

/** Its definitions may be older than the file's own form, and are brought to the present one. */
const StoredManifest = SnapshotManifest.extend({ definition: StoredDefinition, memory: SnapshotMemory.extend({ definition: StoredDefinition }).nullable() })

/** `snapshot.json`. A new version adds a migration here and a case to the spec's table. */
export const manifestFormat: FileFormat<SnapshotManifest> = {
  title: 'The record of the snapshot', version: snapshotSchemaVersion, schema: StoredManifest, migrations: {},
}

/**
 * Understands the text of a `snapshot.json`.
 * Throws `DEFINITION_NEWER`, also when only the definition in it is, and `DEFINITION_DAMAGED`.
 * @param id that its folder has for a name
 */
export function parseManifest(text: string, path: string, id: string): SnapshotManifest {
  refuseNewerDefinition(text, path)
  const manifest = parseVersioned(manifestFormat, text, path)
  if (manifest.id === id) return manifest
  throw new RingsideError('DEFINITION_DAMAGED', `The record of the snapshot is that of another one, ${manifest.id}; its folder was copied or renamed: ${path}`, {
    path, hint: 'Give the folder the id of its snapshot for a name again, or move the copy away. It is left as it is.',
  })
}

function refuseNewerDefinition(text: string, path: string): void {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    return
  }
  const { definition, createdBy } = (typeof content === 'object' && content !== null ? content : {}) as { definition?: unknown; createdBy?: unknown }
  const version = typeof definition === 'object' && definition !== null && 'schemaVersion' in definition ? definition.schemaVersion : 0
  if (typeof version !== 'number' || version <= machineSchemaVersion) return
  const by = typeof createdBy === 'string' ? ` (${createdBy.slice(0, 80)})` : ''
  throw new RingsideError('DEFINITION_NEWER', `The snapshot was taken by a newer Ringside${by}: its definition has format ${String(version)}, and this one reads up to ${String(machineSchemaVersion)}: ${path}`, {
    path, hint: 'Update Ringside. The file is left as it is.',
  })
}

/** Writes the record, whole and on the drive: from here on there is the snapshot. Throws `DISK_FULL` or `FILE_UNREADABLE`. */
export async function writeManifest(files: SnapshotFiles, manifest: SnapshotManifest): Promise<void> {
  await writeAtomically(files.manifest, `${JSON.stringify(manifestFormat.schema.parse(manifest), null, 2)}\n`)
}

interface Remembered {
  stamp: string
  manifest: SnapshotManifest
}

/** The records of snapshots: each is read once for as long as its file stays as it is, and changed by one at a time. */
export class Manifests {
  readonly #known = new Map<string, Remembered>()
  readonly #lastChange = new Map<string, Promise<unknown>>()

  /** Throws `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `DEFINITION_NEWER` or `DEFINITION_DAMAGED`. */
  async read(files: SnapshotFiles, id: string): Promise<SnapshotManifest> {
    const found = await lstat(files.manifest, { bigint: true }).catch((error: unknown) => {
      throw fileError(error, files.manifest, 'read')
    })
    // A record is only ever replaced as a whole, so that another content is another file; times tell of edits by hand.
    const stamp = [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':')
    const known = this.#known.get(files.manifest)
    if (known?.stamp === stamp) return known.manifest
    const manifest = parseManifest(await readOwnFile(files.manifest), files.manifest, id)
    this.#known.set(files.manifest, { stamp, manifest })
    return manifest
  }

  /** Changes what the record says now. Throws what `read` and `writeManifest` throw. */
  change(files: SnapshotFiles, id: string, change: (manifest: SnapshotManifest) => SnapshotManifest): Promise<SnapshotManifest> {
    const turn = (this.#lastChange.get(files.manifest) ?? Promise.resolve()).then(async () => {
      const manifest = change(await this.read(files, id))
      await writeManifest(files, manifest)
      return manifest
    })
    const settled = turn.catch(() => undefined).then(() => {
      if (this.#lastChange.get(files.manifest) === settled) this.#lastChange.delete(files.manifest)
    })
    this.#lastChange.set(files.manifest, settled)
    return turn
  }
}

/** Makes the folder of a new snapshot. */
export async function makeSnapshotFolder(snapshotsFolder: string, files: SnapshotFiles): Promise<void> {
  await makeFolder(files.folder)
  await syncFolder(snapshotsFolder)
}

/** Removes what there is of a snapshot that came to nothing. */
export async function removeSnapshotFolder(files: SnapshotFiles): Promise<void> {
  await rm(files.folder, { recursive: true, force: true }).catch((error: unknown) => {
    throw fileError(error, files.folder, 'removed')
  })
}

/** Names in `snapshots/`. */
export async function snapshotNames(snapshotsFolder: string): Promise<string[]> {
  const found = await lstat(snapshotsFolder).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, snapshotsFolder, 'read')
    return null
  })
  if (found?.isDirectory() !== true) return []
  return readdir(snapshotsFolder).catch((error: unknown) => {
    throw fileError(error, snapshotsFolder, 'read')
  })
}
