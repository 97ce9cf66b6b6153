import type { RingsideError } from '@shared/errors'
import type { Snapshot, SnapshotPolicy } from '@shared/model'
import type { JobReporter, StoredMachine } from '../app/services'
import { PolicySchedule, type ScheduleFailure, type ScheduleOptions } from '../schedule'
import { automaticName } from './automatic-name'
import { prunable } from './retention'

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

/** Takes snapshots by themselves, as the policies of the machines say, and deletes those that a policy has no use for any more. */
export class AutomaticSnapshots extends PolicySchedule<SnapshotPolicy> {
  protected readonly action = 'takeSnapshot'

  constructor(private readonly options: ScheduleOptions & { readonly work: AutomaticWork }) {
    super(options)
  }

  protected policyOf({ definition }: StoredMachine): SnapshotPolicy | null {
    return definition.template ? null : definition.snapshotPolicy
  }

  protected async carryOut(stored: StoredMachine, policy: SnapshotPolicy, now: Date): Promise<boolean> {
    const { work } = this.options
    const { id } = stored.definition
    const snapshots = await work.snapshots(id)
    const earlier = snapshots.filter(({ kind }) => kind === 'automatic').map(({ takenAt }) => new Date(takenAt))
    if (this.isDue(policy, earlier, now) && (await work.hasChanged(id)) && !(await this.#take(stored, policy, snapshots, now))) return false
    await this.#prune(stored, policy, now)
    return true
  }

  /** @returns whether there is an end to it for this time */
  async #take({ definition: { id, name } }: StoredMachine, policy: SnapshotPolicy, snapshots: readonly Snapshot[], now: Date): Promise<boolean> {
    if (!this.mayBegin(id)) return false
    await this.options.work.requireKey(id)
    const request = { name: automaticName(now, snapshots.map((snapshot) => snapshot.name), this.options.timeZone), memory: policy.memory }
    const job = await this.run({ kind: 'snapshot.take', title: `Taking an automatic snapshot of “${name}”`, machineId: id }, (reporter) => this.options.work.take(id, request, reporter))
    // Something else was quicker; it comes to its end.
    return job.state !== 'failed'
  }

  async #prune({ definition: { id, name } }: StoredMachine, policy: SnapshotPolicy, now: Date): Promise<void> {
    const old = prunable(await this.options.work.snapshots(id), policy.keep, now, this.options.timeZone)
    if (old.length === 0 || !this.mayBegin(id)) return
    await this.run({ kind: 'snapshot.delete', title: `Deleting ${old.length === 1 ? 'an old automatic snapshot' : `${String(old.length)} old automatic snapshots`} of “${name}”`, machineId: id }, async (reporter) => {
      for (const [index, snapshot] of old.entries()) {
        reporter.signal.throwIfAborted()
        reporter.report(index / old.length, `Deleting “${snapshot.name}”`)
        await this.options.work.delete(id, snapshot.id, { ...reporter, report: (_, step) => { reporter.report(index / old.length, step) } })
      }
    })
  }

  protected explain({ definition: { id, name }, paths: { folder } }: StoredMachine, _policy: SnapshotPolicy, { code, message, data }: RingsideError): ScheduleFailure {
    // Somebody may unlock it at any time, and holds the key for a few minutes only.
    if (code === 'KEY_REQUIRED') {
      return { waits: true, problem: { path: folder, code: 'AUTOMATIC_SNAPSHOT_SKIPPED', message: `An automatic snapshot of “${name}” was skipped: its disks are encrypted, and it is locked.`, hint: 'It is taken within a minute of its being unlocked.', machineId: id } }
    }
    return { waits: false, problem: { path: folder, code: 'AUTOMATIC_SNAPSHOT_FAILED', message: `No automatic snapshot could be taken of “${name}”. ${message}`, hint: data.hint ?? 'It is tried again by itself.' } }
  }
}
