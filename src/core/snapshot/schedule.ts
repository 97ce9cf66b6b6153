import { isDeepStrictEqual } from 'node:util'
import { isRingsideError, reviveError, serialiseError } from '@shared/errors'
import { type Job, type LibraryProblem, type Snapshot, type SnapshotPolicy, whyRefused } from '@shared/model'
import type { Disposer, JobReporter, Jobs, MachineLibrary, MachineManager, StoredMachine } from '../app/services'
import { automaticName } from './automatic-name'
import { isDue, prunable } from './retention'

/** What is done about the snapshots of one machine. */
export interface AutomaticWork {
  snapshots(machineId: string): Promise<Snapshot[]>
  /** Whether the machine holds anything that the snapshot which it goes on from does not. */
  hasChanged(machineId: string): Promise<boolean>
  /** Throws `KEY_REQUIRED` where the key of encrypted disks is not at hand. */
  requireKey(machineId: string): Promise<void>
  take(machineId: string, request: { name: string; memory: boolean }, reporter: JobReporter): Promise<void>
  delete(machineId: string, snapshotId: string, reporter: JobReporter): Promise<void>
}

export interface ScheduleOptions {
  readonly library: Pick<MachineLibrary, 'list'>
  readonly machines: Pick<MachineManager, 'get'>
  readonly jobs: Pick<Jobs, 'run' | 'ended' | 'dismiss'>
  readonly work: AutomaticWork
  readonly now?: () => Date
  /** IANA name; absent: the computer's. */
  readonly timeZone?: string
}

/** How often the machines are looked at. Milliseconds. */
const lookMs = 60_000
/** After a failure it is tried again so much later, and after the last ever again. Milliseconds. */
const retryMs = [5 * 60_000, 30 * 60_000, 60 * 60_000] as const

/** What is remembered of a machine while the host runs. */
interface Memory {
  /** With another policy everything begins anew. */
  policy: SnapshotPolicy
  /** When one was taken last, or was found not to be needed. */
  settledAt: Date | null
  failures: number
  retryAt: Date | null
}

/**
 * Takes snapshots by themselves, as the policies of the machines say, and deletes those that a policy has no use for any more. What fails is told once, as a problem
 * of the library that goes when it works again, and is tried later.
 */
export class AutomaticSnapshots {
  readonly #memories = new Map<string, Memory>()
  readonly #problems = new Map<string, LibraryProblem>()
  readonly #listeners = new Set<() => void>()
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(private readonly options: ScheduleOptions) {}

