import { stat } from 'node:fs/promises'
import { z } from 'zod'
import type { ImageCheckResult } from '@shared/model'
import { makeFolder, readOwnFile, writeAtomically } from '../config'
import { dirname } from 'node:path'

const Entry = z.object({ path: z.string(), at: z.string(), result: z.enum(['sound', 'leaks', 'damaged']), stamp: z.string() })
type Entry = z.infer<typeof Entry>
const File = z.object({ checks: z.array(Entry) })

/** As many are remembered; the oldest go first. */
const mostEntries = 2000

/** When images were checked last and what was found. A file in the cache: where it is lost or can't be read, nothing was checked yet. */
export class CheckRecords {
  #entries: Promise<Map<string, Entry>> | null = null
  #lastWrite: Promise<void> = Promise.resolve()

  constructor(private readonly path: string) {}

  async of(path: string): Promise<ImageCheckResult | null> {
    const entry = (await this.#load()).get(path)
    if (entry === undefined) return null
    const stamp = await stampOf(path)
    return stamp === null ? null : { at: entry.at, result: entry.result, changedSince: stamp !== entry.stamp }
  }

  async put(path: string, result: Entry['result']): Promise<void> {
    const entries = await this.#load()
    const stamp = await stampOf(path)
    if (stamp === null) return
    entries.delete(path)
    entries.set(path, { path, at: new Date().toISOString(), result, stamp })
    const oldest = entries.keys().next().value
    if (entries.size > mostEntries && oldest !== undefined) entries.delete(oldest)
    const content = JSON.stringify({ checks: [...entries.values()] })
    this.#lastWrite = this.#lastWrite.then(async () => {
      await makeFolder(dirname(this.path))
      await writeAtomically(this.path, content)
    }).catch(() => undefined)
    await this.#lastWrite
  }

  #load(): Promise<Map<string, Entry>> {
    return (this.#entries ??= readOwnFile(this.path).then((text) => new Map(File.parse(JSON.parse(text)).checks.map((entry) => [entry.path, entry])), () => new Map()).catch(() => new Map<string, Entry>()))
  }
}

async function stampOf(path: string): Promise<string | null> {
  return stat(path, { bigint: true }).then(({ dev, ino, size, mtimeNs }) => [dev, ino, size, mtimeNs].join(':'), () => null)
}
