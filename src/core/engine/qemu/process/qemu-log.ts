import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A log longer than this is put aside before a run; one older log is kept. */
const rotateBytes = 1024 * 1024
const tailBytes = 8 * 1024
const tailLines = 20

/** The file that QEMU's standard error goes to, over many runs. */
export class QemuLog {
  private constructor(readonly path: string, private readonly startOffset: number) {}

  /** Opens the log for a new run. The caller closes the handle once the process has it. */
  static async open(path: string): Promise<{ log: QemuLog; handle: FileHandle }> {
    await mkdir(dirname(path), { recursive: true })
    if ((await sizeOf(path)) > rotateBytes) {
      await rm(`${path}.1`, { force: true })
      await rename(path, `${path}.1`)
    }
    const handle = await open(path, 'a', 0o600)
    return { log: new QemuLog(path, (await handle.stat()).size), handle }
  }

  /** The log of a run that was started by somebody else. */
  static of(path: string): QemuLog {
    return new QemuLog(path, 0)
  }

  /** The last lines of this run, with the time stamps taken off. Empty when there are none or the log is gone. */
  async tail(): Promise<string> {
    let handle: FileHandle
    try {
      handle = await open(this.path, 'r')
    } catch {
      return ''
    }
    try {
      const { size } = await handle.stat()
      const from = Math.max(this.startOffset, size - tailBytes)
      const bytes = Buffer.alloc(Math.max(0, size - from))
      await handle.read(bytes, 0, bytes.length, from)
      return lastLines(bytes.toString('utf8'))
    } finally {
      await handle.close()
    }
  }
}

/** QEMU's time stamp with `-msg timestamp=on`. */
const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z /u

export function lastLines(text: string): string {
  return text.split(/\r?\n/u).map((line) => line.replace(stamp, '')).filter((line) => line !== '').slice(-tailLines).join('\n')
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}
