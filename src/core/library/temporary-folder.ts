import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { isRingsideError } from '@shared/errors'
import { errnoOf, readOwnFile } from '../config'
import { findProcess, killProcess } from '../engine/qemu/process/process-identity'
import { temporaryPrefix } from './paths'

/*
 * A machine that is being made, or deleted for good, is a folder with a temporary name and a mark in it. The mark says whose it is, so
 * that a later host takes away what is provably a leftover of Ringside and nothing else.
 */

const markName = '.ringside-temporary'
const Mark = z.object({
  ringside: z.literal('temporary'),
  pid: z.int(),
  token: z.string(),
  /** A process that writes into the folder for its maker, and goes on when that is killed. */
  helper: z.object({ pid: z.int(), startedAt: z.string() }).optional(),
})

/** Tells this process from an earlier one that had the same pid, which in a container is the rule. */
const token = randomBytes(8).toString('hex')

export function isTemporaryName(name: string): boolean {
  return name.startsWith(temporaryPrefix)
}

/** Makes the folder, private to the user, and marks it. Throws the system's error, `EEXIST` too. */
export async function makeTemporaryFolder(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 })
  await markTemporary(folder)
}

export async function markTemporary(folder: string, helper?: z.infer<typeof Mark>['helper']): Promise<void> {
  const mark: z.infer<typeof Mark> = { ringside: 'temporary', pid: process.pid, token, ...(helper && { helper }) }
  await writeFile(join(folder, markName), JSON.stringify(mark), { mode: 0o600 })
}

/** Notes which process works in the folder, so that whoever clears the folder away ends it first. */
export async function noteHelper(folder: string, pid: number): Promise<void> {
  const found = await findProcess(pid)
  // Without its time of start it could be taken for another process, which would then be killed.
  if (found?.startedAt != null) await markTemporary(folder, { pid, startedAt: found.startedAt })
}

export async function removeMark(folder: string): Promise<void> {
  await rm(join(folder, markName), { force: true })
}

/**
 * Looks at a folder with a temporary name and removes it when it is a leftover.
 * @returns `inUse`: a living process works on it; `unknown`: nothing proves that it is Ringside's, so it was left.
 */
export async function clearLeftover(folder: string): Promise<'removed' | 'inUse' | 'unknown'> {
  const found = await lstat(folder)
  if (!found.isDirectory()) return 'unknown'
  let content: string
  try {
    content = await readOwnFile(join(folder, markName))
  } catch (error) {
    // The power may have gone between the folder and its mark; an empty folder holds nothing to lose.
    if (isRingsideError(error, 'FILE_NOT_FOUND') && (await readdir(folder)).length === 0) {
      await rmdir(folder)
      return 'removed'
    }
    return 'unknown'
  }
  // A mark that was cut short is a mark still: only Ringside gives that name.
  const mark = parseMark(content)
  if (mark !== null && (mark.token === token || (mark.pid !== process.pid && isAlive(mark.pid)))) return 'inUse'
  if (mark?.helper !== undefined) await killProcess(mark.helper)
  await rm(folder, { recursive: true, force: true })
  return 'removed'
}

function parseMark(content: string): z.infer<typeof Mark> | null {
  try {
    const parsed = Mark.safeParse(JSON.parse(content))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}
