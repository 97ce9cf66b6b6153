import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { processesNaming } from './processes'
import { run, SmallDrive } from './storage-host'
import { keepProbe, TemporaryFolder, type TemporaryLibrary } from './temporary-folder'

const mebibyte = 2 ** 20

/** Whether a small file system can be had here. */
export const canMount = process.platform === 'linux' && process.getuid?.() === 0

/** A library on a file system of its own. */
export class SmallLibrary implements TemporaryLibrary {
  readonly data: string
  readonly runtime: string
  readonly environment: TemporaryLibrary['environment']

  private constructor(private readonly folder: TemporaryFolder, private readonly drive: SmallDrive) {
    this.data = drive.path
    this.runtime = folder.in('run')
    this.environment = { RINGSIDE_DATA: this.data, RINGSIDE_RUNTIME: this.runtime }
  }

  static async make(mebibytes: number): Promise<SmallLibrary> {
    const folder = await TemporaryFolder.make('ringside-small-')
    const drive = await SmallDrive.mount(folder.in('data'), mebibytes)
    if (typeof drive === 'string') throw new Error(drive)
    await keepProbe(drive.path)
    return new SmallLibrary(folder, drive)
  }

  /** Takes all room but this, also while a guest writes: the last of it in small pieces, until nothing more fits. */
  async fill(restBytes = 0): Promise<void> {
    const bytes = (await this.drive.freeBytes()) - restBytes - 4 * mebibyte
    if (bytes > 0) await run('fallocate', ['-l', String(bytes), join(this.data, 'filler')])
    const rest = await open(join(this.data, 'filler'), 'a')
    try {
      for (const pieceBytes of [64 * 1024, 4096]) {
        const piece = Buffer.alloc(pieceBytes)
        while ((await this.drive.freeBytes()) - restBytes >= pieceBytes) await rest.appendFile(piece)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      await rest.close()
    }
  }

  async empty(): Promise<void> {
    await rm(join(this.data, 'filler'), { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    expect(await processesNaming(this.runtime)).toEqual([])
    await this.drive[Symbol.asyncDispose]()
    await this.folder[Symbol.asyncDispose]()
  }
}
