import { copyFile, open, stat, truncate } from 'node:fs/promises'

/** A longer log is put aside, bytes; one older log is kept. */
const defaultLimitBytes = 8 * 1024 * 1024

/**
 * QEMU's log of a serial port. QEMU writes it for ever, so a guest that talks a lot would fill the computer's disk: it is cut here while QEMU
 * writes on. That is safe because QEMU only ever appends (`logappend=on`); what comes in the moment between copy and cut is missing in
 * the log, and nowhere else.
 */
export class SerialLog {
  #unchecked: number
  #cutting = false

  constructor(
    private readonly path: string,
    private readonly limitBytes = defaultLimitBytes,
  ) {
    // What earlier runs left is looked at with the first bytes.
    this.#unchecked = limitBytes
  }

  /** So many bytes more are in the log now, about. */
  grew(bytes: number): void {
    this.#unchecked += bytes
    if (this.#unchecked < this.limitBytes || this.#cutting) return
    this.#unchecked = 0
    this.#cutting = true
    void this.#cut().finally(() => {
      this.#cutting = false
    })
  }

  /** The last bytes, out of the older log too where the current one is short. `cut`: there were more. No log, no past. */
  async end(bytes: number): Promise<{ bytes: Uint8Array; cut: boolean }> {
    const current = await readEnd(this.path, bytes)
    if (current.cut || current.bytes.length >= bytes) return current
    const older = await readEnd(`${this.path}.1`, bytes - current.bytes.length)
    return older.bytes.length === 0 ? current : { bytes: Buffer.concat([older.bytes, current.bytes]), cut: older.cut }
  }

  async #cut(): Promise<void> {
    try {
      const { size } = await stat(this.path)
      if (size <= this.limitBytes) {
        this.#unchecked = size
        return
      }
      await copyFile(this.path, `${this.path}.1`)
      await truncate(this.path, 0)
    } catch {
      // Tried again when as much has come once more; a console works without a log.
    }
  }
}

async function readEnd(path: string, bytes: number): Promise<{ bytes: Uint8Array; cut: boolean }> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const start = Math.max(0, size - bytes)
      const buffer = Buffer.alloc(size - start)
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
      return { bytes: buffer.subarray(0, bytesRead), cut: start > 0 }
    } finally {
      await file.close()
    }
  } catch {
    return { bytes: new Uint8Array(), cut: false }
  }
}
