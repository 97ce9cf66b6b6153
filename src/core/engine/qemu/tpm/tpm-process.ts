import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { RingsideError } from '@shared/errors'
import { type RuntimePaths, runtimePaths } from '../../../library/paths'
import { findProcess, isAlive, killProcess, type ProcessIdentity } from '../process/process-identity'
import { QemuLog } from '../process/qemu-log'

/** A loaded computer may take its time; a process that fails ends the wait at once. */
const startPatienceMs = 20_000
/** It ends by itself, within some milliseconds, when QEMU has. */
const endPatienceMs = 3_000
/** How often a process that is no child is looked at: nobody tells of its end. */
const lookMs = 2_000

type Places = Pick<RuntimePaths, 'tpm' | 'tpmPid'>

export interface TpmStart {
  /** The program, swtpm. */
  program: string
  /** The folder with the TPM's state, which is there. */
  state: string
  runtime: Places
  logPath: string
}

/**
 * The process that plays a machine's TPM (swtpm): started before QEMU and detached like it, so that it goes on when this one ends; it ends by itself when QEMU has gone, however that
 * came about (`--terminate`). QEMU is its one client. It refuses a state that another one has.
 */
export class TpmProcess {
  readonly #ended = Promise.withResolvers<void>()

  private constructor(readonly identity: ProcessIdentity, private readonly log: QemuLog, child: ChildProcess | null) {
    if (child === null) void this.#watch()
    else if (child.exitCode !== null || child.signalCode !== null) this.#ended.resolve()
    else child.once('exit', () => { this.#ended.resolve() })
  }

  /** Resolves when it listens. Throws `CAPABILITY_MISSING` where it can't be started, `QEMU_FAILED` with its last words when it ends. */
  static async start({ program, state, runtime, logPath }: TpmStart): Promise<TpmProcess> {
    requireName(runtime.tpm)
    await rm(runtime.tpm, { force: true })
    await rm(runtime.tpmPid, { force: true })
    const argv = ['socket', '--tpm2', '--tpmstate', 'dir=.,mode=0600', '--ctrl', `type=unixio,path=${runtime.tpm},mode=0600`, '--pid', `file=${runtime.tpmPid}`, '--terminate']
    const { log, handle } = await QemuLog.open(logPath)
    try {
      // From within the folder, whose name may have any character: its options end at commas, and there is no way to write one.
      const child = spawn(program, argv, { cwd: state, detached: true, stdio: ['ignore', handle.fd, handle.fd] })
      await once(child, 'spawn').catch((cause: unknown) => { throw cannotStart(program, cause) })
      child.on('error', () => undefined)
      child.unref()
      const pid = child.pid ?? 0
      const tpm = new TpmProcess((await findProcess(pid)) ?? { pid, startedAt: null }, log, child)
      try {
        await tpm.#listens(runtime.tpmPid)
      } catch (error) {
        await tpm.end(0)
        throw error
      }
      return tpm
    } finally {
      await handle.close()
    }
  }

  /** The one of a run that somebody else started; null: there is none any more. */
  static async find(runtime: Places, logPath: string): Promise<TpmProcess | null> {
    const identity = await findTpm(runtime)
    return identity === null ? null : new TpmProcess(identity, QemuLog.of(logPath), null)
  }

  /** Resolves when it is gone. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Its last lines. */
  lastWords(): Promise<string> {
    return this.log.tail()
  }

  /** Waits until it is gone, and sees to it. @param patienceMs how long it is given to go by itself */
  end(patienceMs = endPatienceMs): Promise<void> {
    return endProcess(this.identity, patienceMs)
  }

  async #listens(pidFile: string): Promise<void> {
    const until = Date.now() + startPatienceMs
    // It writes the file when its socket is there.
    while ((await readFile(pidFile, 'utf8').catch(() => '')).trim() === '') {
      if (!(await isAlive(this.identity))) throw await this.#failed('ended')
      if (Date.now() > until) throw await this.#failed(`did not listen within ${String(startPatienceMs / 1000)} seconds`)
      await delay(3)
    }
  }

  async #failed(how: string): Promise<RingsideError> {
    const words = (await this.lastWords()).trim()
    const shared = /lock/iu.test(words)
    return new RingsideError('QEMU_FAILED', `The machine’s TPM (swtpm) ${how}${words === '' ? '.' : `: ${words.split('\n').at(-1) ?? ''}`}`, {
      hint: shared ? 'Another process has the state of this TPM: end it, then start the machine again.' : `What it said is in ${this.log.path}.`,
    })
  }

  async #watch(): Promise<void> {
    while (await isAlive(this.identity)) await delay(lookMs, undefined, { ref: false })
    this.#ended.resolve()
  }
}

/** Ends what is left of the TPM of a run that is over. Nothing happens where there is none. */
export async function endLeftoverTpm(runtimeFolder: string): Promise<void> {
  const identity = await findTpm(runtimePaths(runtimeFolder))
  if (identity !== null) await endProcess(identity, endPatienceMs)
}

/** By its own file, and not without looking at what that process is: the number may be another's since. */
async function findTpm({ tpm, tpmPid }: Places): Promise<ProcessIdentity | null> {
  const pid = Number.parseInt(await readFile(tpmPid, 'utf8').catch(() => ''), 10)
  if (!Number.isInteger(pid) || pid <= 1) return null
  const identity = await findProcess(pid)
  return identity !== null && (await commandLineOf(pid)).includes(tpm) ? identity : null
}

async function commandLineOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') return await readFile(`/proc/${String(pid)}/cmdline`, 'utf8')
    return (await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)])).stdout
  } catch {
    return ''
  }
}

/** At the end it writes nothing that it has not written before, so that killing it loses nothing. */
async function endProcess(identity: ProcessIdentity, patienceMs: number): Promise<void> {
  if (await goneWithin(identity, patienceMs)) return
  try {
    process.kill(identity.pid, 'SIGTERM')
  } catch {
    return
  }
  if (await goneWithin(identity, endPatienceMs)) return
  await killProcess(identity)
  await goneWithin(identity, endPatienceMs)
}

async function goneWithin(identity: ProcessIdentity, patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs
  for (let pauseMs = 2; await isAlive(identity); pauseMs = Math.min(pauseMs * 2, 100)) {
    if (Date.now() >= until) return false
    await delay(pauseMs)
  }
  return true
}

function cannotStart(program: string, cause: unknown): RingsideError {
  return new RingsideError('CAPABILITY_MISSING', `The program that plays the machine’s TPM can’t be started: ${program}`, {
    path: program, hint: 'Install swtpm again, then probe again.',
  }, { cause })
}

function requireName(path: string): void {
  if (!path.includes(',')) return
  throw new RingsideError('INVALID_INPUT', `A machine with a TPM can’t run from a folder with a comma in its name: ${path}`, { path, hint: 'Set RINGSIDE_RUNTIME to another folder.' })
}
