import { open, rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError, isDiskFull } from '../../../config'
import type { MemoryFile } from '../../engine'
import type { QmpClient } from '../qmp'
import { blockedInWords } from './blocked-reasons'
import { MemoryPump } from './memory-pump'
import { cancelled, configureMigration, endMigration, waitForMigration, waitUntilHeld } from './migration'

export interface MemoryRequest {
  /** Must not exist. */
  file: string
  /** Where this process listens for the state when QEMU does not write the file itself. */
  socket: string
  features: Record<string, boolean>
  background: boolean
  onProgress: (fraction: number | null) => void
  signal: AbortSignal
}

/** How memory is written: what is loaded again the same way. */
export type MemoryForm = Pick<MemoryFile, 'format' | 'compression'>

/**
 * How the file comes to be. The guest paused: in place where QEMU can, which loads several times as fast, else as a stream. In the background: a
 * stream (QEMU 10 takes `mapped-ram` there too and writes what can't be loaded). What goes through this process anyway, and for which nobody waits, is compressed on the
 * way. Measured in docs/decisions/063-memory-of-snapshots.md.
 */
export function chooseForm(features: Record<string, boolean>, background: boolean): MemoryForm {
  const writesFiles = features['fileMigration'] === true
  if (background) return { format: 'stream', compression: writesFiles ? 'none' : 'zstd' }
  return { format: writesFiles && features['mappedRam'] === true ? 'mapped-ram' : 'stream', compression: 'none' }
}

/**
 * The way of a guest's memory and device state into a file. The guest must stand still when it starts: one that runs would be copied while it changes, which
 * corrupts it silently under software emulation.
 */
export class MemoryTransfer {
  #pump: MemoryPump | null = null

  private constructor(private readonly qmp: QmpClient, private readonly request: MemoryRequest, private readonly form: MemoryForm) {}

  /**
   * Gets everything ready, so that little is left to be done once the guest stands still.
   * Throws `FILE_EXISTS` for a file that is there, `CAPABILITY_MISSING` for a device that stands in the way; nothing is left behind then.
   */
  static async prepare(qmp: QmpClient, request: MemoryRequest): Promise<MemoryTransfer> {
    await refuseBlocked(qmp)
    const form = chooseForm(request.features, request.background)
    const throughSocket = request.features['fileMigration'] !== true
    if (throughSocket && process.platform === 'win32') {
      throw new RingsideError('CAPABILITY_MISSING', 'This QEMU can\'t write a machine\'s memory to a file on Windows.', { hint: 'Install QEMU 8.2 or later.' })
    }
    await claim(request.file)
    const transfer = new MemoryTransfer(qmp, request, form)
    try {
      await configureMigration(qmp, { format: form.format, way: request.background ? 'background' : 'out' }, request.features)
      // A QEMU that writes no files is one that must not be broken off from in the background.
      if (throughSocket) {
        transfer.#pump = await MemoryPump.open({ socket: request.socket, file: request.file, compression: form.compression, unbroken: request.background })
      }
      return transfer
    } catch (error) {
      await transfer.undo()
      throw error
    }
  }

  /** The guest stands still now. In the background it may go on once this has resolved; QEMU before 9.0 has let it go on by itself then. */
  async start(): Promise<void> {
    const { request, qmp } = this
    if (request.signal.aborted) throw cancelled()
    await this.#whilePumping(qmp.execute('migrate', { uri: this.#pump === null ? `file:${request.file}` : `unix:${request.socket}` }))
    if (request.background) await this.#whilePumping(waitUntilHeld(qmp))
  }

  /** Waits until all is in the file and on the drive. Throws `DISK_FULL`, `CANCELLED` or `QEMU_FAILED`; the file is then for `undo`. */
  async finish(): Promise<MemoryForm> {
    const { request, qmp } = this
    await this.#whilePumping(waitForMigration(qmp, request.onProgress, request.signal).then(() => this.#pump?.written))
    await this.#pump?.close()
    await syncFile(request.file).catch(async (error: unknown) => { throw await asDiskError(error, request.file) })
    // Cancelled at the last moment is cancelled too.
    if (request.signal.aborted) throw cancelled()
    return this.form
  }

  /** Stops what is under way and removes the file. */
  async undo(): Promise<void> {
    await this.#pump?.close()
    if (!this.qmp.isClosed) await endMigration(this.qmp, this.request.features).catch(() => undefined)
    await rm(this.request.file, { force: true })
  }

  /** A disk that is full ends the pump, and with it QEMU's side; its reason is the better one. */
  async #whilePumping(work: Promise<unknown>): Promise<void> {
    try {
      await (this.#pump === null ? work : Promise.race([work, this.#pump.written.then(() => work)]))
    } catch (error) {
      throw await asDiskError(error, this.request.file)
    }
  }
}

/** Takes the name; a file that is there stays as it is. */
async function claim(file: string): Promise<void> {
  try {
    await (await open(file, 'wx', 0o600)).close()
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw fileError(cause, file, 'written')
    throw new RingsideError('FILE_EXISTS', `There is a file where the machine's state would go: ${file}`, { path: file, hint: 'Move it away, or discard the saved state.' }, { cause })
  }
}

async function refuseBlocked(qmp: QmpClient): Promise<void> {
  const { 'blocked-reasons': reasons } = await qmp.execute('query-migrate')
  if (reasons === undefined || reasons.length === 0) return
  throw new RingsideError('CAPABILITY_MISSING', `This machine can't be saved while it runs: ${blockedInWords(reasons)}.`, {
    hint: 'Shut the guest down instead, or take out the device that is named.',
  })
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** QEMU tells a full disk in words only, QEMU 10 as an error of input and output like any other; this process by the system's error. */
async function asDiskError(error: unknown, file: string): Promise<unknown> {
  const said = error instanceof RingsideError ? error.message : ''
  const full = isDiskFull(error) || /No space left/u.test(said) || (/Input\/output error/u.test(said) && (await hasNoRoom(file)))
  if (!full) return error
  return new RingsideError('DISK_FULL', `The disk is full; the machine's state could not be written: ${file}`, { path: file, hint: 'Free some space, then try again. The machine was left as it was.' }, { cause: error })
}

/** Less than what QEMU writes of memory at a time. */
async function hasNoRoom(file: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(dirname(file))
  return bavail * bsize < 2 ** 20
}
