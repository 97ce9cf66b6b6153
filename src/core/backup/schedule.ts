import { isDeepStrictEqual } from 'node:util'
import { isRingsideError, reviveError, serialiseError } from '@shared/errors'
import { type BackupPolicy, type Job, type LibraryProblem, whyRefused } from '@shared/model'
import type { Disposer, JobReporter, Jobs, MachineLibrary, MachineManager, StoredMachine } from '../app/services'
import { isDue, newestOfEach } from '../snapshot/retention'

/** What retention and the schedule look at of a backup. */
export interface ScheduledBackup { readonly id: string; readonly takenAt: string; readonly kind: 'manual' | 'automatic' }

/** What is done about the backups of one machine. All of it throws `FILE_NOT_FOUND` while the folder is away. */
export interface BackupWork {
  backups(machineId: string): Promise<ScheduledBackup[]>
  /** Throws what keeps one from being made now: `KEY_REQUIRED`. */
  requirePossible(machineId: string): Promise<void>
  /** Makes one, unless nothing was written since the last. */
  create(machineId: string, policy: BackupPolicy, reporter: JobReporter): Promise<void>
  delete(machineId: string, backupId: string, reporter: JobReporter): Promise<void>
}

export interface BackupScheduleOptions {
  readonly library: Pick<MachineLibrary, 'list'>
  readonly machines: Pick<MachineManager, 'get'>
  readonly jobs: Pick<Jobs, 'run' | 'ended' | 'dismiss'>
  readonly work: BackupWork
  /** For tests. */
  readonly now?: () => Date
  /** IANA name; absent: the computer's. */
  readonly timeZone?: string
}

interface Memory {
  policy: BackupPolicy
  /** When this period was done with; null: it is not. */
  settledAt: Date | null
  failures: number
  retryAt: Date | null
}

const lookMs = 60_000
/** After the first failure, the second, and every further one. */
const retryMs = [5 * 60_000, 30 * 60_000, 60 * 60_000]

type Scheduled = BackupPolicy & { every: NonNullable<BackupPolicy['every']> }

/**
 * Makes the backups that policies ask for, once in every hour, day or week by the clock on the wall, at the first opportunity, and deletes those that the policy has no use for any more. A
 * folder that is away is looked for every minute, and so is the key of encrypted disks; what was missed is made up for once when it is back. Any other failure is tried later; all are problems of the library until it works again.
 */
export class BackupSchedule {
  readonly #memories = new Map<string, Memory>()
  readonly #problems = new Map<string, LibraryProblem>()
  readonly #listeners = new Set<() => void>()
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(private readonly options: BackupScheduleOptions) {}

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
    this.#forgetOthers(machines.filter(({ definition }) => isScheduled(definition.backupPolicy)))
    for (const stored of machines) {
      const policy = stored.definition.backupPolicy
      if (!isScheduled(policy) || this.#closed) continue
      await this.#lookAt(stored, policy).catch((error: unknown) => { this.#failed(stored, policy, error) })
    }
  }

  async #lookAt({ definition: { id, name } }: StoredMachine, policy: Scheduled): Promise<void> {
    const { work, timeZone } = this.options
    const now = this.#now()
    const memory = this.#memory(id, policy)
    if (memory.retryAt !== null && now < memory.retryAt) return
    if (memory.settledAt !== null && !isDue(policy.every, [memory.settledAt], now, timeZone)) return
    // At work, or on its way from one state to another: in a minute, perhaps.
    if (!this.#mayBegin(id)) return
    const backups = await work.backups(id)
    const earlier = backups.filter(({ kind }) => kind === 'automatic').map(({ takenAt }) => new Date(takenAt))
    if (isDue(policy.every, earlier, now, timeZone)) {
      await work.requirePossible(id)
      const job = await this.#run({ kind: 'backup.create', title: `Backing up “${name}”`, machineId: id }, (reporter) => work.create(id, policy, reporter))
      // Something else was quicker; it comes to its end.
      if (job.state === 'failed') return
    }
    // It is newer than the look began.
    await this.#prune(id, name, policy, this.#now())
    this.#memories.set(id, { policy, settledAt: now, failures: 0, retryAt: null })
    if (this.#problems.delete(id)) this.#tell()
  }

  async #prune(id: string, name: string, policy: Scheduled, now: Date): Promise<void> {
    const old = prunableBackups(await this.options.work.backups(id), policy.keep, now, this.options.timeZone)
    if (old.length === 0 || this.#closed) return
    await this.#run({ kind: 'backup.delete', title: `Deleting ${old.length === 1 ? 'an old backup' : `${String(old.length)} old backups`} of “${name}”`, machineId: id }, async (reporter) => {
      for (const backup of old) {
        reporter.signal.throwIfAborted()
        await this.options.work.delete(id, backup.id, reporter)
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
    return !this.#closed && whyRefused('backUp', this.options.machines.get(id)) === null
  }

  #now(): Date {
    return this.options.now?.() ?? new Date()
  }

  #memory(id: string, policy: BackupPolicy): Memory {
    const known = this.#memories.get(id)
    if (known !== undefined && isDeepStrictEqual(known.policy, policy)) return known
    const memory: Memory = { policy, settledAt: null, failures: 0, retryAt: null }
    this.#memories.set(id, memory)
    return memory
  }

  #failed({ definition: { id, name }, paths }: StoredMachine, policy: BackupPolicy, thrown: unknown): void {
    // The machine is gone, or the host is about to be.
    if (this.#closed || isRingsideError(thrown, 'NOT_FOUND')) return
    const error = reviveError(serialiseError(thrown))
    const isLocked = error.code === 'KEY_REQUIRED'
    const waits = isLocked || error.code === 'FILE_NOT_FOUND'
    const { failures } = this.#memory(id, policy)
    const pause = retryMs[Math.min(failures, retryMs.length - 1)] ?? lookMs
    this.#memories.set(id, { policy, settledAt: null, failures: waits ? failures : failures + 1, retryAt: waits ? null : new Date(this.#now().getTime() + pause) })
    const message = isLocked ? `The backup of “${name}” waits: its disks are encrypted, and it is locked.` : waits ? `The backup of “${name}” waits. ${error.message}` : `“${name}” could not be backed up. ${error.message}`
    if (this.#problems.get(id)?.message === message) return
    this.#problems.set(id, { folder: paths.folder, path: policy.folder, code: 'BACKUP_FAILED', message, hint: isLocked ? 'It is made within a minute of its being unlocked.' : waits ? 'Plug in its drive or connect the network share; it is made then.' : error.data.hint ?? 'It is tried again by itself.', ...(isLocked ? { machineId: id } : {}) })
    this.#tell()
  }

  /** A machine that is gone or has no schedule any more has no problem with it either. */
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

function isScheduled(policy: BackupPolicy | null): policy is Scheduled {
  return policy !== null && policy.every !== null
}

/**
 * The automatic backups that a policy has no use for any more, oldest first. Never among them: one that somebody made by hand; one from the future, which only says that the clock was wrong; the
 * newest of all, which the next one goes on from.
 */
export function prunableBackups<B extends ScheduledBackup>(backups: readonly B[], keep: BackupPolicy['keep'], now: Date, timeZone?: string): B[] {
  const newest = backups.at(-1)
  const ours = backups.filter(({ kind, takenAt }) => kind === 'automatic' && Date.parse(takenAt) <= now.getTime())
  const kept = newestOfEach(ours, keep, timeZone)
  return ours.filter((backup) => !kept.has(backup) && backup !== newest).sort((a, b) => Date.parse(a.takenAt) - Date.parse(b.takenAt))
}
