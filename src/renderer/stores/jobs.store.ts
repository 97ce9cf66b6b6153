import type { Job } from '@shared/model'
import { defineStore } from 'pinia'
import { computed, shallowReactive } from 'vue'
import { useClient } from '../transport/client'

type EndListener = (job: Job) => void

/** Long work on the host. Fed by the host watch. */
export const useJobsStore = defineStore('jobs', () => {
  const byId = shallowReactive(new Map<string, Job>())
  const endListeners = new Set<EndListener>()
  /** Jobs that this window asked for: their end is news here, that of others’ is not. */
  const own = new Set<string>()

  /** Newest first. */
  const all = computed(() => [...byId.values()].sort((a, b) => b.startedAt.localeCompare(a.startedAt)))
  const running = computed(() => all.value.filter((job) => job.state === 'running'))
  const failed = computed(() => all.value.filter((job) => job.state === 'failed'))

  function get(id: string): Job | undefined {
    return byId.get(id)
  }
  function put(job: Job): void {
    const before = byId.get(job.id)
    // The answer of a call may come after an event that already told the end.
    if (before && before.state !== 'running' && job.state === 'running') return
    byId.set(job.id, job)
    if (job.state !== 'running' && before?.state === 'running') for (const listener of [...endListeners]) listener(job)
  }
  /** Takes in the answer to what the person asked for here. */
  function putOwn(job: Job): void {
    own.add(job.id)
    put(job)
  }
  function isOwn(id: string): boolean {
    return own.has(id)
  }
  function remove(id: string): void {
    byId.delete(id)
    own.delete(id)
  }
  function replaceAll(jobs: Job[]): void {
    const ids = new Set(jobs.map((job) => job.id))
    for (const id of byId.keys()) if (!ids.has(id)) byId.delete(id)
    for (const job of jobs) put(job)
  }
  /** Told of each job that ends while this window watches. Returns what stops it. */
  function onEnd(listener: EndListener): () => void {
    endListeners.add(listener)
    return () => endListeners.delete(listener)
  }
  /** Resolves with the job once it has ended, however. */
  function ended(id: string): Promise<Job> {
    const job = byId.get(id)
    if (job && job.state !== 'running') return Promise.resolve(job)
    return new Promise((resolve) => {
      const stop = onEnd((ended) => {
        if (ended.id !== id) return
        stop()
        resolve(ended)
      })
    })
  }
  async function cancel(id: string): Promise<void> {
    put(await useClient().job.cancel({ id }))
  }
  async function dismiss(id: string): Promise<void> {
    await useClient().job.dismiss({ id })
    remove(id)
  }
  async function dismissEnded(): Promise<void> {
    await Promise.all(all.value.filter((job) => job.state !== 'running').map((job) => dismiss(job.id)))
  }
  return { all, running, failed, get, put, putOwn, isOwn, remove, replaceAll, onEnd, ended, cancel, dismiss, dismissEnded }
})
