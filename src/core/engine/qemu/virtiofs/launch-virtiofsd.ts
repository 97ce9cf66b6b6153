import { spawn } from 'node:child_process'
import { open, readFile, readdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runtimePaths } from '../../../library/paths'
import { findProcess, isAlive, killProcess, type ProcessIdentity } from '../process/process-identity'
import { lastLines } from '../process/qemu-log'
import { type Share, socketArgument, type Virtiofsd, virtiofsdArguments } from './virtiofsd-argv'

/** A loaded host may take its time; one that can’t shut itself in ends at once. */
const patienceMs = 10_000
const lookMs = 10
/** The system takes a moment to clear a process away that was ended. */
const killPatienceMs = 2_000
/** What either dialect says when QEMU may connect. It waits for one connection and ends with it. */
const ready = /waiting for vhost-user socket connection/iu
/** How often one that is no child is looked at. */
const watchMs = 2_000

/** A virtiofsd that runs: the process that was started, and those it made. */
export class VirtiofsDaemon {
  #watch: NodeJS.Timeout | null = null

  constructor(private readonly processes: readonly ProcessIdentity[], private readonly log: string) {}

  async isAlive(): Promise<boolean> {
    return (await Promise.all(this.processes.map(isAlive))).every(Boolean)
  }

  /** Calls once when it has ended. It is nobody’s child as a rule, so it is looked at now and then. */
  onEnd(listener: (lastWords: string) => void): void {
    this.release()
    this.#watch = setInterval(() => {
      void this.isAlive().then(async (alive) => {
        if (alive || this.#watch === null) return
        this.release()
        listener(await wordsOf(this.log))
      })
    }, watchMs).unref()
  }

  /** Looks at it no more; it goes on. */
  release(): void {
    if (this.#watch !== null) clearInterval(this.#watch)
    this.#watch = null
  }

  /** Ends it at once; resolves when it is gone. */
  async kill(): Promise<void> {
    this.release()
    for (const identity of this.processes) await killProcess(identity)
    await this.#goneWithin(killPatienceMs)
  }

  /** Resolves when it is gone: it ends by itself with QEMU’s connection, and is ended when it does not. */
  async endWithin(timeoutMs: number): Promise<void> {
    this.release()
    if (!(await this.#goneWithin(timeoutMs))) await this.kill()
  }

  /** Whether none of its processes is there any more. */
  async #goneWithin(timeoutMs: number): Promise<boolean> {
    for (const until = Date.now() + timeoutMs; ; await delay(lookMs)) {
      if (!(await Promise.all(this.processes.map(isAlive))).some(Boolean)) return true
      if (Date.now() >= until) return false
    }
  }
}

/**
 * Starts it as a process of its own, which lives as long as QEMU’s connection; resolves when QEMU may connect.
 * @param log where it speaks to
 * Throws an `Error` with its last words when it does not come up.
 */
export async function launchVirtiofsd(virtiofsd: Virtiofsd, share: Share, log: string): Promise<VirtiofsDaemon> {
  await rm(share.socket, { force: true })
  const handle = await open(log, 'w', 0o600)
  try {
    const child = spawn(virtiofsd.path, virtiofsdArguments(virtiofsd, share, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }), { cwd: dirname(share.socket), detached: true, stdio: ['ignore', handle.fd, handle.fd] })
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => { resolve() })
      child.once('exit', () => { resolve() })
    })
    let gone = false
    void ended.then(() => { gone = true })
    child.unref()
    for (const until = Date.now() + patienceMs; Date.now() < until && !gone; await Promise.race([ended, delay(lookMs)])) {
      if (ready.test(await readFile(log, 'utf8'))) return new VirtiofsDaemon(await findDaemons(share.socket), log)
    }
    if (!gone) for (const identity of await findDaemons(share.socket)) await killProcess(identity)
    throw new Error((await wordsOf(log)) || 'it does not come up')
  } finally {
    await handle.close()
  }
}

/** The one that serves a socket, whoever started it; null: none does. */
export async function adoptVirtiofsd(socket: string, log: string): Promise<VirtiofsDaemon | null> {
  const processes = await findDaemons(socket)
  return processes.length === 0 ? null : new VirtiofsDaemon(processes, log)
}

/** Ends what is left of a run that is over, or never came to be: one that nobody connected to waits for ever. */
export async function endLeftoverVirtiofsds(runtimeFolder: string): Promise<void> {
  const beginning = socketArgument(runtimePaths(runtimeFolder).virtiofs(''))
  await new VirtiofsDaemon(await findProcesses((argument) => argument.startsWith(beginning)), '').kill()
}

/** By the command line, in which the socket of this run stands; no record could be written at the very moment of the start. */
function findDaemons(socket: string): Promise<ProcessIdentity[]> {
  const wanted = socketArgument(socket)
  return findProcesses((argument) => argument === wanted)
}

async function findProcesses(isMeant: (argument: string) => boolean): Promise<ProcessIdentity[]> {
  const numbers = (await readdir('/proc').catch((): string[] => [])).filter((name) => /^\d+$/u.test(name))
  const found = await Promise.all(numbers.map(async (name) => {
    const argv = await readFile(`/proc/${name}/cmdline`, 'utf8').then((text) => text.split('\0'), (): string[] => [])
    return argv.some(isMeant) ? findProcess(Number(name)) : null
  }))
  return found.filter((identity) => identity !== null)
}

async function wordsOf(log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '')
  const telling = text.split('\n').filter((line) => line.trim() !== '' && !ready.test(line) && !/WARN|INFO/u.test(line)).join('\n')
  return lastLines(telling).split('\n').at(-1)?.replace(/^\[[^\]]*\]\s*/u, '').trim() ?? ''
}
