import { mkdir, readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { AcceleratorReport, QemuReport } from '@shared/model'
import { writeAtomically } from '../../../config'

/** What the answers hold for: the very files that gave them, and for proofs the kernel under them. */
const Key = z.object({ system: z.string(), img: z.string(), host: z.string() })
type Key = z.infer<typeof Key>

/** A change of what is asked or how it is judged adds one, and old answers are asked again. */
const cacheVersion = 5

const Content = z.object({
  schemaVersion: z.literal(cacheVersion),
  key: Key,
  qemu: QemuReport.omit({ firmware: true, tpm: true, virtiofs: true }),
  accelerators: z.array(AcceleratorReport),
})
export type CachedProbe = Pick<z.infer<typeof Content>, 'qemu' | 'accelerators'>

/** Answers of earlier probes, in the cache folder. What can't be read or does not fit is as if it were not there. */
export class ProbeCache {
  readonly #path: string

  constructor(cacheFolder: string) {
    this.#path = join(cacheFolder, 'qemu-probe.json')
  }

  async read(key: Key): Promise<CachedProbe | null> {
    try {
      const content = Content.parse(JSON.parse(await readFile(this.#path, 'utf8')))
      return content.key.system === key.system && content.key.img === key.img && content.key.host === key.host ? content : null
    } catch {
      return null
    }
  }

  /** A cache that can't be written only costs time. */
  async write(key: Key, { qemu, accelerators }: CachedProbe): Promise<void> {
    try {
      await mkdir(dirname(this.#path), { recursive: true })
      await writeAtomically(this.#path, JSON.stringify({ schemaVersion: cacheVersion, key, qemu, accelerators }))
    } catch {
      return
    }
  }
}

/** A file as it is now: real path, size and time of change. */
export async function fingerprint(path: string): Promise<string> {
  const real = await realpath(path)
  const { size, mtimeMs } = await stat(real)
  return `${path} ${real} ${String(size)} ${String(mtimeMs)}`
}
