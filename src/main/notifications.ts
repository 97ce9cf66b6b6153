import type { Disposer, HostServices } from '@core/app/services'
import { type Job, type MachineState, ToldFailures } from '@shared/model'

/** A notification of the desktop. */
export interface Notice {
  title: string
  body: string
  /** The machine to show when it is clicked; null: the window alone. */
  machineId: string | null
}

/**
 * Tells of crashes and of work that has ended. `notify` decides whether anybody needs to be told: a person who looks at the window sees
 * it there.
 */
export function watchForNotices({ machines, jobs }: Pick<HostServices, 'machines' | 'jobs'>, notify: (notice: Notice) => void): Disposer {
  const states = new Map<string, MachineState>(machines.list().map(({ id, state }) => [id, state]))
  const told = new ToldFailures()
  const ended = new Set(jobs.list().filter((job) => job.state !== 'running').map((job) => job.id))

  const stopMachines = machines.onChange((change) => {
    if (change.type === 'removed') {
      states.delete(change.id)
      return
    }
    const { id, state, definition, crash } = change.machine
    const before = states.get(id)
    states.set(id, state)
    if (state === 'crashed' && before !== 'crashed' && before !== undefined) {
      notify({ title: `“${definition.name}” crashed`, body: crash?.reason ?? 'Its virtual machine ended unexpectedly.', machineId: id })
    }
  })
  const stopJobs = jobs.onChange((change) => {
    if (change.type === 'removed') {
      ended.delete(change.id)
      return
    }
    const { job } = change
    if (job.state === 'running' || ended.has(job.id)) return
    ended.add(job.id)
    const notice = told.isNews(job) ? noticeOf(job) : null
    if (notice !== null) notify(notice)
  })
  return () => {
    stopMachines()
    stopJobs()
  }
}

/** Who cancelled it knows that it was cancelled. */
function noticeOf({ state, title, error, machineId }: Job): Notice | null {
  switch (state) {
    case 'succeeded':
      return { title: 'Done', body: title, machineId }
    case 'failed':
      return { title: `${title} failed`, body: error?.message ?? 'It did not say why.', machineId }
    case 'cancelled':
    case 'running':
      return null
  }
}
