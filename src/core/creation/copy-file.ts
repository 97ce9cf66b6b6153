import { constants } from 'node:fs'
import { type FileHandle, copyFile, open, rm } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError } from '../config'

const chunkBytes = 4 * 1024 * 1024
/** Holes are kept in steps of this; no file system has larger blocks. */
const holeBytes = 64 * 1024
const zeros = Buffer.alloc(holeBytes)

/**
 * Copies a file of any size, holes and all, to a path where nothing is. On Btrfs, XFS and APFS it shares the blocks and is done at once.
 * When it fails or is cancelled, nothing is left at the target. Throws `CANCELLED`, `DISK_FULL`, `FILE_UNREADABLE`, `FILE_NOT_FOUND`.
 */
export async function copyLargeFile(from: string, to: string, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
  throwIfCancelled(signal)
  try {
    // FORCE: shared blocks or an error (after which nothing is there), never a copy that could not be cancelled.
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE)
    return
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw exists(to)
  }
  const target = await open(to, 'wx', 0o600).catch((cause: unknown) => {
    throw errnoOf(cause) === 'EEXIST' ? exists(to) : fileError(cause, to, 'written')
  })
  try {
    try {
      await copyInChunks(from, target, onProgress, signal)
      await target.sync()
    } finally {
      await target.close()
    }
  } catch (error) {
    await rm(to, { force: true })
    throw fileError(error, to, 'copied')
  }
}

async function copyInChunks(from: string, target: FileHandle, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
  const source = await open(from, 'r').catch((cause: unknown) => {
    throw fileError(cause, from, 'read')
  })
  try {
    const { size } = await source.stat()
    await target.truncate(size)
    const buffer = Buffer.alloc(chunkBytes)
    for (let at = 0; at < size;) {
      throwIfCancelled(signal)
      const { bytesRead } = await source.read(buffer, 0, chunkBytes, at).catch((cause: unknown) => {
        throw fileError(cause, from, 'read')
      })
      if (bytesRead === 0)
        throw new RingsideError('FILE_UNREADABLE', `The file became shorter while it was copied: ${from}`, {
          path: from,
          hint: 'Make sure that no other program writes to it, and try again.',
        })
      for (const run of dataRuns(buffer.subarray(0, bytesRead))) await writeFully(target, run.bytes, at + run.offset)
      at += bytesRead
      onProgress(at / size)
    }
  } finally {
    await source.close()
  }
}

function exists(path: string): RingsideError {
  return new RingsideError('FILE_EXISTS', `There is a file of that name already: ${path}`, {
    path,
    hint: 'Choose another name, or move the file away.',
  })
}

async function writeFully(target: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await target.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}

/** Pure: the stretches of a buffer that are not all zeros, in whole steps. */
export function dataRuns(buffer: Buffer): { offset: number; bytes: Buffer }[] {
  const runs: { offset: number; bytes: Buffer }[] = []
  let start: number | null = null
  for (let at = 0; at < buffer.length; at += holeBytes) {
    const step = buffer.subarray(at, at + holeBytes)
    const isHole = step.equals(step.length === holeBytes ? zeros : zeros.subarray(0, step.length))
    if (isHole && start !== null) {
      runs.push({ offset: start, bytes: buffer.subarray(start, at) })
      start = null
    } else if (!isHole) start ??= at
  }
  if (start !== null) runs.push({ offset: start, bytes: buffer.subarray(start) })
  return runs
}

export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new RingsideError('CANCELLED', 'Cancelled; nothing was kept.')
}
