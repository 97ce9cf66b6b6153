import { join } from 'node:path'
import { RingsideError } from '@shared/errors'
import { type CommandLine, type LibraryProblem, type MachineAction, type MachineTask, type MachineView, type QemuReport, isLive } from '@shared/model'
import type { ConsoleChannel, MetricsEvent, ThumbnailEvent } from '@shared/contract'
import type { ConsoleTransfer, Disposer, JobReporter, MachineLibrary, MachineManager, Probe } from '../app/services'
import type { LaunchPlan } from '../engine/engine'
import { createImageTool, type QemuImg } from '../engine/qemu'
import { MetricsHub } from '../metrics/metrics-hub'
import { adoptAll, showAtRest } from './adopt-all'
import { type CloseMode, type CloseOptions, type Remaining, releaseMachines, settleMachines } from './close-machines'
import { HeldMachine } from './held-machine'
import { clearDisposable } from './disposable'
import type { WorkerLauncher } from './launcher'
import { MachineSlot } from './machine-slot'
import { type ManagerContext, type Timings, defaultTimings } from './manager-context'
import type { RunRecord } from './run-record'
import { requireLink } from './supervise'
import { attachConsole } from './verbs/attach-console'
import { commandLine } from './verbs/command-line'
import { deleteMachine } from './verbs/delete'
import { discardSaved } from './verbs/discard-saved'
import { pause } from './verbs/pause'
import { powerOff } from './verbs/power-off'
import { rename } from './verbs/rename'
import { reset } from './verbs/reset'
import { resume } from './verbs/resume'
import { save } from './verbs/save'
import { screenshot } from './verbs/screenshot'
import { shutDown } from './verbs/shut-down'
import { type StartOptions, start } from './verbs/start'
import { WorkerPool } from './worker-pool'
import type { CommandOptions } from './worker-link'
import type { CommandInput, CommandOutput } from './worker-protocol'

export interface MachineSupervisorOptions {
  readonly library: MachineLibrary
  readonly probe: Probe
  readonly launcher: WorkerLauncher
  /** The folder of the library: run records name it. */
  readonly libraryFolder: string
  readonly runtimeRoot: string
  /** The argv that the engine gives QEMU for a plan. Pure but for looking at files. */
  readonly commandLine: (plan: LaunchPlan) => Promise<string[]>
  /** The key of a machine's encrypted disks. Throws `KEY_REQUIRED`. Absent: there is none. */
  readonly diskKey?: (machineId: string) => Promise<string>
  /** Absent: one that knows no keys. */
  readonly imageTool?: (qemu: QemuReport) => QemuImg
  /** Keep a worker ready, so that machines start as fast as QEMU does: for hosts that stay. */
  readonly keepSpareWorker?: boolean
  readonly timings?: Partial<Timings>
  readonly freeMemoryMiB?: () => number
}

/** Commands of a worker that are carried out in the guest. */
export type GuestWork = 'guestInfo' | 'guestRun' | 'guestSetPassword' | 'guestCopyIn' | 'guestCopyOut'

type Change = { type: 'changed'; machine: MachineView } | { type: 'removed'; id: string }

/** Runs, watches and ends the machines of a library, one worker each. */
export class MachineSupervisor implements MachineManager {
  readonly #slots = new Map<string, MachineSlot>()
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #problemListeners = new Set<() => void>()
  readonly #context: ManagerContext
  readonly #stopListening: Disposer
  #problems: LibraryProblem[] = []
  #goneOn: (held: HeldMachine) => Promise<void> = () => Promise.resolve()

