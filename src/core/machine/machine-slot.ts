import { RingsideError } from '@shared/errors'
import { type CrashReport, type MachineAction, type MachineState, type MachineTask, type MachineView, type RunInfo, type SavedState, isLive, whyRefused } from '@shared/model'
import type { StoredMachine } from '../app/services'
import type { EngineEvent, SavedRun } from '../engine/engine'
import { presentAndNext, withOwnAddresses } from '../hardware/hardware'
import { MachineLog } from './machine-log'
import type { RunRecord } from './run-record'
import type { WorkerLink } from './worker-link'

/** What the host knows of one machine beside its definition. Changed only by the verbs and the supervisor. */
interface Facts {
  state: MachineState
  run: RunInfo | null
  crash: CrashReport | null
  saved: SavedState | null
  task: MachineTask | null
}

/** What is known of a guest that is saved to disk, beside its memory. */
export type SavedGuest = Pick<SavedRun, 'definition' | 'ownAddresses' | 'accelerator'>

type EndedEvent = Extract<EngineEvent, { type: 'ended' }>

/** One machine as the host sees it: state, worker, and the order of its actions. */
export class MachineSlot {
  #facts: Facts = { state: 'stopped', run: null, crash: null, saved: null, task: null }
  #since = new Date()
  #lastAction: Promise<unknown> = Promise.resolve()
  /** Stops the background work that is at work or waits for its turn. */
  readonly #backgroundAborts = new Set<AbortController>()
  #background: Promise<unknown> = Promise.resolve()
  readonly #stateListeners = new Set<() => void>()
  link: WorkerLink | null = null
  /** Of the run under way. */
  record: RunRecord | null = null
  /** What the guest has that is saved to disk; null: none is, or its record can't be read. */
  savedGuest: SavedGuest | null = null
  /** The end of the process, noticed while a verb is at work that decides what it means. */
  ended: EndedEvent | null = null
  /** Somebody pulls the plug: whatever way the process ends now is a clean one. */
  poweringOff = false
  /** Stops the save under way. */
  saveAbort: AbortController | null = null
  /** Stops the task under way. */
  taskAbort: AbortController | null = null
  /** The guest ran when a save began, and is to run again if that breaks. */
  runsAfterSave = false
  /** A worker that died is being replaced. */
  recovery: Promise<void> | null = null
  /** The host has let go of the machine: it gets no new worker, which would stand in the next host's way. */
  released = false
  /** No worker stays with the machine; it is looked at from afar. */
  unattended = false
  /** The last run is being cleared away. */
  cleaning: Promise<void> = Promise.resolve()
  powerButtonTimer: NodeJS.Timeout | null = null
  /** What the engine said last since the guest last went on. */
  lastNote: string | null = null
  /** Why the guest is paused, where that is worth a sentence; holds until it goes on. */
  pauseNote: string | null = null
  /** Workers in a row that died soon, for the pause before the next. */
  workerDeaths = 0
  readonly log: MachineLog

  constructor(
    readonly id: string,
    private readonly find: () => StoredMachine,
    private readonly changed: (slot: MachineSlot) => void,
  ) {
    this.log = new MachineLog(find().paths.machineLog)
  }

  get stored(): StoredMachine {
    return this.find()
  }

  get name(): string {
    return this.stored.definition.name
  }

  get state(): MachineState {
    return this.#facts.state
  }

  get run(): RunInfo | null {
    return this.#facts.run
  }

  get crash(): CrashReport | null {
    return this.#facts.crash
  }

  get saved(): SavedState | null {
    return this.#facts.saved
  }

  get task(): MachineTask | null {
    return this.#facts.task
  }

  get live(): boolean {
    return isLive(this.state)
  }

