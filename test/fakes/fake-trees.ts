import type { JobReporter } from '@core/app/services'
import { RingsideError } from '@shared/errors'
import { type MachineAction, type MachineReference, type MachineTask, type MachineView, whyRefused } from '@shared/model'
import { Emitter } from './emitter'
import { emptyTree, type FakeSnapshot, type FakeTree, fakeTrees } from './fake-snapshot-data'

/** The machines of the fake host, as its snapshots and clones see and change them. */
export interface FakeMachines {
  list(): MachineView[]
  /** Throws `NOT_FOUND`. */
  get(id: string): MachineView
  set(id: string, change: Partial<MachineView>): MachineView
  toState(id: string, state: MachineView['state'], change?: Partial<MachineView>): MachineView
  add(machine: MachineView): void
  /** Passes pretended milliseconds. */
  pause(ms: number): Promise<void>
}

/** How many parts a pretended job has, and how long each takes, milliseconds. */
const parts = 16
const partMs = 120

/** What lies on the pretended drive, and what snapshots and clones do to it alike. */
export class FakeTrees {
  readonly changes = new Emitter<string>()
  readonly #trees: Map<string, FakeTree>

  constructor(readonly machines: FakeMachines) {
    this.#trees = fakeTrees(machines.list())
    for (const [id, { current }] of this.#trees) this.#note(id, current.parentId)
  }

  of(id: string): FakeTree {
    this.machines.get(id)
    const found = this.#trees.get(id)
    if (found) return found
    const tree = emptyTree()
    this.#trees.set(id, tree)
    return tree
  }

  /** Throws `NOT_FOUND`. */
  snapshot(id: string, snapshotId: string): FakeSnapshot {
    const found = this.of(id).snapshots.find(({ snapshot }) => snapshot.id === snapshotId)
    if (!found) throw new RingsideError('NOT_FOUND', `“${this.machines.get(id).definition.name}” has no snapshot with the id ${snapshotId}.`, { hint: 'It may have been deleted.' })
    return found
  }

  change(id: string, change: Partial<FakeTree>): void {
    const tree = { ...this.of(id), ...change }
    this.#trees.set(id, tree)
    if (change.current) this.#note(id, tree.current.parentId)
    this.changes.emit(id)
  }

  forget(id: string): void {
    this.#trees.delete(id)
  }

  /** Linked clones of a machine, or of one of its snapshots. */
  clones(id: string, snapshotId?: string): MachineReference[] {
    return this.machines.list()
      .filter(({ definition: { origin } }) => origin?.kind === 'linked' && origin.machineId === id && (snapshotId === undefined || origin.snapshotId === snapshotId))
      .map((machine) => ({ id: machine.id, name: machine.definition.name }))
  }

  /** Throws `ILLEGAL_STATE` in the words of the one table. */
  require(id: string, action: MachineAction): MachineView {
    const machine = this.machines.get(id)
    const why = whyRefused(action, machine)
    if (why !== null) throw new RingsideError('ILLEGAL_STATE', why, { state: machine.state })
    return machine
  }

  /** Has the machine for itself while progress is pretended, then does `work`. Cancelled, it has done nothing. */
  async task<T>(id: string, task: MachineTask, steps: readonly string[], reporter: JobReporter, work: () => T | Promise<T>): Promise<T> {
    this.machines.set(id, { task })
    try {
      for (let part = 0; part < parts; part++) {
        reporter.signal.throwIfAborted()
        reporter.report(part / parts, steps[Math.floor((part * steps.length) / parts)] ?? '')
        await this.machines.pause(partMs)
      }
      reporter.signal.throwIfAborted()
      return await work()
    } finally {
      this.machines.set(id, { task: null })
    }
  }

  /** The definition names the place in the tree too. */
  #note(id: string, snapshotParentId: string | null): void {
    const { definition } = this.machines.get(id)
    if (definition.snapshotParentId !== snapshotParentId) this.machines.set(id, { definition: { ...definition, snapshotParentId } })
  }
}
