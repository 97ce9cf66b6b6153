import { randomBytes } from 'node:crypto'
import { rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { errnoOf, makeFolder, readOwnFile, syncFolder, writeAtomically } from '../config'
import { findProcess, killProcess } from '../engine/qemu/process/process-identity'

/** Names of images that are being written: hidden, beside the name that they get when they are whole. */
const partial = /^\..+\.[0-9a-f]{8}\.partial$/u
const Entry = z.object({
  path: z.string(),
  /** A process that writes it, and goes on when its host is killed. */
  helper: z.object({ pid: z.int(), startedAt: z.string() }).optional(),
  /** What it is called now that it is whole. `identity`: device and inode, so that no other file of that name is ever removed. */
  named: z.object({ path: z.string(), identity: z.string() }).optional(),
})
type Entry = z.infer<typeof Entry>
const File = z.object({ images: z.array(Entry) })

/**
 * Which images are being written now. Each is noted before it is begun, in a file, so that the next host removes what one that was killed has left, wherever that lies.
 * What is noted is only ever removed when its name is that of an image in the making.
 */
export class Unfinished {
  readonly #entries = new Map<string, Entry>()
  #lastWrite: Promise<void> = Promise.resolve()

  constructor(private readonly record: string) {}

  /**
   * Removes what an earlier host was killed at. For the start of a host, before anything is begun.
   * @param isNeeded whether anybody has a whole image for theirs by now; null: that can’t be told, and is asked again by the next host
   */
  async clear(isNeeded: (path: string) => Promise<boolean | null>): Promise<void> {
    const left = await readOwnFile(this.record).then((text) => File.parse(JSON.parse(text)).images, () => []).catch(() => [])
    for (const entry of left) {
      if (!partial.test(basename(entry.path))) continue
      if (entry.helper !== undefined) await killProcess(entry.helper)
      try {
        await rm(entry.path, { force: true })
        if (entry.named !== undefined && !(await cleared(entry.path, entry.named, isNeeded))) this.#entries.set(entry.path, entry)
      } catch {
        this.#entries.set(entry.path, entry)
      }
    }
    // A drive that is full keeps nobody from their machines; the note is as good tomorrow.
    if (left.length > 0) await this.#write().catch(() => undefined)
  }

  /** A name for an image in the making, noted. Throws what keeps the note from being written. */
  async begin(target: string): Promise<string> {
    const path = join(dirname(target), `${prefixOf(target)}${randomBytes(4).toString('hex')}.partial`)
    this.#entries.set(path, { path })
    await this.#write()
    return path
  }

  /** Notes which process writes it, so that whoever removes it ends that one first. */
  async noteHelper(path: string, pid: number): Promise<void> {
    const found = await findProcess(pid)
    // Without its time of start it could be taken for another process, which would then be killed.
    if (found?.startedAt == null || !this.#entries.has(path)) return
    this.#entries.set(path, { path, helper: { pid, startedAt: found.startedAt } })
    await this.#write()
  }

  /**
   * Gives an image that is whole and on the drive its name. Until its end is noted it belongs to nobody: where the host is killed before somebody has it for theirs, the next one removes it.
   * Throws what keeps the note from being written or the file from being named.
   */
  async name(path: string, target: string): Promise<void> {
    this.#entries.set(path, { path, named: { path: target, identity: await identityOf(path) } })
    await this.#write()
    await rename(path, target)
    await syncFolder(dirname(target))
  }

  /** It has its name now, and somebody has it; or is removed. */
  async end(path: string): Promise<void> {
    await rm(path, { force: true }).catch(() => undefined)
    this.#entries.delete(path)
    await this.#write().catch(() => undefined)
  }

  /** Nobody is to have it: it goes, also where it has its name. */
  async discard(path: string): Promise<void> {
    const named = this.#entries.get(path)?.named
    if (named !== undefined && (await identityOf(named.path).catch(() => null)) === named.identity) await rm(named.path).catch(() => undefined)
    await this.end(path)
  }

  #write(): Promise<void> {
    const turn = this.#lastWrite.then(async () => {
      await makeFolder(dirname(this.record))
      await writeAtomically(this.record, JSON.stringify({ images: [...this.#entries.values()] }))
    })
    this.#lastWrite = turn.catch(() => undefined)
    return turn
  }
}

function prefixOf(target: string): string {
  return `.${basename(target).slice(0, 60)}.`
}

async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true })
  return `${String(dev)}:${String(ino)}`
}

/** Removes an image that nobody needs. @returns whether nothing is left to be done */
async function cleared(partialPath: string, { path, identity }: NonNullable<Entry['named']>, isNeeded: (path: string) => Promise<boolean | null>): Promise<boolean> {
  if (dirname(path) !== dirname(partialPath) || !basename(partialPath).startsWith(prefixOf(path))) return true
  const found = await identityOf(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
    return null
  })
  if (found !== identity) return true
  const needed = await isNeeded(path)
  if (needed === false) await rm(path)
  return needed !== null
}
