import { RingsideError, type Issue } from '@shared/errors'
import { type HardwareDifference, type HardwarePlan, type HardwareProperty, type HardwareVersion, type MachineDefinition, type MachineHardware, type MachineView, type NewDisk, type RemoveDisk, whyRefused } from '@shared/model'
import type { ChangeOptions, Hardware, JobReporter, StoredMachine } from '../app/services'
import type { HeldMachine } from '../machine/held-machine'
import { MachineLog } from '../machine/machine-log'
import { readSavedRun } from '../machine/saved-state'
import { applyHardware, planChange, type PresentHardware, presentOf } from './apply'
import type { HardwareContext, HardwareWork } from './context'
import { addDisk, removeDisk } from './disks'
import { hardwareOf, inPresentLayers, isSameHardware, parseHardware, refuseFaults, withHardware, withOwnAddresses } from './hardware'
import { readHistory, readVersion, rememberDefinition } from './history'
import { issuesOf } from './issues'
import { inWords, isAskedFor } from './make-live'
import { makeWaiting } from './make-waiting'
import { withOwnNvram } from './nvram'
import { readableOf } from './readable'
import { removeUnusedTpm, withOwnTpm } from './tpm'
import { differencesOfPaused, waitingFor } from './waiting'

const changing = { action: 'changeHardware', task: 'hardware' } as const

/** What the machines of a library are made of, and every change of it. The rules are in docs/decisions/071. */
export class HardwareService implements Hardware {
  readonly #closing = new AbortController()
  #due: Promise<unknown> = Promise.resolve()

