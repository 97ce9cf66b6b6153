import { RingsideError } from '@shared/errors'
import type { MachineAction, MachineDefinition, MachineState } from '@shared/model'
import type { JobReporter, StoredMachine } from '../app/services'
import { runtimePaths } from '../library/paths'
import { showAtRest } from './adopt-all'
import { requireFreeImages } from './images-in-use'
import type { MachineSlot, SavedGuest } from './machine-slot'
import type { ManagerContext } from './manager-context'
import { type RunRecord, withDefinition, writeRunRecord } from './run-record'
import { readSavedRun, writeSavedRun } from './saved-state'
import { requireLink } from './supervise'
import { pullPlug } from './verbs/power-off'
import { save } from './verbs/save'
import { start } from './verbs/start'
import type { CommandOptions } from './worker-link'
import type { CommandInput, CommandOutput, WorkerCommand } from './worker-protocol'

/** A machine that one task has for itself: no other action changes it meanwhile, but its guest may end and its plug may be pulled. */
export class HeldMachine {
  constructor(
    private readonly context: ManagerContext,
    private readonly slot: MachineSlot,
    private readonly action: MachineAction,
    /** Aborted when the job is cancelled or the plug is pulled. */
    readonly signal: AbortSignal,
  ) {}

  get id(): string {
    return this.slot.id
  }

  get stored(): StoredMachine {
    return this.slot.stored
  }

  get state(): MachineState {
    return this.slot.state
  }

  get live(): boolean {
    return this.slot.live
  }

  /** The run under way, with the definition that QEMU has; null when there is none. */
  get run(): RunRecord | null {
    return this.slot.record
  }

  get isDisposable(): boolean {
    return this.slot.run?.disposable === true
  }

  /** What is left of the task does not need the run: from here on its plug can be pulled, and the task goes on. */
  outliveRun(): void {
    this.slot.taskAbort = null
  }

  log(event: string, facts: Record<string, unknown> = {}): void {
    this.slot.log.write(event, facts)
  }

  addNote(note: string): void {
    this.slot.addNote(note)
  }

  removeNote(note: string): void {
    this.slot.removeNote(note)
  }

  /** Has the worker of the running machine do something. Throws what it throws, and `ILLEGAL_STATE` when the machine does not run any more. */
  async command<C extends WorkerCommand>(name: C, input: CommandInput<C>, options: CommandOptions = {}): Promise<CommandOutput<C>> {
    if (!this.slot.live) throw new RingsideError('ILLEGAL_STATE', `“${this.slot.name}” does not run any more.`, { state: this.slot.state })
    return (await requireLink(this.context, this.slot, this.action, { ownTask: true })).command(name, input, options)
  }

  /** Throws `DISK_IN_USE` while a machine that runs needs an image of the definition for itself. */
  async requireFreeImages(definition: MachineDefinition): Promise<void> {
    if (this.slot.live) await requireFreeImages(this.context, this.slot, { writes: true, definition })
  }

  /** Notes the definition that the run has from now on, its disks being in other files, for a later host. */
  async noteRun(definition: MachineDefinition): Promise<void> {
    if (this.slot.record !== null) await this.#record(withDefinition(this.slot.record, definition))
  }

  /** Notes that nothing of what was changed while the guest was saved is left to be made. */
  async noteChangesMade(): Promise<void> {
    if (this.slot.record !== null) await this.#record({ ...this.slot.record, changesDue: false })
  }

  /** What the saved guest has. Throws what keeps the record from being read. */
  savedGuest(): Promise<SavedGuest> {
    return readSavedRun(this.slot.stored.paths)
  }

  /** Changes what is recorded of the saved guest, beside its memory. */
  async noteSaved(change: (definition: MachineDefinition) => MachineDefinition): Promise<void> {
    const { paths } = this.slot.stored
    const saved = await readSavedRun(paths)
    await writeSavedRun(paths, { ...saved, definition: change(saved.definition) })
    await this.refresh()
    this.slot.set({})
  }

  /** Pulls the plug and waits until nothing of the run is left. */
  async powerOff(): Promise<void> {
    if (!this.slot.live) return
    await pullPlug(this.context, this.slot)
    await this.slot.cleaning
  }

  /** Starts the machine, or lets it go on from saved state when it has some. */
  start(): Promise<void> {
    return start(this.context, this.slot)
  }

  /** Saves a running machine to disk. */
  save(report: JobReporter): Promise<void> {
    return save(this.context, this.slot, report, { ownTask: true })
  }

  /** Looks again at what lies on disk: saved state, the last crash. */
  async refresh(): Promise<void> {
    await showAtRest(this.slot)
  }

  async #record(record: RunRecord): Promise<void> {
    this.slot.record = record
    await writeRunRecord(runtimePaths(this.slot.stored.paths.runtime).record, record)
  }
}
