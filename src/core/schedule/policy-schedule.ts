import { isDeepStrictEqual } from 'node:util'
import { isRingsideError, reviveError, type RingsideError, serialiseError } from '@shared/errors'
import { type Job, type LibraryProblem, type SnapshotPolicy, whyRefused } from '@shared/model'
import type { Disposer, JobReporter, Jobs, MachineLibrary, MachineManager, StoredMachine } from '../app/services'
import { isDue } from './periods'

export interface ScheduleOptions {
  readonly library: Pick<MachineLibrary, 'list'>
  readonly machines: Pick<MachineManager, 'get'>
  readonly jobs: Pick<Jobs, 'run' | 'ended' | 'dismiss'>
  readonly now?: () => Date
  /** IANA name; absent: the computer's. */
  readonly timeZone?: string
}

/** What is told of a failure. */
export interface ScheduleFailure {
  readonly problem: Omit<LibraryProblem, 'folder'>
  /** It is only waited for something, such as a key or a drive: looked for every minute, and no failure that others count with. */
  readonly waits: boolean
}

/** How often the machines are looked at. Milliseconds. */
const lookMs = 60_000
/** After a failure it is tried again so much later, and after the last ever again. Milliseconds. */
const retryMs = [5 * 60_000, 30 * 60_000, 60 * 60_000] as const

/** What is remembered of a machine while the host runs. */
interface Memory<Policy> {
  /** With another policy everything begins anew. */
  policy: Policy
  /** When it was done last, or was found not to be needed. */
  settledAt: Date | null
  failures: number
  retryAt: Date | null
}

/**
 * Does by itself what the policies of machines ask for, once in every hour, day or week by the clock on the wall, at the first opportunity. What was missed is made up for once. What fails is told once, as
 * a problem of the library that goes when it works again, and is tried later.
 */
export abstract class PolicySchedule<Policy extends Pick<SnapshotPolicy, 'every'>> {
  readonly #memories = new Map<string, Memory<Policy>>()
  readonly #problems = new Map<string, LibraryProblem>()
  readonly #listeners = new Set<() => void>()
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(private readonly host: ScheduleOptions) {}

  /** What machines are asked to do, as `whyRefused` knows it. */
  protected abstract readonly action: 'takeSnapshot' | 'backUp'

  /** null: nothing is done by itself for this machine. */
  protected abstract policyOf(machine: StoredMachine): Policy | null

  /** Does what is due, and tidies up. @param now when the look began @returns whether there is an end to it for this time: it was done, or was not needed, or somebody did not want it */
  protected abstract carryOut(machine: StoredMachine, policy: Policy, now: Date): Promise<boolean>

  protected abstract explain(machine: StoredMachine, policy: Policy, error: RingsideError): ScheduleFailure

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

  protected get closed(): boolean {
    return this.#closed
  }

  protected mayBegin(id: string): boolean {
    return !this.#closed && whyRefused(this.action, this.host.machines.get(id)) === null
  }

  protected isDue({ every }: Policy, earlier: readonly Date[], now: Date): boolean {
    return isDue(every, earlier, now, this.host.timeZone)
  }

  protected now(): Date {
    return this.host.now?.() ?? new Date()
  }

  /** Runs a job that leaves nothing behind in the list but its failure's being told. Throws the failure, unless it only came at a bad time: then it has failed with `ILLEGAL_STATE`. */
  protected async run(what: Pick<Job, 'kind' | 'title' | 'machineId'>, work: (reporter: JobReporter) => Promise<void>): Promise<Job> {
    const { jobs } = this.host
    const ended = await jobs.ended(jobs.run({ ...what, cancellable: true, automatic: true }, work).id)
    jobs.dismiss(ended.id)
    if (ended.state === 'failed' && ended.error?.code !== 'ILLEGAL_STATE') throw reviveError(ended.error)
    return ended
  }

  async #lookAtAll(): Promise<void> {
    const scheduled = this.host.library.list().flatMap((machine) => {
      const policy = this.policyOf(machine)
      return policy === null ? [] : [{ machine, policy }]
    })
    this.#forgetOthers(new Set(scheduled.map(({ machine }) => machine.definition.id)))
    for (const { machine, policy } of scheduled) {
      if (!this.#closed) await this.#lookAt(machine, policy).catch((error: unknown) => { this.#failed(machine, policy, error) })
    }
  }

  async #lookAt(machine: StoredMachine, policy: Policy): Promise<void> {
    const { id } = machine.definition
    const now = this.now()
    const { retryAt, settledAt } = this.#memory(id, policy)
    if (retryAt !== null && now < retryAt) return
    if (settledAt !== null && !this.isDue(policy, [settledAt], now)) return
    // At work, or on its way from one state to another: in a minute, perhaps.
    if (!this.mayBegin(id) || !(await this.carryOut(machine, policy, now))) return
    this.#memories.set(id, { policy, settledAt: now, failures: 0, retryAt: null })
    if (this.#problems.delete(id)) this.#tell()
  }

  #memory(id: string, policy: Policy): Memory<Policy> {
    const known = this.#memories.get(id)
    if (known !== undefined && isDeepStrictEqual(known.policy, policy)) return known
    const memory: Memory<Policy> = { policy, settledAt: null, failures: 0, retryAt: null }
    this.#memories.set(id, memory)
    return memory
  }

  #failed(machine: StoredMachine, policy: Policy, thrown: unknown): void {
    // The machine is gone, or the host is about to be.
    if (this.#closed || isRingsideError(thrown, 'NOT_FOUND')) return
    const { definition: { id }, paths } = machine
    const { problem, waits } = this.explain(machine, policy, reviveError(serialiseError(thrown)))
    const { failures } = this.#memory(id, policy)
    const pause = retryMs[Math.min(failures, retryMs.length - 1)] ?? lookMs
    this.#memories.set(id, { policy, settledAt: null, ...(waits ? { failures, retryAt: null } : { failures: failures + 1, retryAt: new Date(this.now().getTime() + pause) }) })
    if (this.#problems.get(id)?.message === problem.message) return
    this.#problems.set(id, { folder: paths.folder, ...problem })
    this.#tell()
  }

  /** A machine that is gone or has no policy any more has no problem with it either. */
  #forgetOthers(ids: ReadonlySet<string>): void {
    for (const id of this.#memories.keys()) if (!ids.has(id)) this.#memories.delete(id)
    const gone = [...this.#problems.keys()].filter((id) => !ids.has(id))
    for (const id of gone) this.#problems.delete(id)
    if (gone.length > 0) this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
