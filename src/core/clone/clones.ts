import type { CloneRequest, MachineAction, MachineReference, MachineTask } from '@shared/model'
import type { Clones, JobReporter } from '../app/services'
import type { Work } from '../snapshot/context'
import { clearLeftoverBases } from './base-snapshot'
import type { CloneContext } from './context'
import { detach } from './detach'
import { findLinkedClones } from './linked-clones'
import { makeClone } from './make-clone'
import { makeTemplate, unmakeTemplate } from './template'

/** Machines from machines. */
export class MachineClones implements Clones {
  readonly #abort = new AbortController()
  #recovering: Promise<void> = Promise.resolve()

  constructor(private readonly context: CloneContext) {}

  clone(request: CloneRequest, reporter: JobReporter): Promise<string> {
    return this.#holding(request.id, 'clone', 'clone', reporter, (work) => makeClone(this.context, work, request))
  }

  makeTemplate(id: string, options: { memory: boolean }, reporter: JobReporter): Promise<void> {
    return this.#holding(id, 'makeTemplate', 'template', reporter, (work) => makeTemplate(this.context, work, options))
  }

  unmakeTemplate(id: string): Promise<void> {
    return this.context.snapshots.machines.exclusively(id, { action: 'unmakeTemplate', task: 'template' }, (held) => unmakeTemplate(this.context, { held }))
  }

  linkedClones(id: string): Promise<MachineReference[]> {
    return findLinkedClones(this.context.snapshots, id)
  }

  detach(id: string, reporter: JobReporter): Promise<void> {
    return this.#holding(id, 'detach', 'detach', reporter, (work) => detach(this.context, work))
  }

  /** Begins to clear away what an earlier host left that was cut off. */
  start(): void {
    this.#recovering = clearLeftoverBases(this.context, this.#abort.signal)
  }

  /** Resolves when nothing is at work that nobody waits for. */
  idle(): Promise<void> {
    return this.#recovering
  }

  /** Stops what is at work in the background; it can be cut off anywhere. */
  async close(): Promise<void> {
    this.#abort.abort()
    await this.#recovering
  }

  #holding<Result>(id: string, action: MachineAction, task: MachineTask, reporter: JobReporter, work: (work: Work) => Promise<Result>): Promise<Result> {
    const { snapshots } = this.context
    return snapshots.machines.exclusively(id, { action, task, signal: reporter.signal }, (held) => work({ context: snapshots, held, reporter, signal: held.signal }))
  }
}
