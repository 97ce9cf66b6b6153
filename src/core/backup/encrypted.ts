import { basename, dirname, join } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { BackupDisk } from '@shared/model'
import { copyLargeFile } from '../creation'
import { readKeyFile } from '../encryption/key-file'
import { renameBacking } from '../engine/qemu'
import { keyFileName } from '../library'
import { syncFile } from '../snapshot/overlays'
import { type BackupChain, chainOf, type StoredBackup, type StoredSet } from './backup-set'
import { hashFile } from './file-hash'

/*
 * Backups of encrypted disks are made with the disk key, and are read, checked and restored without it: what is known of them are the checksums of their files, and their layers are copied as
 * they are. Nothing of them is ever merged, since that takes the key.
 */

/** So many backups of an encrypted disk go on from each other; then it is copied whole, so that the old ones can go at some time. */
export const longestEncryptedChain = 8

/** A file that an encrypted disk of a backup is read from. */
export interface EncryptedFile { readonly path: string; readonly sha256: string; readonly bytes: number }

/** Every such file with what its own backup says of it, the backup's own first. Throws as `chainOf`. */
export async function encryptedFiles(set: StoredSet, id: string, disk: BackupChain): Promise<EncryptedFile[]> {
  return (await chainOf(set, id, disk)).map((path) => {
    const known = [...set.backups, ...set.remains].find((backup) => backup.id === basename(dirname(path)))?.manifest.disks.find(({ key }) => key === disk.key)
    if (known === undefined) throw new RingsideError('IMAGE_DAMAGED', `A file of the backup has lost its record: ${path}`, { path, hint: 'Restore another backup.' })
    return { path, sha256: known.sha256, bytes: known.bytes }
  })
}

/** Throws `IMAGE_DAMAGED` when a file, or a copy of it, is not what was written. */
export async function requireWritten({ path, sha256, bytes }: EncryptedFile, copy: string, signal: AbortSignal, onProgress: (bytes: number) => void): Promise<void> {
  const found = await hashFile(copy, signal, onProgress)
  if (found.sha256 === sha256 && found.bytes === bytes) return
  throw new RingsideError('IMAGE_DAMAGED', `A file of the backup is not what was written: ${path}`, { path, hint: 'Verify the backups, and restore one that is sound.' })
}

/**
 * Copies the layers of an encrypted disk as they are, each checked, and has them name each other where they are now.
 * @param targets where they come to be, beside each other, in the order of `files`; nothing may be there
 */
export async function copyEncrypted(files: readonly EncryptedFile[], targets: readonly string[], signal: AbortSignal, onProgress: (fraction: number) => void): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + 2 * bytes, 1)
  let done = 0
  for (const [index, file] of files.entries()) {
    const target = targets[index] ?? ''
    const below = targets[index + 1]
    await copyLargeFile(file.path, target, (fraction) => { onProgress((done + fraction * file.bytes) / total) }, signal)
    await requireWritten(file, target, signal, (bytes) => { onProgress((done + file.bytes + bytes) / total) })
    if (below !== undefined) await renameBacking(target, basename(below))
    await syncFile(target)
    done += 2 * file.bytes
  }
}

/** Whether a machine's lock holds the disk key that a backup was made with, whatever passphrase opens either. */
export async function hasKeyOf({ files, manifest }: StoredBackup, keyFile: string): Promise<boolean> {
  const copy = manifest.files.find(({ path }) => path === keyFileName)
  const [then, now] = [copy === undefined ? null : await readKeyFile(join(files.folder, copy.file)), await readKeyFile(keyFile)]
  return then !== null && then.check === now?.check
}

/** Whether deleting a backup has to leave its files, since an encrypted one reads from them. */
export function isHeld({ manifest: { disks } }: StoredBackup, readers: readonly StoredBackup[]): boolean {
  const isRead = ({ key, encrypted, incremental }: BackupDisk): boolean => encrypted && incremental && disks.some((below) => below.key === key)
  return readers.some(({ manifest }) => manifest.disks.some(isRead))
}
