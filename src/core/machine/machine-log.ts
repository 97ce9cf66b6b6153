import { constants } from 'node:fs'
import { mkdir, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openOwnFile } from '../config/own-file'

/** A longer log is put aside; one older log is kept, bytes. */
const rotateBytes = 1024 * 1024

/** A machine's own log: one JSON object a line, `at` and `event` first. Logging never fails an action. */
export class MachineLog {
  #last: Promise<void> = Promise.resolve()

  constructor(private readonly path: string) {}

  write(event: string, facts: Record<string, unknown> = {}): void {
    const line = `${JSON.stringify({ at: new Date().toISOString(), event, ...facts })}\n`
    this.#last = this.#last.then(() => this.#append(line)).catch(() => undefined)
  }

  /** Resolves when everything that was written so far is in the file. */
  flushed(): Promise<void> {
    return this.#last
  }

  async #append(line: string): Promise<void> {
    const size = await stat(this.path).then((found) => found.size, () => null)
    // Not recursive: a machine that was deleted meanwhile must not come back as an empty folder.
    if (size === null) await mkdir(dirname(this.path), { mode: 0o700 }).catch(() => undefined)
    else if (size > rotateBytes) await rename(this.path, `${this.path}.1`)
    const file = await openOwnFile(this.path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT)
    try {
      await file.appendFile(line)
    } finally {
      await file.close()
    }
  }
}
