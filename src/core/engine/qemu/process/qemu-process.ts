import { spawn, type ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError, type ProcessFailure } from '@shared/errors'
import { findProcess, isAlive, killProcess, type ProcessIdentity } from './process-identity'
import { QemuLog } from './qemu-log'

/** The descriptor by which QEMU knows the file with its disk key. */
export const inheritedKey = 3

/** How a process ended; both null when nobody was there to be told. */
export interface ProcessExit { exitCode: number | null; signal: string | null }

/** One QEMU process, a child or not. */
export class QemuProcess {
  readonly #exited = Promise.withResolvers<ProcessExit>()
  #exit: ProcessExit | null = null
  #watching = false

  private constructor(
    readonly identity: ProcessIdentity,
    readonly command: string,
    readonly argv: readonly string[],
    readonly log: QemuLog,
    private readonly isChild: boolean,
  ) {}

  /**
   * Starts QEMU as a process of its own: it goes on when this one ends, however that comes about.
   * @param logPath where its standard error goes
   * @param secret a descriptor that it gets as number `inheritedKey`
   * Throws `QEMU_NOT_FOUND` or `QEMU_FAILED` when it can't even be started.
   */
  static async spawn(command: string, argv: string[], options: { logPath: string; folder: string; secret?: number | null }): Promise<QemuProcess> {
    const { log, handle } = await QemuLog.open(options.logPath)
    try {
      const child = spawnDetached(command, argv, options.folder, handle.fd, options.secret ?? null)
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', (cause) => { reject(cannotStart(command, cause)) })
      })
      const pid = child.pid ?? 0
      const started = new QemuProcess((await findProcess(pid)) ?? { pid, startedAt: null }, command, argv, log, true)
      child.on('error', () => undefined)
      child.unref()
      if (child.exitCode !== null || child.signalCode !== null) started.#settle({ exitCode: child.exitCode, signal: child.signalCode })
      child.once('exit', (exitCode, signal) => { started.#settle({ exitCode, signal }) })
      return started
    } finally {
      await handle.close()
    }
  }

  /** Takes over a process that somebody else started. */
  static adopt(identity: ProcessIdentity, command: string, logPath: string): QemuProcess {
    return new QemuProcess(identity, command, [], QemuLog.of(logPath), false)
  }

  get pid(): number {
    return this.identity.pid
  }

  /** How it ended; null while it lives or nobody has noticed yet. */
  get exit(): ProcessExit | null {
    return this.#exit
  }

  /** Resolves when the process is known to be gone. For one that is no child, `watchForExit` has to look. */
  get exited(): Promise<ProcessExit> {
    return this.#exited.promise
  }

  /**
   * Looks for the end of a process that is no child: nobody tells of that, so this asks the system now and then. Called when its monitor
   * closed, which is as a rule its end, so it looks only for a moment.
   */
  watchForExit(): void {
    if (this.isChild || this.#watching) return
    this.#watching = true
    void this.#poll()
  }

  async isAlive(): Promise<boolean> {
    return this.#exit === null && (await isAlive(this.identity))
  }

  /** Ends it at once. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#exit !== null) return
    await killProcess(this.identity)
    this.watchForExit()
    await this.exited
  }

  /** @returns whether it was gone in time */
  async exitedWithin(timeoutMs: number): Promise<boolean> {
    this.watchForExit()
    const timer = new AbortController()
    try {
      return await Promise.race([this.exited.then(() => true), delay(timeoutMs, false, { signal: timer.signal })])
    } finally {
      timer.abort()
    }
  }

  async failure(): Promise<ProcessFailure> {
    return {
      command: this.command, argv: [...this.argv], exitCode: this.#exit?.exitCode ?? null, signal: this.#exit?.signal ?? null,
      stderrTail: await this.log.tail(),
    }
  }

  async #poll(): Promise<void> {
    for (let pauseMs = 5; await isAlive(this.identity); pauseMs = Math.min(pauseMs * 1.5, 250)) await delay(pauseMs, undefined, { ref: false })
    this.#settle({ exitCode: null, signal: null })
  }

  #settle(exit: ProcessExit): void {
    this.#exit ??= exit
    this.#exited.resolve(this.#exit)
  }
}

/** Throws when the system refuses the command line itself; what else goes wrong is an event. */
function spawnDetached(command: string, argv: string[], cwd: string, log: number, secret: number | null): ChildProcess {
  try {
    return spawn(command, argv, { cwd, detached: true, windowsHide: true, stdio: ['ignore', log, log, ...(secret === null ? [] : [secret])] })
  } catch (cause) {
    throw cannotStart(command, cause as NodeJS.ErrnoException)
  }
}

function cannotStart(command: string, cause: NodeJS.ErrnoException): RingsideError {
  // Each layer of a disk takes its part of the command line, which has at most 32 KiB on Windows and 2 MiB on Linux.
  if (cause.code === 'E2BIG' || cause.code === 'ENAMETOOLONG') {
    return new RingsideError('QEMU_FAILED', 'The machine has more layers of snapshots than this system lets QEMU be told of.', {
      hint: 'Delete snapshots that are not needed any more: their layers are joined.',
    }, { cause })
  }
  const missing = cause.code === 'ENOENT'
  return new RingsideError(
    missing ? 'QEMU_NOT_FOUND' : 'QEMU_FAILED',
    missing ? `QEMU is not where it was: ${command}` : `QEMU can't be started (${cause.code ?? cause.message}): ${command}`,
    { path: command, hint: missing ? 'Install QEMU again or choose its folder in the settings, then probe again.' : 'Check that the file may be executed.' },
    { cause },
  )
}