  constructor(private readonly context: HardwareContext) {
    context.snapshots.machines.whenGoneOn((held) => this.#makeWaiting(held))
  }

  /** Goes on with what an earlier host was cut off at: changes of machines that had just gone on from their memory. */
  start(): void {
    const due = this.context.snapshots.machines.changesDue()
    // One that is refused is at something else, or has ended: what waits is shown, and waits.
    this.#due = Promise.allSettled(due.map((id) => this.#holding(id, this.#closing.signal, ({ held }) => this.#makeWaiting(held))))
  }

  /** Waits for the change at work; the next host goes on with the others. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#due
  }

  properties(id: string): Promise<HardwareProperty[]> {
    return this.context.rules.properties(this.#stored(id).definition)
  }

  async plan(id: string, raw: unknown): Promise<HardwarePlan> {
    const stored = this.#stored(id)
    const { hardware, issues } = parseHardware(raw)
    const view = this.context.snapshots.machines.get(id)
    const present = await this.#present(stored, view)
    const waiting = waitingFor(present, stored.definition)
    if (hardware === null) return { differences: [], waiting, issues: [...issues, ...(await this.#issuesBeside(issues, raw, stored, present))] }
    const refused = whyRefused('changeHardware', view)
    const illegal: Issue[] = refused === null ? [] : [{ path: '', message: refused, code: 'ILLEGAL_STATE', severity: 'error' }]
    const wanted = ownedBy(stored.definition, inPresentLayers(hardware, stored.definition))
    const planned = planChange(present, stored.definition, wanted)
    return { differences: view.state === 'paused' && present !== null ? differencesOfPaused(planned, present.definition) : planned.differences, waiting, issues: [...illegal, ...(await issuesOf(this.context, stored, present?.definition ?? null, wanted))] }
  }

  change(id: string, raw: unknown, basedOn: MachineHardware, options: ChangeOptions = {}): Promise<HardwareDifference[]> {
    return this.#holding(id, null, async (work) => {
      const { stored } = work.held
      const { hardware, issues } = parseHardware(raw)
      if (hardware === null) {
        refuseFaults([...issues, ...(await this.#issuesBeside(issues, raw, stored, await presentOf(work.held)))])
        return []
      }
      if (!isSameHardware(basedOn, hardwareOf(stored.definition))) throw changedMeanwhile(stored.definition.name)
      const wanted = ownedBy(stored.definition, inPresentLayers(hardware, stored.definition))
      refuseFaults(await issuesOf(this.context, stored, (await presentOf(work.held))?.definition ?? null, wanted))
      return applyHardware(work, wanted, options)
    })
  }

  discardPending(id: string): Promise<void> {
    return this.#holding(id, null, async ({ held }) => {
      const { next, definition } = this.context.snapshots.machines.get(id)
      if (next === null) return
      await rememberDefinition(held.stored)
      const before = held.stored.definition
      await this.context.snapshots.library.update(id, (stored) => withHardware(stored, inPresentLayers(hardwareOf(definition), stored)))
      await removeUnusedTpm(before, definition, held.stored.paths)
      held.log('hardware.pendingDiscarded')
      const running = await presentOf(held)
      const asked = running === null ? [] : planChange(running, withHardware(before, hardwareOf(running.definition)), next).changes.filter(isAskedFor).map(inWords)
      if (asked.length > 0) held.addNote(`The guest was asked for ${asked.join(', ')} already, and may still let go of it, at the latest when it restarts; then it is back at the next start.`)
    })
  }

  async addDisk(id: string, disk: NewDisk, reporter: JobReporter): Promise<void> {
    await this.#holding(id, reporter.signal, (work) => addDisk(work, disk, reporter))
  }

  async removeDisk(id: string, request: RemoveDisk, reporter: JobReporter): Promise<void> {
    await this.#holding(id, reporter.signal, (work) => removeDisk(work, request, reporter))
  }

  history(id: string): Promise<HardwareVersion[]> {
    const stored = this.#stored(id)
    return readHistory(stored, (path, why) => { new MachineLog(stored.paths.machineLog).write('history.skipped', { path, why }) })
  }

  async version(id: string, versionId: string): Promise<MachineHardware> {
    const stored = this.#stored(id)
    return inPresentLayers(hardwareOf(await readVersion(stored, versionId)), stored.definition)
  }

  async #makeWaiting(held: HeldMachine): Promise<void> {
    try {
      await makeWaiting({ context: this.context, held })
    } catch (error) {
      held.log('hardware.waitingNotMade', { message: (error as Error).message })
      held.addNote(`What was changed while the machine was saved waits for the next start. ${(error as Error).message}`)
    }
  }

  /** What else is wrong with hardware of which the schema says that it can’t be read. */
  async #issuesBeside(issues: readonly Issue[], raw: unknown, stored: StoredMachine, present: PresentHardware | null): Promise<Issue[]> {
    const readable = readableOf(raw, issues, hardwareOf(stored.definition))
    if (readable === null) return []
    const wanted = ownedBy(stored.definition, inPresentLayers(readable.hardware, stored.definition))
    return readable.asWritten(await issuesOf(this.context, stored, present?.definition ?? null, wanted))
  }

  async #present({ paths }: StoredMachine, { id, state }: MachineView): Promise<PresentHardware | null> {
    if (state === 'saved') {
      const saved = await readSavedRun(paths)
      return { definition: withOwnAddresses(saved), accelerator: saved.accelerator, isSaved: true }
    }
    const run = this.context.snapshots.machines.runOf(id)
    return run === null || run.disposable ? null : { definition: withOwnAddresses(run), accelerator: run.accelerator, isSaved: false }
  }

  #stored(id: string): ReturnType<HardwareContext['snapshots']['library']['get']> {
    return this.context.snapshots.library.get(id)
  }

  #holding<T>(id: string, signal: AbortSignal | null, work: (work: HardwareWork) => Promise<T>): Promise<T> {
    return this.context.snapshots.machines.exclusively(id, { ...changing, ...(signal === null ? {} : { signal }) }, (held) => work({ context: this.context, held }))
  }
}

/** With places of its own for what is new in it. */
function ownedBy(stored: MachineDefinition, hardware: MachineHardware): MachineHardware {
  return withOwnNvram(withOwnTpm(hardware, stored), stored)
}

function changedMeanwhile(name: string): RingsideError {
  return new RingsideError('ILLEGAL_STATE', `The hardware of “${name}” was changed by somebody else meanwhile; nothing of yours was changed.`, { hint: 'Look at it as it is now, and make your changes again.' })
}
