import type { RingsideError } from '@shared/errors'
import type { SnapshotTree } from '@shared/model'
import { defineStore } from 'pinia'
import { computed, onScopeDispose, shallowReactive, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from 'vue'
import { useClient } from '../transport/client'
import { toRingsideError } from '../transport/errors'

/** What is known of one machine's snapshots. */
export interface SnapshotsView {
  /** The last that was heard; null before the first answer. */
  readonly tree: SnapshotTree | null
  /** Why the last look failed; null after one that went well. */
  readonly error: RingsideError | null
}

interface Watched {
  users: number
  /** A question is under way. */
  asking: boolean
  /** Something changed while it was: ask once more. */
  stale: boolean
}

const nothing: SnapshotsView = { tree: null, error: null }

/** The snapshots of the machines that somebody looks at: loaded on demand, again whenever the host says so, and let go with the last who looks. */
export const useSnapshotsStore = defineStore('snapshots', () => {
  const byId = shallowReactive(new Map<string, SnapshotsView>())
  const watched = new Map<string, Watched>()

  function get(id: string): SnapshotsView {
    return byId.get(id) ?? nothing
  }
  /** Asks the host again, if somebody looks. Events that come faster than answers are one question. */
  function reload(id: string): void {
    const entry = watched.get(id)
    if (!entry) return
    if (entry.asking) entry.stale = true
    else void ask(id, entry)
  }
  function reloadAll(): void {
    for (const id of watched.keys()) reload(id)
  }
  async function ask(id: string, entry: Watched): Promise<void> {
    entry.asking = true
    do {
      entry.stale = false
      const view = await look(id)
      // Whoever asked may have left meanwhile, and another may have come since.
      if (watched.get(id) !== entry) return
      byId.set(id, view)
    } while (entry.stale)
    entry.asking = false
  }
  /** A look that fails leaves what was known. */
  async function look(id: string): Promise<SnapshotsView> {
    try {
      return { tree: await useClient().snapshot.tree({ id }), error: null }
    } catch (thrown) {
      return { tree: get(id).tree, error: toRingsideError(thrown) }
    }
  }
  /** Counts one who looks in; the returned function counts them out, once. */
  function use(id: string): () => void {
    const entry = watched.get(id) ?? { users: 0, asking: false, stale: false }
    watched.set(id, entry)
    entry.users += 1
    if (entry.users === 1) reload(id)
    let counted = true
    return () => {
      if (!counted) return
      counted = false
      entry.users -= 1
      if (entry.users > 0) return
      watched.delete(id)
      byId.delete(id)
    }
  }
  return { get, reload, reloadAll, use }
})

/** Looks at one machine's snapshots for as long as the calling component or scope lives. */
export function useSnapshots(machineId: MaybeRefOrGetter<string>): ComputedRef<SnapshotsView> {
  const store = useSnapshotsStore()
  let stop: (() => void) | undefined
  watch(() => toValue(machineId), (id) => {
    const next = store.use(id)
    stop?.()
    stop = next
  }, { immediate: true })
  onScopeDispose(() => stop?.())
  return computed(() => store.get(toValue(machineId)))
}
