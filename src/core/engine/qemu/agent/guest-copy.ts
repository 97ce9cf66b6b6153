import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rm, statfs, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isRingsideError, messageOf, RingsideError } from '@shared/errors'
import { fileError } from '../../../config'
import type { AgentLine } from './agent-line'
import { chunkBytes, GuestFile } from './guest-file'
import { giveRights, namingIn, removeLeftovers, rightsOf, runNaming } from './guest-naming'

export interface CopyWork {
  onProgress: (fraction: number | null) => void
  signal: AbortSignal
}

/** A file that does not say how long it is, such as those in /proc, is copied up to here. */
const unknownLengthBytes = 64 * 2 ** 20
/** What stays free on the drive of this computer. */
const spareBytes = 64 * 2 ** 20

/** Files that are being written in the guests of this process. What else has such a name was left by a process that is gone. */
const writing = new Set<string>()

/**
 * Copies a file of this computer into the guest: under a temporary name beside the target, which it is given when it is whole. What breaks or is cancelled leaves nothing there, as
 * long as the guest answers; what a process that was killed left of a copy to the same target is removed. A file that is replaced hands on its owner and its permissions.
 * @returns what is to be known about it, a sentence each
 */
export async function copyIn(line: AgentLine, { hostPath, guestPath, overwrite }: { hostPath: string; guestPath: string; overwrite: boolean }, work: CopyWork): Promise<string[]> {
  const source = await openSource(hostPath)
  const names = namingIn(guestPath)
  const temporary = `${guestPath}.${randomBytes(4).toString('hex')}.part`
  writing.add(temporary)
  try {
    throwIfCancelled(work.signal)
    const isThere = await checkTarget(line, guestPath, overwrite)
    await removeLeftovers(line, guestPath, writing)
    try {
      await writeAll(line, source, temporary, work)
      const notes = isThere ? await handOnRights(line, guestPath, temporary) : []
      const failed = await runNaming(line, names.move(temporary, guestPath, overwrite))
      if (failed !== null) throw new RingsideError('GUEST_FAILED', `The file could not be given its name in the guest: ${failed}`, { path: guestPath })
      if (!overwrite && (await exists(line, temporary))) throw taken(guestPath)
      return notes
    } catch (error) {
      await removeFrom(line, temporary, error)
      throw error
    }
  } finally {
    writing.delete(temporary)
    await source.handle.close()
  }
}

/** Gives a file the owner and the permissions of the one that it replaces. @returns what is to be known where that can't be */
async function handOnRights(line: AgentLine, replaced: string, file: string): Promise<string[]> {
  if (!replaced.startsWith('/')) return ['The file that was replaced has the permissions of its folder now, as a new one has.']
  const rights = await rightsOf(line, replaced)
  if (rights !== null && (await giveRights(line, file, rights))) return []
  return [`The guest could not hand on the owner and the permissions of the file that was replaced${rights === null ? '' : ` (${rights.owner}, ${rights.mode})`}; it has those of a new one.`]
}

/**
 * Copies a file of the guest to this computer.
 * @param partialPath must not exist; removed when the copy breaks
 */
export async function copyOut(line: AgentLine, { guestPath, partialPath }: { guestPath: string; partialPath: string }, work: CopyWork): Promise<void> {
  throwIfCancelled(work.signal)
  const source = await openGuestFile(line, guestPath, 'r')
  try {
    const size = await source.size()
    await requireRoom(partialPath, size ?? 0)
    const target = await open(partialPath, 'wx', 0o600).catch((error: unknown) => { throw fileError(error, partialPath, 'written') })
    try {
      await readAll(source, target, size, work)
      await target.sync()
    } catch (error) {
      await rm(partialPath, { force: true })
      throw isRingsideError(error) ? error : fileError(error, partialPath, 'written')
    } finally {
      await target.close()
    }
  } finally {
    await source.close().catch(() => undefined)
  }
}

async function openSource(path: string): Promise<{ handle: FileHandle; size: number }> {
  try {
    // Opening a pipe would wait for somebody to write to it.
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const facts = await handle.stat()
    if (facts.isFile()) return { handle, size: facts.size }
    await handle.close()
  } catch (error) {
    throw fileError(error, path, 'read')
  }
  throw new RingsideError('NOT_A_FILE', `${path} is no file; copy files one by one, or put them into an archive first.`, { path })
}

