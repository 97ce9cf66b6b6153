import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { makeFolder, readOwnFile, writeAtomically } from '../config'
import { findProcess, killProcess } from '../engine/qemu/process/process-identity'

/** Names of images that are being written: hidden, beside the name that they get when they are whole. */
const partial = /^\..+\.[0-9a-f]{8}\.partial$/u
const Entry = z.object({
  path: z.string(),
  /** A process that writes it, and goes on when its host is killed. */
  helper: z.object({ pid: z.int(), startedAt: z.string() }).optional(),
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

  /** Removes what an earlier host was killed at. For the start of a host, before anything is begun. */
  async clear(): Promise<void> {
    const left = await readOwnFile(this.record).then((text) => File.parse(JSON.parse(text)).images, () => []).catch(() => [])
    for (const entry of left) {
      if (!partial.test(basename(entry.path))) continue
      if (entry.helper !== undefined) await killProcess(entry.helper)
      await rm(entry.path, { force: true }).catch(() => { this.#entries.set(entry.path, entry) })
    }
    // A drive that is full keeps nobody from their machines; the note is as good tomorrow.
    if (left.length > 0) await this.#write().catch(() => undefined)
  }

  /** A name for an image in the making, noted. Throws what keeps the note from being written. */
  async begin(target: string): Promise<string> {
    const path = join(dirname(target), `.${basename(target).slice(0, 60)}.${randomBytes(4).toString('hex')}.partial`)
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

  /** It has its name now, or is removed. */
  async end(path: string): Promise<void> {
    await rm(path, { force: true }).catch(() => undefined)
    this.#entries.delete(path)
    await this.#write().catch(() => undefined)
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
