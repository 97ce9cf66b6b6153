import { dirname } from 'node:path'
import { z } from 'zod'
import { RingsideError, serialiseError } from '@shared/errors'
import { Job, type JobKind } from '@shared/model'
import { makeFolder, readOwnFile, writeAtomically } from '../config'

const File = z.object({ jobs: z.array(Job) })
/** As many are told of; a host that is killed over and over has been told of enough. */
const most = 20

/**
 * The jobs that go on, in a file in the cache, so that the next host tells of those that were cut off when this one was killed. They are told of until somebody has dismissed them: a host that
 * lives for one command has nobody to tell.
 */
export class JobRecord {
  #lastWrite: Promise<void> = Promise.resolve()
  #written: string

  private constructor(private readonly path: string, readonly cutOff: readonly Job[]) {
    this.#written = JSON.stringify({ jobs: cutOff })
  }

  /** Where it is lost or can't be read, nothing was cut off. */
  static async open(path: string): Promise<JobRecord> {
    const left = await readOwnFile(path).then((text) => File.parse(JSON.parse(text)).jobs).catch(() => [])
    return new JobRecord(path, left.slice(-most).map((job) => (job.state === 'running' ? endedBySurprise(job) : job)))
  }

  /** What goes on, and what was cut off and not dismissed. Where the drive is full, nobody is told; the jobs themselves don't depend on it. */
  put(jobs: readonly Job[]): void {
    const content = JSON.stringify({ jobs: jobs.map((job) => ({ ...job, progress: null, step: '', notes: [] })) })
    if (content === this.#written) return
    this.#written = content
    this.#lastWrite = this.#lastWrite.then(async () => {
      // Overtaken by a later one.
      if (content !== this.#written) return
      await makeFolder(dirname(this.path))
      await writeAtomically(this.path, content)
    }).catch(() => undefined)
  }

  /** Resolves when all is written. */
  settled(): Promise<void> {
    return this.#lastWrite
  }
}

function endedBySurprise(job: Job): Job {
  const error = new RingsideError('WORKER_DIED', `Ringside was ended before this was done: ${job.title}.`, { hint: hintOf(job.kind) })
  return { ...job, state: 'failed', progress: null, step: 'Cut off', cancellable: false, endedAt: new Date().toISOString(), error: serialiseError(error) }
}

/** What became of it, and what to do. */
function hintOf(kind: JobKind): string {
  switch (kind) {
    case 'machine.create':
    case 'machine.clone':
    case 'disk.import':
    case 'disk.create':
    case 'disk.copy':
    case 'disk.convert':
    case 'disk.compact':
    case 'disk.add':
      return 'Nothing half done was left, and what it was made from is as it was. Begin it again.'
    case 'disk.check':
    case 'disk.checksum':
    case 'backup.verify':
      return 'Begin it again.'
    case 'disk.move':
    case 'disk.encrypt':
      return 'The machine has its disk, whole, either as it was or as it was to be. Look at the images, and begin again if nothing changed.'
    case 'backup.create':
      return 'Nothing of it was kept, and earlier backups are whole. Back the machine up again.'
    case 'backup.restore':
      return 'There is no new machine of it, and one in whose place it was to come is as it was or has been restored as a whole. Look at it, and begin again if nothing changed.'
    case 'guest.copyIn':
    case 'guest.copyOut':
      return 'Copy it again; what was half copied is removed then.'
    case 'machine.save':
    case 'machine.delete':
    case 'machine.template':
    case 'disk.resize':
    case 'disk.delete':
    case 'disk.remove':
    case 'snapshot.take':
    case 'snapshot.revert':
    case 'snapshot.delete':
    case 'snapshot.cleanUp':
    case 'backup.delete':
      return 'What was half done was taken back, or is brought to its end. Look whether it was done, and begin again if not.'
  }
}
