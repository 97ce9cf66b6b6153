import { randomUUID } from 'node:crypto'
import { RingsideError, isRingsideError, serialiseError } from '@shared/errors'
import type { Job } from '@shared/model'
import type { JobRecord } from './job-record'
import type { Jobs, RunningJob } from './services'

/** Progress is announced at most this often; the first and the last report always are. Milliseconds. */
const progressIntervalMs = 100
/** Ended jobs that are remembered; the oldest go first. */
const maxEndedJobs = 50

interface Entry {
  job: Job
  abort: AbortController
  ended: Promise<Job>
  announcedAt: number
  timer: NodeJS.Timeout | null
}

/**
 * Long work in this process: started here, watched and cancelled from any client, remembered until dismissed.
 * @param record keeps what goes on, and tells what an earlier host was killed at
 */
export function createJobs(record: JobRecord | null = null): Jobs & {
  /** Cancels what can be cancelled and resolves when every job has ended. */
  close(): Promise<void>
} {
  const entries = new Map<string, Entry>()
  const listeners = new Set<Parameters<Jobs['onChange']>[0]>()

  const announce = (change: Parameters<Parameters<Jobs['onChange']>[0]>[0]): void => {
    for (const listener of listeners) listener(change)
  }

  const cutOff = new Set<string>()
  for (const job of record?.cutOff ?? []) {
    cutOff.add(job.id)
    entries.set(job.id, { job, abort: new AbortController(), ended: Promise.resolve(job), announcedAt: 0, timer: null })
  }
  const keep = (): void => {
    record?.put([...entries.values()].map(({ job }) => job).filter(({ id, state }) => state === 'running' || cutOff.has(id)))
  }
  keep()

  const find = (id: string): Entry => {
    const entry = entries.get(id)
    if (!entry) throw new RingsideError('NOT_FOUND', 'There is no such job; it has ended and was dismissed.', {})
    return entry
  }

  const change = (entry: Entry, fields: Partial<Job>, atOnce: boolean): void => {
    entry.job = { ...entry.job, ...fields }
    const wait = entry.announcedAt + progressIntervalMs - performance.now()
    if (!atOnce && wait > 0) {
      entry.timer ??= setTimeout(() => { change(entry, {}, true) }, wait)
      return
    }
    if (entry.timer) clearTimeout(entry.timer)
    entry.timer = null
    entry.announcedAt = performance.now()
    announce({ type: 'changed', job: entry.job })
  }

  const forget = (id: string): void => {
    if (!entries.delete(id)) return
    announce({ type: 'removed', id })
    if (cutOff.delete(id)) keep()
  }

  const forgetOldest = (): void => {
    const ended = [...entries.values()].filter((entry) => entry.job.state !== 'running')
    for (const entry of ended.slice(0, Math.max(0, ended.length - maxEndedJobs))) forget(entry.job.id)
  }

  const outcome = (entry: Entry, thrown: unknown): Partial<Job> => {
    const endedAt = new Date().toISOString()
    const cancelled = entry.abort.signal.aborted && (isRingsideError(thrown, 'CANCELLED') || (thrown instanceof Error && thrown.name === 'AbortError'))
    if (cancelled) return { state: 'cancelled', endedAt, cancellable: false, step: 'Cancelled', error: null }
    return { state: 'failed', endedAt, cancellable: false, step: 'Failed', error: serialiseError(thrown) }
  }

  return {
    list: () => [...entries.values()].map((entry) => entry.job),

    run(what, work) {
      const abort = new AbortController()
      const job: Job = {
        id: randomUUID(), automatic: false, ...what, state: 'running', progress: null, step: 'Starting', notes: [], startedAt: new Date().toISOString(), endedAt: null, error: null,
      }
      const { promise: ended, resolve } = Promise.withResolvers<Job>()
      const entry: Entry = { job, abort, ended, announcedAt: performance.now(), timer: null }
      entries.set(job.id, entry)
      announce({ type: 'changed', job })
      keep()

      const isOver = (): boolean => entry.job.state !== 'running'
      const reporter: RunningJob = {
        signal: abort.signal,
        report(progress, step) {
          if (isOver()) return
          const fraction = progress === null ? null : Math.min(1, Math.max(0, progress))
          change(entry, { progress: fraction, step }, step !== entry.job.step)
        },
        belongsTo(machineId) {
          if (!isOver()) change(entry, { machineId }, true)
        },
        note(sentence) {
          if (!isOver() && !entry.job.notes.includes(sentence)) change(entry, { notes: [...entry.job.notes, sentence] }, true)
        },
      }
      const finish = (fields: Partial<Job>): void => {
        change(entry, fields, true)
        keep()
        resolve(entry.job)
        forgetOldest()
      }
      // Started in a later turn, so that whoever called `run` holds the job before its first report.
      void Promise.resolve().then(() => work(reporter)).then(
        (result) => {
          const machineId = result?.machineId ?? entry.job.machineId
          finish({ state: 'succeeded', progress: 1, step: 'Done', cancellable: false, endedAt: new Date().toISOString(), machineId })
        },
        (thrown: unknown) => { finish(outcome(entry, thrown)) },
      )
      return job
    },

    ended: async (id) => find(id).ended,

    cancel(id) {
      const entry = find(id)
      if (entry.job.state !== 'running') throw new RingsideError('ILLEGAL_STATE', `This job has ended already: ${entry.job.title}.`, { state: entry.job.state })
      if (!entry.job.cancellable) throw new RingsideError('ILLEGAL_STATE', `This job cannot be cancelled: ${entry.job.title}.`, { state: entry.job.state })
      if (!entry.abort.signal.aborted) {
        entry.abort.abort(new RingsideError('CANCELLED', `Cancelled: ${entry.job.title}.`))
        change(entry, { step: 'Cancelling' }, true)
      }
      return entry.job
    },

    dismiss(id) {
      const entry = find(id)
      if (entry.job.state === 'running') {
        throw new RingsideError('ILLEGAL_STATE', `This job is still going on: ${entry.job.title}. Cancel it or wait until it has ended.`, { state: 'running' })
      }
      forget(id)
    },

    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },

    async close() {
      const running = [...entries.values()].filter((entry) => entry.job.state === 'running')
      for (const entry of running) if (entry.job.cancellable) entry.abort.abort(new RingsideError('CANCELLED', 'Ringside is closing.'))
      await Promise.all(running.map((entry) => entry.ended))
      await record?.settled()
      listeners.clear()
    },
  }
}
