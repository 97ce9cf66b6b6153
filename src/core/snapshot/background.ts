import { isLive } from '@shared/model'
import { deletedSnapshotName } from '../library'
import type { HeldMachine } from '../machine/held-machine'
import { look, type SnapshotContext, type Work } from './context'
import { finishDeletion, layersOf } from './delete'
import { snapshotNames } from './manifest'
import { lookForTidy, mergeHidden } from './tidy'
import { findMerges } from './tidy-plan'

/**
 * What is done without anybody waiting for it: deletions that were cut off are finished when a host starts, since they were asked for; and hidden layers are joined when a machine goes off,
 * which is when that costs least. It gives way to whatever else is to be done with the machine. Nothing else that is left over is touched.
 */
export class BackgroundWork {
  readonly #running = new Set<Promise<void>>()
  readonly #live = new Set<string>()
  readonly #abort = new AbortController()
  readonly #stopListening: () => void

  /** @param done told of each machine whose folder was changed */
  constructor(private readonly context: SnapshotContext, private readonly done: (machineId: string) => void) {
    for (const { definition: { id } } of context.library.list()) if (isLive(context.machines.get(id).state)) this.#live.add(id)
    this.#stopListening = context.machines.onChange((change) => {
      if (change.type === 'removed') {
        this.#live.delete(change.id)
        return
      }
      const { id, state } = change.machine
      if (isLive(state)) this.#live.add(id)
      else if (this.#live.delete(id)) this.#begin(id, (work) => this.#join(work))
    })
  }

  /** Looks for deletions that an earlier host did not finish. */
  start(): void {
    for (const { definition } of this.context.library.list()) this.#begin(definition.id, (work) => this.#finishDeletions(work))
  }

  /** Resolves when nothing is at work. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async close(): Promise<void> {
    this.#stopListening()
    this.#abort.abort()
    await this.idle()
  }

  #begin(id: string, work: (work: Work) => Promise<void>): void {
    if (this.#abort.signal.aborted) return
    const running = this.context.machines.inBackground(id, 'deleteSnapshot', async (held) => {
      if (this.#abort.signal.aborted) return
      await work(this.#work(held)).catch((error: unknown) => { held.log('snapshot.background', { message: (error as Error).message }) })
    }).catch(() => undefined).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  #work(held: HeldMachine): Work {
    const signal = AbortSignal.any([held.signal, this.#abort.signal])
    return { context: this.context, held, signal, reporter: { signal, report: () => undefined } }
  }

  async #finishDeletions(work: Work): Promise<void> {
    const names = await snapshotNames(work.held.stored.paths.snapshotsFolder)
    if (!names.some((name) => name.startsWith(deletedSnapshotName('')))) return
    const { deleted } = await look(work)
    if (deleted.length === 0) return
    await finishDeletion(work, deleted.map(({ folder }) => folder), new Set(deleted.flatMap(({ manifest }) => (manifest === null ? [] : layersOf(manifest)))))
    this.done(work.held.id)
  }

  async #join(work: Work): Promise<void> {
    const { graph, names } = await lookForTidy(work)
    if (findMerges(graph, names).length === 0) return
    await mergeHidden(work)
    this.done(work.held.id)
  }
}
