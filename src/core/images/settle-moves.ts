import { lstat, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isRingsideError } from '@shared/errors'
import { syncFolder } from '../config'
import type { HeldMachine } from '../machine/held-machine'
import { removeDoomed } from '../snapshot/tidy'
import { readCatalogue } from './catalogue'
import type { ImageContext } from './context'
import { type MoveRecord, withImage } from './move-records'

/** How often, and after how many milliseconds each, a machine is asked whose run just ends or whose worker is just being replaced. */
export const looks = 50
export const lookMs = 200

/**
 * Brings to an end what an earlier host was cut off at: the file that the disk is not is removed. Which it is says QEMU where the machine runs, and else `machine.json`. A machine that can't be
 * asked, or is not there now, keeps both files and is looked at again by the next host.
 */
export async function settleMoves(context: ImageContext): Promise<void> {
  for (const record of await context.moves.list()) {
    try {
      await context.machines.exclusively(record.machineId, { action: 'workOnDisk', task: 'diskWork' }, async (held) => {
        if (await settle(context, held, record)) await context.moves.remove(record)
      })
    } catch (error) {
      if (!isRingsideError(error)) throw error
    }
  }
}

async function settle(context: ImageContext, held: HeldMachine, record: MoveRecord): Promise<boolean> {
  const { diskId, from, to } = record
  const storedPath = (): string | undefined => held.stored.definition.disks.find(({ id }) => id === diskId)?.image.path
  const run = held.live ? held.run : null
  if (run?.definition.disks.some(({ id }) => id === diskId) === true) {
    const file = (await held.command('diskFiles', {})).files[diskId]
    const now = file === to.path ? to : file === from.path ? from : null
    if (now === null) return false
    if (storedPath() !== now.image.path) await context.library.update(held.id, (definition) => withImage(definition, { id: diskId, ...now }))
    if (run.definition.disks.some(({ id, image }) => id === diskId && image.path !== now.image.path)) await held.noteRun(withImage(run.definition, { id: diskId, ...now }))
  }
  const path = storedPath()
  held.log('disk.moveSettled', { disk: diskId, from: from.path, to: to.path, now: path })
  if (path === from.image.path) await removeTarget(context, record)
  else if (path === to.image.path) return (await removeSource(context, held, record, new AbortController().signal))?.again !== true
  // Neither: somebody has given the machine another disk since, and both are theirs.
  return true
}

/** Removes the file that was made for a disk, and no other one that has its name. */
export async function removeTarget(context: ImageContext, { to }: MoveRecord): Promise<void> {
  const found = await stat(to.path, { bigint: true }).catch(() => null)
  if (found === null || `${String(found.dev)}:${String(found.ino)}` !== to.identity) return
  const known = (await readCatalogue(context)).images.get(to.path)
  if ((known?.users.length ?? 0) > 0 || (known?.plugs.length ?? 0) > 0) return
  await rm(to.path)
  await syncFolder(dirname(to.path)).catch(() => undefined)
}

/**
 * Removes what a disk was, with the layers that were only there for it. What anybody else needs stays.
 * @returns why it stays, a sentence, and whether that is to be tried again by the next host; null: it is gone
 */
export async function removeSource(context: ImageContext, held: HeldMachine, record: MoveRecord, signal: AbortSignal): Promise<{ why: string; again: boolean } | null> {
  const { from, original } = record
  if (original === 'keep') return { why: `The old file is kept: ${from.path}`, again: false }
  if (original === 'trash') return trashSource(context, held, record)
  for (let look = 1; ; look += 1) {
    // A run that ends just now, or whose worker is just being replaced, can't be asked what it has open.
    const mayPass = held.live && look < looks
    try {
      await removeUnneeded(context, held, record, signal)
      break
    } catch (error) {
      if (mayPass) {
        await delay(lookMs)
        continue
      }
      held.log('disk.sourceNotRemoved', { path: from.path, message: (error as Error).message })
      return { why: `The old file could not be removed (${(error as Error).message}); it is not needed any more: ${from.path}`, again: true }
    }
  }
  const isThere = await lstat(from.path).then(() => true, () => false)
  return isThere ? { why: `Something else needs the old file, so it stays: ${from.path}`, again: false } : null
}

async function trashSource(context: ImageContext, held: HeldMachine, { from }: MoveRecord): Promise<{ why: string; again: boolean } | null> {
  const stays = (why: string): { why: string; again: boolean } => ({ why: `${why}: ${from.path}`, again: false })
  const known = (await readCatalogue(context)).images.get(from.path)
  if ((known?.users.length ?? 0) > 0 || (known?.readers.length ?? 0) > 0) return stays('Something else needs the old file, so it stays')
  if (context.trash === null) return stays('This system has no trash, so the old file stays')
  try {
    await context.trash(from.path)
    return null
  } catch (error) {
    held.log('disk.sourceNotRemoved', { path: from.path, message: (error as Error).message })
    return stays(`The old file could not be moved to the trash (${(error as Error).message}) and stays`)
  }
}

async function removeUnneeded(context: ImageContext, held: HeldMachine, { from }: MoveRecord, signal: AbortSignal): Promise<void> {
  if (from.image.kind === 'own') {
    await removeDoomed({ context: context.snapshots, held, reporter: { signal, report: () => undefined }, signal }, new Set([from.image.path]))
    return
  }
  const known = (await readCatalogue(context)).images.get(from.path)
  if ((known?.users.length ?? 0) > 0 || (known?.readers.length ?? 0) > 0) return
  await rm(from.path, { force: true })
  await syncFolder(dirname(from.path)).catch(() => undefined)
}
