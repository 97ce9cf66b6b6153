import { rm } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { Orphan } from '@shared/model'
import { fileError } from '../config'
import type { Work } from './context'
import { findOrphans } from './orphans'
import { inFolder } from './survey'
import { lookForTidy, mergeHidden } from './tidy'

/**
 * Removes files that belong to nothing, and only those that a person was shown and chose.
 * Throws `INVALID_INPUT` for anything else, before anything is removed; `CAPABILITY_MISSING` where there is no trash, `FILE_UNREADABLE`.
 * @param paths as `Orphan.path`
 * @returns bytes that they took
 */
export async function cleanUp(work: Work, paths: readonly string[], { permanently }: { permanently: boolean }): Promise<{ freedBytes: number }> {
  const { context, held, reporter } = work
  reporter.report(null, 'Looking at the folder')
  const { survey, names } = await lookForTidy(work)
  const orphans = chosen(findOrphans(survey, names), paths)
  let freedBytes = 0
  for (const [index, { path, bytes }] of orphans.entries()) {
    reporter.report(index / orphans.length, `Removing ${path}`)
    await remove(work, inFolder(survey, path), permanently)
    freedBytes += bytes
    held.log('snapshot.cleanedUp', { path, bytes, permanently })
    await context.atStep('clean-up:removed')
  }
  // What only the removed ones shared can be joined now.
  const merged = await mergeHidden(work)
  for (const note of merged.notes) reporter.note?.(note)
  return { freedBytes: freedBytes + merged.freedBytes }
}

function chosen(orphans: readonly Orphan[], paths: readonly string[]): Orphan[] {
  const found = new Map(orphans.map((orphan) => [orphan.path, orphan]))
  return [...new Set(paths)].map((path) => {
    const orphan = found.get(path)
    if (orphan !== undefined) return orphan
    throw new RingsideError('INVALID_INPUT', `This is not left over, or not there any more, and is not removed: ${path.slice(0, 200)}`, {
      hint: 'Look at the list of what is left over again.', issues: [{ path: 'paths', message: 'It is not left over.', received: path.slice(0, 200), severity: 'error' }],
    })
  })
}

async function remove({ context, held }: Work, path: string, permanently: boolean): Promise<void> {
  if (permanently) {
    await rm(path, { recursive: true }).catch((cause: unknown) => {
      throw fileError(cause, path, 'removed')
    })
    return
  }
  const hint = 'Remove it permanently instead; that can’t be undone.'
  if (context.trash === null) throw new RingsideError('CAPABILITY_MISSING', `It can't be moved to the trash, this system has none: ${path}`, { path, hint })
  try {
    await context.trash(path)
  } catch (cause) {
    held.log('snapshot.notTrashed', { path, message: (cause as Error).message })
    throw new RingsideError('CAPABILITY_MISSING', `It can't be moved to the trash and is left as it is: ${path} (${(cause as Error).message})`, { path, hint }, { cause })
  }
}