  private constructor(options: MachineSupervisorOptions) {
    this.#context = {
      library: options.library,
      probe: options.probe,
      workers: new WorkerPool(options.launcher, join(options.runtimeRoot, 'workers.log'), options.keepSpareWorker ?? false),
      metrics: new MetricsHub(() => {
        this.#tellWhatIsWatched()
      }),
      libraryFolder: options.libraryFolder,
      runtimeRoot: options.runtimeRoot,
      timings: { ...defaultTimings, ...options.timings },
      commandLine: options.commandLine,
      imageTool: options.imageTool ?? (({ imgPath }) => createImageTool(imgPath)),
      diskKey: options.diskKey ?? (() => Promise.reject(new RingsideError('KEY_REQUIRED', 'The machine has encrypted disks, and nothing here knows their key.'))),
      freeMemoryMiB: options.freeMemoryMiB ?? (() => process.availableMemory() / 2 ** 20),
      slots: () => [...this.#slots.values()],
      addProblem: (problem) => {
        this.#problems = [...this.#problems, problem]
        for (const listener of this.#problemListeners) listener()
      },
    }
    for (const { definition } of options.library.list()) this.#add(definition.id)
    this.#stopListening = options.library.onChange((change) => {
      this.#libraryChanged(change)
    })
  }

  /**
   * Takes over what runs and shows how the rest ended. Machines can be listed when this resolves; the host is told of whatever comes
   * later by `onChange`.
   */
  static async open(options: MachineSupervisorOptions): Promise<MachineSupervisor> {
    const supervisor = new MachineSupervisor(options)
    const context = supervisor.#context
    await Promise.all(context.slots().map(showAtRest))
    await adoptAll(context)
    await Promise.all(context.slots().filter((slot) => !slot.live).map(clearDisposable))
    context.workers.prepare()
    return supervisor
  }

  /** Machines that run without a definition. */
  problems(): LibraryProblem[] {
    return this.#problems
  }

  onProblems(listener: () => void): Disposer {
    this.#problemListeners.add(listener)
    return () => this.#problemListeners.delete(listener)
  }

  list(): MachineView[] {
    return this.#context.library.list().map(({ definition }) => this.#slot(definition.id).view())
  }

  get(id: string): MachineView {
    return this.#slot(id).view()
  }

  async start(id: string, options: StartOptions = { disposable: false }): Promise<MachineView> {
    const view = await this.#inOrder(id, 'start', async (slot) => {
      await start(this.#context, slot, options)
      if (slot.record?.changesDue === true) await this.#exclusively(slot, { action: 'changeHardware', task: 'hardware' }, (held) => this.#goneOn(held))
    })
    this.#context.workers.prepareSoon()
    return view
  }

  pause(id: string): Promise<MachineView> {
    return this.#inOrder(id, 'pause', (slot) => pause(this.#context, slot))
  }

  resume(id: string): Promise<MachineView> {
    return this.#inOrder(id, 'resume', (slot) => resume(this.#context, slot))
  }

  shutDown(id: string): Promise<MachineView> {
    return this.#inOrder(id, 'shutDown', (slot) => shutDown(this.#context, slot))
  }

  reset(id: string): Promise<MachineView> {
    return this.#inOrder(id, 'reset', (slot) => reset(this.#context, slot))
  }

  async powerOff(id: string): Promise<MachineView> {
    const slot = this.#slot(id)
    await powerOff(this.#context, slot)
    return slot.view()
  }

  save(id: string, report: JobReporter): Promise<MachineView> {
    return this.#inOrder(id, 'save', (slot) => save(this.#context, slot, report))
  }

  discardSaved(id: string): Promise<MachineView> {
    return this.#inOrder(id, 'discardSaved', discardSaved)
  }

  rename(id: string, name: string): Promise<MachineView> {
    return this.#inOrder(id, 'rename', (slot) => rename(this.#context, slot, name))
  }

  async delete(id: string, options: { permanently: boolean }): Promise<{ trashed: boolean }> {
    const slot = this.#slot(id)
    return slot.inOrder('delete', () => deleteMachine(this.#context, slot, options))
  }

  async screenshot(id: string): Promise<Uint8Array> {
    return screenshot(this.#context, this.#slot(id))
  }

  async commandLine(id: string): Promise<CommandLine> {
    return commandLine(this.#context, this.#slot(id))
  }

  attachConsole(id: string, channel: ConsoleChannel, transfer: ConsoleTransfer): void {
    attachConsole(this.#slot(id), channel, transfer)
  }

  onChange(listener: (change: Change) => void): Disposer {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  watchMetrics(listener: (event: MetricsEvent) => void): Disposer {
    return this.#context.metrics.watchMetrics(listener)
  }

  watchThumbnails(listener: (event: ThumbnailEvent) => void): Disposer {
    return this.#context.metrics.watchThumbnails(listener)
  }

  /**
   * For quitting. Lists the machines that go on although the mode says otherwise; nothing is closed then, so that a person can
   * be asked, unless `keepRunning` follows. An empty list: everything is let go of and this supervisor is done.
   */
  async close(mode: CloseMode, options: CloseOptions = {}): Promise<Remaining[]> {
    const remaining = await settleMachines(this.#context, mode, options)
    if (remaining.length > 0) return remaining
    this.#stopListening()
    this.#context.workers.close()
    await releaseMachines(this.#context)
    return []
  }

  /**
   * Does something that needs the machine for itself, after all earlier actions. Until it has ended other actions are refused with a reason.
   * @param signal of the job that it belongs to
   */
  async exclusively<T>(id: string, what: { action: MachineAction; task: MachineTask; signal?: AbortSignal }, work: (held: HeldMachine) => Promise<T>): Promise<T> {
    const slot = this.#slot(id)
    return slot.inOrder(what.action, () => this.#exclusively(slot, what, work))
  }

  /** @param work what is done with a machine that has just gone on from its memory, when its hardware was changed meanwhile; must not throw */
  whenGoneOn(work: (held: HeldMachine) => Promise<void>): void {
    this.#goneOn = work
  }

  /** Machines that run and have not got yet all that was changed while they were saved. */
  changesDue(): string[] {
    return this.#context.slots().filter(({ live, record }) => live && record?.changesDue === true).map(({ id }) => id)
  }

  /** The record of a machine’s run, with the places of what has left; null: it does not run. */
  runOf(id: string): RunRecord | null {
    const { live, record } = this.#slot(id)
    return live ? record : null
  }

  /** What a machine is when it is known and nothing is being done with it. */
  async settled(id: string): Promise<MachineView> {
    const slot = this.#slot(id)
    await slot.idle()
    return slot.view()
  }

  /**
   * Work that nobody waits for, with the machine for itself while there is nothing else to do with it: whatever else is to be done aborts it,
   * and begins when it has ended. It is not begun when there is something to do already.
   */
  async inBackground(id: string, action: MachineAction, work: (held: HeldMachine) => Promise<void>): Promise<void> {
    const slot = this.#slot(id)
    await slot.inBackground(action, async (signal) => {
      await slot.cleaning
      if (!signal.aborted) await work(new HeldMachine(this.#context, slot, action, signal))
    })
  }

  /**
   * Asks the worker of a running machine something that changes nothing; does not wait for its turn.
   * Throws `ILLEGAL_STATE` when the machine does not run, and what the worker throws.
   */
  async ask<C extends 'snapshotMemory' | 'freezeObstacle' | 'topLayers'>(id: string, question: C): Promise<CommandOutput<C>> {
    const slot = this.#slot(id)
    if (!slot.live) throw new RingsideError('ILLEGAL_STATE', `“${slot.name}” does not run.`, { state: slot.state })
    const link = await requireLink(this.#context, slot, 'takeSnapshot', { ownTask: true })
    return link.command(question, {} as CommandInput<C>, { timeoutMs: this.#context.timings.command })
  }

  /**
   * Has a running guest do something through its agent; does not wait for its turn, since nothing of the machine itself is changed.
   * Throws `ILLEGAL_STATE` when the machine does not run, and what the worker throws.
   */
  async inGuest<C extends GuestWork>(id: string, work: C, input: CommandInput<C>, options: CommandOptions = {}): Promise<CommandOutput<C>> {
    const slot = this.#slot(id)
    slot.require('useGuest')
    const link = await requireLink(this.#context, slot, 'useGuest')
    return link.command(work, input, options)
  }

  async #exclusively<T>(slot: MachineSlot, { action, task, signal: jobs }: { action: MachineAction; task: MachineTask; signal?: AbortSignal }, work: (held: HeldMachine) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    const signal = jobs === undefined ? abort.signal : AbortSignal.any([abort.signal, jobs])
    slot.taskAbort = abort
    slot.set({ task })
    try {
      await slot.cleaning
      signal.throwIfAborted()
      return await work(new HeldMachine(this.#context, slot, action, signal))
    } finally {
      slot.taskAbort = null
      slot.set({ task: null })
    }
  }

  async #inOrder(id: string, action: MachineAction, work: (slot: MachineSlot) => Promise<void>): Promise<MachineView> {
    const slot = this.#slot(id)
    await slot.inOrder(action, () => work(slot))
    return slot.view()
  }

  #slot(id: string): MachineSlot {
    // The library's error for an unknown machine is the one that people know.
    this.#context.library.get(id)
    const slot = this.#slots.get(id)
    if (slot === undefined) throw new RingsideError('INTERNAL', `The machine ${id} is in the library and was never announced.`)
    return slot
  }

  #add(id: string): MachineSlot {
    const slot = new MachineSlot(id, () => this.#context.library.get(id), () => {
      this.#tell({ type: 'changed', machine: slot.view() })
    })
    this.#slots.set(id, slot)
    return slot
  }

  #libraryChanged(change: { type: 'changed' | 'removed'; id: string } | { type: 'problems' }): void {
    if (change.type === 'problems') return
    const { id } = change
    if (change.type === 'changed') {
      const known = this.#slots.get(id)
      const slot = known ?? this.#add(id)
      this.#tell({ type: 'changed', machine: slot.view() })
      // A warm clone, or a folder that came from elsewhere, brings saved state along.
      if (known === undefined) slot.waitFor(showAtRest(slot))
      return
    }
    const slot = this.#slots.get(id)
    if (slot === undefined || isLive(slot.state)) return
    this.#slots.delete(id)
    this.#context.metrics.forget(id)
    this.#tell({ type: 'removed', id })
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  #tellWhatIsWatched(): void {
    for (const slot of this.#slots.values()) slot.link?.tell({ type: 'watch', ...this.#context.metrics.wanted })
  }
}
