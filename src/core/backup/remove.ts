import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupDisk } from '@shared/model'
import { errnoOf, fileError, syncFolder, writeAtomically } from '../config'
import type { QemuImg } from '../engine/qemu'
import { backupBacking, removedBackupName } from '../library'
import { clearLeftover } from '../library/temporary-folder'
import { syncFile } from '../snapshot/overlays'
import { contentHash, hashDisk } from './block-hashes'
import { chainOf, readSet, type StoredBackup, type StoredSet, writeManifest } from './backup-set'
import { isHeld } from './encrypted'
import { hashFile } from './file-hash'
import type { BackupStep } from './steps'

/** What removing backups needs. */
export interface Removal {
  readonly tool: QemuImg
  readonly set: StoredSet
  readonly temporaryFolder: string
  readonly signal: AbortSignal
  readonly report: (step: string) => void
  readonly atStep: (step: BackupStep) => Promise<void>
}

/**
 * Deletes a backup; from the first step on it is gone. Resolves to whether its space is given back: the files of encrypted disks stay until nothing goes on from them. What the next one reads from it is written down into it, and that file becomes the next one's: what any other backup holds is the same
 * at every moment, so that this can be cut off and done again, which the next work on the set does.
 */
export async function removeBackup(removal: Removal, backup: StoredBackup): Promise<boolean> {
  await rename(backup.files.manifest, backup.files.deleted).catch((error: unknown) => { throw fileError(error, backup.files.manifest, 'removed') })
  await syncFolder(backup.files.folder)
  await removal.atStep('backup:deleted')
  const { remains } = await finishRemovals({ ...removal, set: await readSet(join(removal.set.folder, '..'), removal.set.set) })
  return !remains.some(({ id }) => id === backup.id)
}

/** Goes on with everything of a set that was cut off: backups in the making go, deleted ones are merged into those that read from them. Resolves to the set as it is then. */
export async function finishRemovals(removal: Removal): Promise<StoredSet> {
  let { set } = removal
  for (const path of set.leftovers) {
    if (/[\\/]\.removed-[^\\/]+$/u.test(path)) await rm(path, { recursive: true, force: true })
    else await clearLeftover(path).catch((error: unknown) => { if (errnoOf(error) !== 'ENOENT') throw error })
  }
  const held = new Set<string>()
  for (;;) {
    const remains = set.remains.findLast(({ id }) => !held.has(id))
    if (remains === undefined) return set
    removal.signal.throwIfAborted()
    const readers = [...set.backups, ...set.remains].filter(({ manifest }) => manifest.parentId === remains.id)
    const [reader] = readers
    // Two that read from one come of folders that were copied by hand: each needs it as it is.
    if (readers.length > 1 || isHeld(remains, readers)) {
      held.add(remains.id)
      continue
    }
    if (reader !== undefined) await mergeInto({ ...removal, set }, remains, reader)
    await dropFolder(set, remains)
    await removal.atStep('backup:merged')
    set = await readSet(join(set.folder, '..'), set.set)
  }
}

async function dropFolder(set: StoredSet, { id, files }: StoredBackup): Promise<void> {
  const away = join(set.folder, removedBackupName(id))
  await rename(files.folder, away).catch((error: unknown) => { throw fileError(error, files.folder, 'removed') })
  await syncFolder(set.folder)
  await rm(away, { recursive: true, force: true })
}

async function mergeInto({ tool, set, temporaryFolder, signal, report, atStep }: Removal, lower: StoredBackup, upper: StoredBackup): Promise<void> {
  report('Merging a deleted backup into the next one')
  const disks: BackupDisk[] = []
  const faults: string[] = []
  for (const disk of upper.manifest.disks) {
    const below = lower.manifest.disks.find(({ key }) => key === disk.key)
    if (!disk.incremental || below === undefined) {
      disks.push(disk)
      continue
    }
    const from = lower.files.disk(disk.key)
    const to = upper.files.disk(disk.key)
    const [, next] = await chainOf(set, upper.id, disk)
    if (next === from) {
      await tool.commit({ path: to, base: backupBacking(lower.id, disk.key), onProgress: () => undefined, signal })
      await syncFile(from)
      // Both read the same now; this is the one step from one to the other.
      await rename(from, to).catch((error: unknown) => { throw fileError(error, to, 'written') })
      await syncFolder(upper.files.folder)
      await syncFolder(lower.files.folder)
      await atStep('backup:merged-disk')
    }
    report('Comparing it with its checksums')
    const blocks = await hashDisk({ tool, image: { path: to, format: 'qcow2' }, virtualBytes: disk.virtualBytes, base: null, temporaryFolder, onProgress: () => undefined, signal })
    if (contentHash(blocks) !== disk.contentSha256) faults.push(`“${disk.key}” does not hold what it held when it was backed up.`)
    disks.push({ ...disk, incremental: below.incremental, ...(await hashFile(to, signal)) })
  }
  const goesOn = disks.some(({ incremental }) => incremental)
  await writeManifest(upper.files, { ...upper.manifest, parentId: goesOn ? lower.manifest.parentId : null, disks })
  if (faults.length > 0) await writeAtomically(upper.files.verified, `${JSON.stringify({ checkedAt: new Date().toISOString(), faults })}\n`)
}

/** Bytes that a backup's own files take. */
export async function folderBytes(folder: string, sizeOf: (path: string) => Promise<number>): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  return (await Promise.all(names.map((name) => sizeOf(join(folder, name)).catch(() => 0)))).reduce((sum, bytes) => sum + bytes, 0)
}

