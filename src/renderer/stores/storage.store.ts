import type { RingsideError } from '@shared/errors'
import type { StorageOverview } from '@shared/model'
import { useEventListener, useIntervalFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { onScopeDispose, shallowRef, watch } from 'vue'
import { useClient } from '../transport/client'
import { toRingsideError } from '../transport/errors'
import { useHostStore } from './host.store'
import { useJobsStore } from './jobs.store'
import { useMachinesStore } from './machines.store'

/** What a running guest writes is told by no event. */
const growthMs = 20_000

/** The places and images of the library, while somebody looks at them. */
export const useStorageStore = defineStore('storage', () => {
  const overview = shallowRef<StorageOverview | null>(null)
  /** Why the last look failed; null after one that went well. */
  const error = shallowRef<RingsideError | null>(null)
  const loading = shallowRef(false)
  let stale = false

  /** Asks again. Events that come faster than answers are one question. */
  async function reload(): Promise<void> {
    if (loading.value) {
      stale = true
      return
    }
    loading.value = true
    do {
      stale = false
      try {
        overview.value = await useClient().storage.overview()
        error.value = null
      } catch (thrown) {
        error.value = toRingsideError(thrown)
      }
    } while (stale)
    loading.value = false
  }
  /** What the host answered to a change. */
  function put(answer: StorageOverview): void {
    overview.value = answer
    error.value = null
  }
  return { overview, error, loading, reload, put }
})

/** Looks at the images for as long as the calling component lives, again whenever a machine or a job may have changed them. */
export function useStorage(): ReturnType<typeof useStorageStore> {
  const store = useStorageStore()
  const machines = useMachinesStore()
  const jobs = useJobsStore()
  const host = useHostStore()
  void store.reload()
  watch(() => machines.all.map(({ id, state, task, definition }) => `${id} ${state} ${task ?? ''} ${definition.name} ${definition.disks.map(({ image }) => image.path).join()}`).join('\n'), () => void store.reload())
  // Folders can be listed from elsewhere, and what other programs do to files is told by nobody.
  watch(() => host.settings?.storageFolders.join('\n'), () => void store.reload())
  useEventListener(window, 'focus', () => void store.reload())
  onScopeDispose(jobs.onEnd(() => void store.reload()))
  useIntervalFn(() => { if (machines.live.length > 0) void store.reload() }, growthMs)
  return store
}