async function writeAll(line: AgentLine, { handle, size }: { handle: FileHandle; size: number }, path: string, { onProgress, signal }: CopyWork): Promise<void> {
  const target = await openGuestFile(line, path, 'w')
  try {
    const buffer = Buffer.alloc(chunkBytes)
    for (let at = 0; ;) {
      throwIfCancelled(signal)
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, at)
      if (bytesRead === 0) break
      await target.write(buffer.subarray(0, bytesRead))
      at += bytesRead
      onProgress(Math.min(1, at / Math.max(size, at)))
    }
    await target.flush()
  } catch (error) {
    await target.close().catch(() => undefined)
    throw error
  }
  // What the guest could not write shows here at the latest.
  await target.close()
}

async function readAll(source: GuestFile, target: FileHandle, size: number | null, { onProgress, signal }: CopyWork): Promise<void> {
  const isKnown = size !== null && size > 0
  const limit = isKnown ? size : unknownLengthBytes
  for (let at = 0; ;) {
    throwIfCancelled(signal)
    const bytes = await source.read()
    if (bytes === null) {
      if (isKnown && at < size) throw new RingsideError('GUEST_FAILED', 'The file became shorter in the guest while it was copied.', { hint: 'Copy it again.' })
      return
    }
    // A file that grows, such as a log, is what it was when the copy began.
    const wanted = isKnown ? bytes.subarray(0, size - at) : bytes
    if (!isKnown && at + wanted.length > limit) {
      throw new RingsideError('GUEST_FAILED', 'The file does not say how long it is, and does not end.', { hint: `Files of that kind are copied up to ${String(unknownLengthBytes / 2 ** 20)} MiB.` })
    }
    await target.writeFile(wanted)
    at += wanted.length
    onProgress(isKnown ? at / size : null)
    if (isKnown && at >= size) return
  }
}

async function requireRoom(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path)).catch((error: unknown) => { throw fileError(error, dirname(path), 'written') })
  const free = bavail * bsize
  if (bytes + spareBytes <= free) return
  throw new RingsideError('DISK_FULL', `The guest says that the file has ${String(bytes)} bytes; ${dirname(path)} has ${String(free)} free.`, { path: dirname(path), hint: 'Choose another drive.' })
}

/** Refuses a target that is there already, or that is a folder. @returns whether there is one */
async function checkTarget(line: AgentLine, path: string, overwrite: boolean): Promise<boolean> {
  let file: GuestFile
  try {
    file = await GuestFile.open(line, path, 'r')
  } catch (error) {
    if (isMissing(error)) return false
    throw describe(error, path)
  }
  try {
    if (!overwrite) throw taken(path)
    // A folder can be opened, and not read.
    await file.read().catch((error: unknown) => { throw isRingsideError(error, 'GUEST_FAILED') ? new RingsideError('NOT_A_FILE', `In the guest, ${path} is no file.`, { path, hint: 'End the path with a slash to copy into a folder.' }) : error })
    return true
  } finally {
    await file.close().catch(() => undefined)
  }
}

async function exists(line: AgentLine, path: string): Promise<boolean> {
  try {
    await (await GuestFile.open(line, path, 'r')).close()
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

async function openGuestFile(line: AgentLine, path: string, mode: 'r' | 'w'): Promise<GuestFile> {
  try {
    return await GuestFile.open(line, path, mode)
  } catch (error) {
    throw describe(error, path)
  }
}

function describe(error: unknown, path: string): unknown {
  if (isMissing(error)) return new RingsideError('FILE_NOT_FOUND', `The guest has no such file or folder: ${path}`, { path, hint: 'Check the path; it is one of the guest’s.' }, { cause: error })
  if (isRingsideError(error, 'GUEST_FAILED') && /permission denied|access is denied/iu.test(error.message)) {
    return new RingsideError('GUEST_FAILED', `The guest does not let its agent open ${path}.`, { path, hint: 'Look at the file’s permissions and at what confines the agent (SELinux, AppArmor).' }, { cause: error })
  }
  return error
}

function isMissing(error: unknown): boolean {
  return isRingsideError(error, 'GUEST_FAILED') && /no such file|cannot find the/iu.test(error.message)
}

function taken(path: string): RingsideError {
  return new RingsideError('FILE_EXISTS', `There is a file ${path} in the guest already.`, { path, hint: 'Choose another name, or say that it is to be replaced.' })
}

async function removeFrom(line: AgentLine, path: string, because: unknown): Promise<void> {
  // Nothing was made.
  if (isRingsideError(because, 'FILE_NOT_FOUND')) return
  const isGone = await runNaming(line, namingIn(path).remove([path])).then((failed) => failed === null, () => false)
  if (isGone) return
  const words = messageOf(because)
  const code = isRingsideError(because) ? because.code : 'GUEST_FAILED'
  throw new RingsideError(code, words, { ...(isRingsideError(because) ? because.data : {}), hint: `An unfinished file may be left in the guest: ${path}` }, { cause: because })
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new RingsideError('CANCELLED', 'The copy was cancelled.')
}
