import type { MetricsEvent } from '@shared/contract'
import type { MetricsSample } from '@shared/model'
import { defineStore } from 'pinia'
import { onScopeDispose, shallowReactive } from 'vue'
import { useClient } from '../transport/client'
import { countedUse } from '../transport/counted-use'
import { keepSubscribed } from '../transport/subscription'

/** How much history is kept for the graphs. */
export const historyMs = 10 * 60 * 1000

/** Readings of one machine, oldest first. A new object with each event, so that a view redraws by identity. */
export interface MetricsSeries {
  samples: readonly MetricsSample[]
}

/** Readings of the running machines. The host only reads while somebody watches, so the subscription lives as long as a user of it does. */
export const useMetricsStore = defineStore('metrics', () => {
  const byId = shallowReactive(new Map<string, MetricsSeries>())

  function take(event: MetricsEvent): void {
    const known = byId.get(event.id)?.samples ?? []
    const newest = known.at(-1)?.at ?? -Infinity
    // After a reconnection the history comes again; what is known already stays.
    const added = event.samples.filter((sample) => sample.at > newest)
    if (added.length === 0) return
    const oldestKept = (added.at(-1)?.at ?? 0) - historyMs
    const first = known.findIndex((sample) => sample.at >= oldestKept)
    byId.set(event.id, { samples: [...(first < 0 ? [] : known.slice(first)), ...added] })
  }
  function get(id: string): MetricsSeries | undefined {
    return byId.get(id)
  }
  function latest(id: string): MetricsSample | undefined {
    return byId.get(id)?.samples.at(-1)
  }
  /** A machine that is gone, or begins anew, leaves no old figures behind. */
  function forget(id: string): void {
    byId.delete(id)
  }
  /** Counts one user in; the returned function counts it out, once. */
  const use = countedUse(() => keepSubscribed<MetricsEvent>((signal) => useClient().metrics.watch(undefined, { signal }), take))
  return { get, latest, take, forget, use }
})

/** Watches the readings for as long as the calling component or scope lives. */
export function useMetrics(): ReturnType<typeof useMetricsStore> {
  const store = useMetricsStore()
  onScopeDispose(store.use())
  return store
}
