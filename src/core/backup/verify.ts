import { readFile } from 'node:fs/promises'
import { isRingsideError } from '@shared/errors'
import type { BackupVerification } from '@shared/model'
import { isDiskFull, writeAtomically } from '../config'
import type { QemuImg } from '../engine/qemu'
import { contentHash, hashDisk } from './block-hashes'
import { chainOf, type StoredBackup, type StoredSet } from './backup-set'
import { encryptedFiles, requireWritten } from './encrypted'
import { hashFile } from './file-hash'
import { join } from 'node:path'

export interface Verifying {
  readonly tool: QemuImg
  readonly set: StoredSet
  readonly temporaryFolder: string
  readonly signal: AbortSignal
  readonly report: (fraction: number | null, step: string) => void
}

/** Reads everything of a backup again, with all that it goes on from, and keeps beside it what came of that. Throws only what keeps it from being read at all, and `CANCELLED`. */
export async function verifyBackup(verifying: Verifying, backup: StoredBackup): Promise<BackupVerification> {
  const { set, signal, report } = verifying
  const { manifest, files } = backup
  const faults: string[] = []
  const total = manifest.disks.reduce((sum, { bytes, virtualBytes }) => sum + bytes + virtualBytes, 1)
  let done = 0
  const tell = (bytes: number): void => { report(Math.min(1, (done + bytes) / total), 'Reading the backup') }
  const tried = async (what: () => Promise<void>): Promise<void> => {
    await what().catch((error: unknown) => {
      signal.throwIfAborted()
      if (isDiskFull(error) || isRingsideError(error, 'QEMU_NOT_FOUND')) throw error
      faults.push((error as Error).message)
    })
  }
  for (const disk of manifest.disks) {
    const path = files.disk(disk.key)
    await tried(async () => {
      const { sha256, bytes } = await hashFile(path, signal, tell)
      if (sha256 !== disk.sha256 || bytes !== disk.bytes) faults.push(`The file of “${disk.key}” is not what was written: ${path}`)
    })
    done += disk.bytes
    if (disk.encrypted) {
      // What they hold can't be read here. Each file that it goes on from is what its own backup says, and so all of it is.
      await tried(async () => {
        for (const file of (await encryptedFiles(set, backup.id, disk)).slice(1)) await tried(() => requireWritten(file, file.path, signal, () => undefined))
      })
      done += disk.virtualBytes
      continue
    }
    await tried(async () => {
      await chainOf(set, backup.id, disk)
      const blocks = await hashDisk({
        tool: verifying.tool, image: { path, format: 'qcow2' }, virtualBytes: disk.virtualBytes, base: null, temporaryFolder: verifying.temporaryFolder, signal,
        onProgress: (fraction) => { tell(fraction * disk.virtualBytes) },
      })
      if (contentHash(blocks) !== disk.contentSha256) faults.push(`“${disk.key}” does not hold what it held when it was backed up.`)
      const kept = await readFile(files.blocks(disk.key)).catch(() => Buffer.alloc(0))
      if (contentHash(kept) !== disk.contentSha256) faults.push(`The list of checksums of “${disk.key}” is damaged: ${files.blocks(disk.key)}`)
    })
    done += disk.virtualBytes
  }
  for (const { file, sha256, path } of manifest.files) {
    await tried(async () => {
      if ((await hashFile(join(files.folder, file), signal)).sha256 !== sha256) faults.push(`The file “${path}” is not what was written.`)
    })
  }
  const verification = { checkedAt: new Date().toISOString(), faults: faults.slice(0, 200) }
  // A folder that can't be written to can be verified all the same.
  await writeAtomically(files.verified, `${JSON.stringify(verification)}\n`).catch(() => undefined)
  return verification
}