  view(): MachineView {
    const { definition, paths } = this.stored
    const { state, run, crash, saved, task } = this.#facts
    // A disposable run has nothing that waits, and layers that are nobody's.
    const present = this.live && this.record !== null && !this.record.disposable ? withOwnAddresses(this.record) : state === 'saved' && this.savedGuest !== null ? withOwnAddresses(this.savedGuest) : null
    const hardware = present === null ? { definition, next: null } : presentAndNext(definition, present)
    return { id: this.id, ...hardware, state, stateSince: this.#since.toISOString(), task, folder: paths.folder, run, crash, saved }
  }

  /** Takes new facts over and tells everybody. */
  set(change: Partial<Facts>): void {
    if (change.state !== undefined && change.state !== this.state) {
      this.#since = new Date()
      this.log.write('state', { from: this.state, to: change.state })
    }
    this.#facts = { ...this.#facts, ...change }
    if (this.state !== 'stopping') this.stopWaitingForPowerButton()
    for (const listener of [...this.#stateListeners]) listener()
    this.changed(this)
  }

  /** Adds a sentence to what is less than asked for in this run, once. */
  addNote(note: string): void {
    if (this.run === null || this.run.notes.includes(note)) return
    this.set({ run: { ...this.run, notes: [...this.run.notes, note] } })
  }

  removeNote(note: string): void {
    if (this.run?.notes.includes(note) !== true) return
    this.set({ run: { ...this.run, notes: this.run.notes.filter((other) => other !== note) } })
  }

  /** Throws `ILLEGAL_STATE` in words. */
  require(action: MachineAction): void {
    const { definition } = this.stored
    const why = whyRefused(action, { state: this.state, task: this.task, definition, run: this.run })
    if (why !== null) throw new RingsideError('ILLEGAL_STATE', why, { state: this.state })
  }

  /**
   * Does an action after all earlier ones of this machine. What is illegal then is refused; while a long action is at work, what would
   * be illegal now is refused at once instead of waiting for minutes.
   */
  async inOrder<T>(action: MachineAction, work: () => Promise<T>): Promise<T> {
    if (this.state === 'starting' || this.state === 'saving' || this.task !== null) this.require(action)
    for (const abort of this.#backgroundAborts) abort.abort()
    const turn = Promise.all([this.#lastAction, this.#background]).then(() => {
      this.require(action)
      return work()
    })
    this.#lastAction = turn.catch(() => undefined)
    return turn
  }

  /**
   * Does something after all earlier actions, and only while no other one comes: that aborts it, and waits until it has ended. What is illegal when its turn comes
   * is not done.
   */
  async inBackground(action: MachineAction, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const abort = new AbortController()
    this.#backgroundAborts.add(abort)
    const turn = Promise.all([this.#lastAction, this.#background]).then(async () => {
      const { definition } = this.stored
      if (abort.signal.aborted || whyRefused(action, { state: this.state, task: this.task, definition, run: this.run }) !== null) return
      await work(abort.signal)
    }).finally(() => this.#backgroundAborts.delete(abort))
    this.#background = turn.catch(() => undefined)
    return turn
  }

  /** Every action waits for this: until it has ended, it is not known what the machine is. */
  waitFor(looking: Promise<void>): void {
    this.#lastAction = looking.catch(() => undefined)
  }

  /** Resolves when no action is at work. What is done in the background does not count. */
  async idle(): Promise<void> {
    let last: Promise<unknown>
    do {
      last = this.#lastAction
      await last
    } while (last !== this.#lastAction)
  }

  /** Resolves when the machine runs no more, or when the signal says that it has been waited for long enough. */
  async untilRest(signal: AbortSignal): Promise<void> {
    while (this.live && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done)
          this.#stateListeners.delete(done)
          resolve()
        }
        signal.addEventListener('abort', done)
        this.#stateListeners.add(done)
      })
    }
  }

  stopWaitingForPowerButton(): void {
    if (this.powerButtonTimer !== null) clearTimeout(this.powerButtonTimer)
    this.powerButtonTimer = null
  }
}
