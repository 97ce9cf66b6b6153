import type { RingsideError } from '@shared/errors'
import type { BackupPolicy } from '@shared/model'
import type { JobReporter, StoredMachine } from '../app/services'
import { newestOfEach, PolicySchedule, type ScheduleFailure, type ScheduleOptions } from '../schedule'

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

type Scheduled = BackupPolicy & { every: NonNullable<BackupPolicy['every']> }

/**
 * Makes the backups that policies ask for, and deletes those that a policy has no use for any more. A folder that is away is looked for every minute, and so is the key of encrypted disks; what was missed is made up for once when it is
 * back.
 */
export class BackupSchedule extends PolicySchedule<Scheduled> {
  protected readonly action = 'backUp'

  constructor(private readonly options: ScheduleOptions & { readonly work: BackupWork }) {
    super(options)
  }

  protected policyOf({ definition: { backupPolicy } }: StoredMachine): Scheduled | null {
    return isScheduled(backupPolicy) ? backupPolicy : null
  }

  protected async carryOut({ definition: { id, name } }: StoredMachine, policy: Scheduled, now: Date): Promise<boolean> {
    const { work } = this.options
    const backups = await work.backups(id)
    const earlier = backups.filter(({ kind }) => kind === 'automatic').map(({ takenAt }) => new Date(takenAt))
    if (this.isDue(policy, earlier, now)) {
      await work.requirePossible(id)
      const job = await this.run({ kind: 'backup.create', title: `Backing up “${name}”`, machineId: id }, (reporter) => work.create(id, policy, reporter))
      // Something else was quicker; it comes to its end.
      if (job.state === 'failed') return false
    }
    // It is newer than the look began.
    await this.#prune(id, name, policy, this.now())
    return true
  }

  async #prune(id: string, name: string, policy: Scheduled, now: Date): Promise<void> {
    const old = prunableBackups(await this.options.work.backups(id), policy.keep, now, this.options.timeZone)
    if (old.length === 0 || this.closed) return
    await this.run({ kind: 'backup.delete', title: `Deleting ${old.length === 1 ? 'an old backup' : `${String(old.length)} old backups`} of “${name}”`, machineId: id }, async (reporter) => {
      for (const backup of old) {
        reporter.signal.throwIfAborted()
        await this.options.work.delete(id, backup.id, reporter)
      }
    })
  }

  protected explain({ definition: { id, name } }: StoredMachine, { folder: path }: Scheduled, { code, message, data }: RingsideError): ScheduleFailure {
    const problem = { path, code: 'BACKUP_FAILED' as const }
    if (code === 'KEY_REQUIRED') {
      return { waits: true, problem: { ...problem, message: `The backup of “${name}” waits: its disks are encrypted, and it is locked.`, hint: 'It is made within a minute of its being unlocked.', machineId: id } }
    }
    if (code === 'FILE_NOT_FOUND') return { waits: true, problem: { ...problem, message: `The backup of “${name}” waits. ${message}`, hint: 'Plug in its drive or connect the network share; it is made then.' } }
    return { waits: false, problem: { ...problem, message: `“${name}” could not be backed up. ${message}`, hint: data.hint ?? 'It is tried again by itself.' } }
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
