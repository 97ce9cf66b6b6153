import { readFile } from 'node:fs/promises'
import { markOf, type TrackedDisk } from '../engine/engine'
import { contentHash } from './block-hashes'
import { chainOf, type StoredBackup, type StoredSet } from './backup-set'

/** What a disk's backup goes on from. */
export interface DiskBase {
  /** The mark of what was written since. */
  readonly since: string
  /** Bytes that are dirty in it. */
  readonly dirtyBytes: number
  /** Checksums of each MiB as it was. */
  readonly blocks: Uint8Array
}

/** What the next backup of a machine can go on from. */
export interface Base {
  readonly backup: StoredBackup
  /** By the key of each disk that can go on; a sentence why not for every other. */
  readonly disks: ReadonlyMap<string, DiskBase | string>
}

/**
 * What can be proved to be unchanged since the newest backup of a set. A disk goes on only where the layer that it writes to now has a mark that began with exactly that backup, and that QEMU
 * has kept true; in every other case it is copied whole.
 * @param tracked the disks now, by key
 */
export async function findBase(set: StoredSet, tracked: Readonly<Record<string, TrackedDisk>>): Promise<Base | null> {
  const backup = set.backups.at(-1)
  if (backup === undefined) return null
  const disks = new Map<string, DiskBase | string>()
  for (const [key, disk] of Object.entries(tracked)) disks.set(key, await baseOf(set, backup, key, disk))
  return { backup, disks }
}

async function baseOf(set: StoredSet, { id, files, manifest, verified }: StoredBackup, key: string, disk: TrackedDisk): Promise<DiskBase | string> {
  const before = manifest.disks.find((known) => known.key === key)
  if (before === undefined) return 'The last backup does not have it.'
  if (disk.format !== 'qcow2' || !disk.writable) return 'Only of qcow2 disks in the machine’s own folder it is known what was written.'
  const dirtyBytes = disk.marks[markOf(id)]
  if (dirtyBytes === undefined) return 'What was written since the last backup is not known: the machine was reverted, its disk replaced or worked on, or QEMU did not end in order.'
  if (disk.virtualBytes < before.virtualBytes) return 'The disk has become smaller.'
  if ((verified?.faults.length ?? 0) > 0) return 'The last backup is damaged.'
  const broken = await chainOf(set, id, key).then(() => null, (error: unknown) => (error as Error).message)
  if (broken !== null) return `The last backup can't be read. ${broken}`
  const blocks = await readFile(files.blocks(key)).catch(() => null)
  if (blocks === null || contentHash(blocks) !== before.contentSha256) return 'The checksums of the last backup are damaged.'
  return { since: markOf(id), dirtyBytes, blocks }
}