  /** Looks at the machines from now on, every minute. */
  start(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      void this.look().then(() => { this.start() })
    }, lookMs)
    // Nothing goes on only to wait for this.
    this.#timer.unref()
  }

  /** Begins nothing more. Resolves when what is at work has ended, which cancelling its job hastens. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#looking
  }

  problems(): LibraryProblem[] {
    return [...this.#problems.values()]
  }

  onProblems(listener: () => void): Disposer {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Does what is due now, one machine after the other. Never throws. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#lookAtAll())
    return this.#looking
  }

  async #lookAtAll(): Promise<void> {
    const machines = this.options.library.list()
    this.#forgetOthers(machines.filter(({ definition }) => definition.snapshotPolicy !== null && !definition.template))
    for (const stored of machines) {
      const { snapshotPolicy: policy } = stored.definition
      if (policy === null || stored.definition.template || this.#closed) continue
      await this.#lookAt(stored, policy).catch((error: unknown) => { this.#failed(stored, policy, error) })
    }
  }

  async #lookAt(stored: StoredMachine, policy: SnapshotPolicy): Promise<void> {
    const { id } = stored.definition
    const { work } = this.options
    const now = this.#now()
    const memory = this.#memory(id, policy)
    if (memory.retryAt !== null && now < memory.retryAt) return
    if (memory.settledAt !== null && !this.#isDue(policy, [memory.settledAt], now)) return
    // At work, or on its way from one state to another: in a minute, perhaps.
    if (!this.#mayBegin(id)) return
    const snapshots = await work.snapshots(id)
    const earlier = snapshots.filter(({ kind }) => kind === 'automatic').map(({ takenAt }) => new Date(takenAt))
    if (this.#isDue(policy, earlier, now) && (await work.hasChanged(id)) && !(await this.#take(stored, policy, snapshots, now))) return
    await this.#prune(stored, policy, now)
    this.#succeeded(id, policy, now)
  }

  /** @returns whether there is an end to it for this time: it was taken, or somebody did not want it */
  async #take({ definition: { id, name } }: StoredMachine, policy: SnapshotPolicy, snapshots: readonly Snapshot[], now: Date): Promise<boolean> {
    if (!this.#mayBegin(id)) return false
    await this.options.work.requireKey(id)
    const request = { name: automaticName(now, snapshots.map((snapshot) => snapshot.name), this.options.timeZone), memory: policy.memory }
    const job = await this.#run({ kind: 'snapshot.take', title: `Taking an automatic snapshot of “${name}”`, machineId: id }, (reporter) => this.options.work.take(id, request, reporter))
    // Something else was quicker; it comes to its end.
    return !(job.state === 'failed' && job.error?.code === 'ILLEGAL_STATE')
  }

  async #prune({ definition: { id, name } }: StoredMachine, policy: SnapshotPolicy, now: Date): Promise<void> {
    const old = prunable(await this.options.work.snapshots(id), policy.keep, now, this.options.timeZone)
    if (old.length === 0 || !this.#mayBegin(id)) return
    await this.#run({ kind: 'snapshot.delete', title: `Deleting ${old.length === 1 ? 'an old automatic snapshot' : `${String(old.length)} old automatic snapshots`} of “${name}”`, machineId: id }, async (reporter) => {
      for (const [index, snapshot] of old.entries()) {
        reporter.signal.throwIfAborted()
        reporter.report(index / old.length, `Deleting “${snapshot.name}”`)
        await this.options.work.delete(id, snapshot.id, { ...reporter, report: (_, step) => { reporter.report(index / old.length, step) } })
      }
    })
  }

  /** Runs a job that leaves nothing behind in the list but its failure's being told. Throws the failure, unless it only came at a bad time. */
  async #run(what: Pick<Job, 'kind' | 'title' | 'machineId'>, work: (reporter: JobReporter) => Promise<void>): Promise<Job> {
    const { jobs } = this.options
    const ended = await jobs.ended(jobs.run({ ...what, cancellable: true, automatic: true }, work).id)
    jobs.dismiss(ended.id)
    if (ended.state === 'failed' && ended.error?.code !== 'ILLEGAL_STATE') throw reviveError(ended.error)
    return ended
  }

  #mayBegin(id: string): boolean {
    return !this.#closed && whyRefused('takeSnapshot', this.options.machines.get(id)) === null
  }

  #isDue(policy: SnapshotPolicy, earlier: readonly Date[], now: Date): boolean {
    return isDue(policy.every, earlier, now, this.options.timeZone)
  }

  #now(): Date {
    return this.options.now?.() ?? new Date()
  }

  #memory(id: string, policy: SnapshotPolicy): Memory {
    const known = this.#memories.get(id)
    if (known !== undefined && isDeepStrictEqual(known.policy, policy)) return known
    const memory: Memory = { policy, settledAt: null, failures: 0, retryAt: null }
    this.#memories.set(id, memory)
    return memory
  }

  #succeeded(id: string, policy: SnapshotPolicy, now: Date): void {
    this.#memories.set(id, { policy, settledAt: now, failures: 0, retryAt: null })
    if (this.#problems.delete(id)) this.#tell()
  }

  #failed({ definition: { id, name }, paths }: StoredMachine, policy: SnapshotPolicy, thrown: unknown): void {
    // The machine is gone, or the host is about to be.
    if (this.#closed || isRingsideError(thrown, 'NOT_FOUND')) return
    const error = reviveError(serialiseError(thrown))
    const { failures } = this.#memory(id, policy)
    const place = { folder: paths.folder, path: paths.folder }
    if (error.code === 'KEY_REQUIRED') {
      // Somebody may unlock it at any time, and holds the key for a few minutes only.
      this.#memories.set(id, { policy, settledAt: null, failures: 0, retryAt: null })
      this.#problem(id, { ...place, code: 'AUTOMATIC_SNAPSHOT_SKIPPED', message: `An automatic snapshot of “${name}” was skipped: its disks are encrypted, and it is locked.`, hint: 'It is taken within a minute of its being unlocked.', machineId: id })
      return
    }
    const pause = retryMs[Math.min(failures, retryMs.length - 1)] ?? lookMs
    this.#memories.set(id, { policy, settledAt: null, failures: failures + 1, retryAt: new Date(this.#now().getTime() + pause) })
    this.#problem(id, { ...place, code: 'AUTOMATIC_SNAPSHOT_FAILED', message: `No automatic snapshot could be taken of “${name}”. ${error.message}`, hint: error.data.hint ?? 'It is tried again by itself.' })
  }

  #problem(id: string, problem: LibraryProblem): void {
    if (this.#problems.get(id)?.message === problem.message) return
    this.#problems.set(id, problem)
    this.#tell()
  }

  /** A machine that is gone or has no policy any more has no problem with it either. */
  #forgetOthers(machines: readonly StoredMachine[]): void {
    const ids = new Set(machines.map(({ definition }) => definition.id))
    for (const id of this.#memories.keys()) if (!ids.has(id)) this.#memories.delete(id)
    const gone = [...this.#problems.keys()].filter((id) => !ids.has(id))
    for (const id of gone) this.#problems.delete(id)
    if (gone.length > 0) this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
