import { readFile } from 'node:fs/promises'
import { markOf, type TrackedDisk } from '../engine/engine'
import { contentHash } from './block-hashes'
import { type BackupChain, chainOf, type StoredBackup, type StoredSet } from './backup-set'
import { hasKeyOf, longestEncryptedChain } from './encrypted'

/** What a disk's backup goes on from. */
export interface DiskBase {
  /** The mark of what was written since. */
  readonly since: string
  /** Bytes that are dirty in it. */
  readonly dirtyBytes: number
  /** Checksums of each MiB as it was; null: the disk is encrypted. */
  readonly blocks: Uint8Array | null
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
 * @param encrypted keys of those that are encrypted
 * @param keyFile of the machine
 */
export async function findBase(set: StoredSet, tracked: Readonly<Record<string, TrackedDisk>>, encrypted: ReadonlySet<string>, keyFile: string): Promise<Base | null> {
  const backup = set.backups.at(-1)
  if (backup === undefined) return null
  const disks = new Map<string, DiskBase | string>()
  for (const [key, disk] of Object.entries(tracked)) {
    const found = await baseOf(set, backup, { key, encrypted: encrypted.has(key) }, disk)
    const hasKey = typeof found === 'string' || found.blocks !== null || (await hasKeyOf(backup, keyFile).catch(() => false))
    disks.set(key, hasKey ? found : 'The machine has another disk key than it had.')
  }
  return { backup, disks }
}

async function baseOf(set: StoredSet, backup: StoredBackup, chain: BackupChain, disk: TrackedDisk): Promise<DiskBase | string> {
  const { id, manifest, verified } = backup
  const { key } = chain
  const before = manifest.disks.find((known) => known.key === key)
  if (before === undefined) return 'The last backup does not have it.'
  if (disk.format !== 'qcow2' || !disk.writable) return 'Only of qcow2 disks in the machine’s own folder it is known what was written.'
  if (before.encrypted !== chain.encrypted) return 'The disk was encrypted or decrypted since.'
  const dirtyBytes = disk.marks[markOf(id)]
  if (dirtyBytes === undefined) return 'What was written since the last backup is not known: the machine was reverted, its disk replaced or worked on, or QEMU did not end in order.'
  if (disk.virtualBytes < before.virtualBytes) return 'The disk has become smaller.'
  if ((verified?.faults.length ?? 0) > 0) return 'The last backup is damaged.'
  const files = await chainOf(set, id, chain).catch((error: unknown) => `The last backup can't be read. ${(error as Error).message}`)
  if (typeof files === 'string') return files
  if (chain.encrypted) return files.length < longestEncryptedChain ? { since: markOf(id), dirtyBytes, blocks: null } : 'Backups of encrypted disks are not merged: now and then one is whole, so that older ones can go.'
  const blocks = await readFile(backup.files.blocks(key)).catch(() => null)
  if (blocks === null || contentHash(blocks) !== before.contentSha256) return 'The checksums of the last backup are damaged.'
  return { since: markOf(id), dirtyBytes, blocks }
}
