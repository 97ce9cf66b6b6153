import { RingsideError, reviveError } from '@shared/errors'
import type { Job } from '@shared/model'
import type { Run } from './cli'
import { isInteractive } from './terminal'

/**
 * Waits until a job has ended and shows its progress where a person watches. Ctrl+C cancels the job.
 * @throws the job's own error; `CANCELLED`
 */
export async function followJob(run: Run, job: Job): Promise<Job> {
  const progress = createProgressLine(run)
  const cancel = (): void => {
    if (job.cancellable) run.client.job.cancel({ id: job.id }).catch(() => undefined)
  }
  run.signal.addEventListener('abort', cancel, { once: true })
  if (run.signal.aborted) cancel()
  try {
    for await (const event of await run.client.host.watch()) {
      const now = event.type === 'opened' ? event.jobs.find(({ id }) => id === job.id) : event.type === 'jobChanged' && event.job.id === job.id ? event.job : undefined
      if (event.type === 'jobRemoved' && event.id === job.id) break
      if (!now) continue
      progress.show(now)
      if (now.state === 'running') continue
      progress.clear()
      if (now.state === 'failed') throw reviveError(now.error)
      if (now.state === 'cancelled') throw new RingsideError('CANCELLED', `Cancelled: ${now.title}.`)
      return now
    }
    throw new RingsideError('PROTOCOL', `The host forgot this job before it ended: ${job.title}.`, { hint: 'Look at the list of machines.' })
  } finally {
    progress.clear()
    run.signal.removeEventListener('abort', cancel)
  }
}

/** What is to be known about the outcome of a job, below the answer. */
export function remarkNotes(run: Run, notes: readonly string[]): void {
  for (const note of notes) run.remark(`  ${note}\n`)
}

function createProgressLine({ json, terminal: { stderr } }: Run): { show(job: Job): void; clear(): void } {
  let shown = false
  if (json || !isInteractive(stderr)) return { show: () => undefined, clear: () => undefined }
  return {
    show({ progress, step }) {
      const cells = 24
      const done = Math.round((progress ?? 0) * cells)
      const bar = progress === null ? '·'.repeat(cells) : `${'█'.repeat(done)}${'░'.repeat(cells - done)}`
      const percent = progress === null ? '' : ` ${String(Math.round(progress * 100)).padStart(3)} %`
      stderr.write(`\r\u001b[2K${bar}${percent}  ${step}`.slice(0, (stderr.columns ?? 80) + 5))
      shown = true
    },
    clear() {
      if (shown) stderr.write('\r\u001b[2K')
      shown = false
    },
  }
}
