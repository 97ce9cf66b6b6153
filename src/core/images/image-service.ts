import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { DiskWork, DiskWorkPlan, JobKind, SmallestSize, StorageOverview } from '@shared/model'
import type { Images, JobReporter } from '../app/services'
import { isDiskFull, makeFolder } from '../config'
import { bytesInWords } from '../storage'
import type { HeldMachine } from '../machine/held-machine'
import type { AtWork } from './at-work'
import { isNeeded } from './catalogue'
import { CheckRecords } from './check-records'
import type { ImageContext } from './context'
import { encryptDisk } from './encrypt'
import { moveDisk } from './move'
import { MoveRecords } from './move-records'
import { readOverview } from './overview'
import { addPlace, forgetPlace } from './places'
import { type Prepared, prepare, requireOpens, targetOf } from './plan'
import { settleMoves } from './settle-moves'
import { findSmallestSize } from './smallest-size'
import type { Subject } from './subject'
import { checkDisk, checksumDisk, compactDisk, convertDisk, createDisk, deleteDisk, growDisk, repairDisk, shrinkDisk } from './work'

export interface ImageServiceOptions extends Omit<ImageContext, 'checks' | 'moves' | 'temporaryFolder' | 'atStep'> {
  /** Its own files are in here. */
  readonly cacheFolder: string
  readonly atStep?: ImageContext['atStep']
}

/** The disk images of a library and what is done with them. The machines that have to do with an image are held meanwhile, so that nothing starts or changes it. */
export class ImageService implements Images {
  readonly #context: ImageContext
  /** Files that are worked on now. */
  readonly #busy = new Set<string>()

  constructor({ cacheFolder, atStep, ...options }: ImageServiceOptions) {
    this.#context = {
      ...options,
      checks: new CheckRecords(join(cacheFolder, 'image-checks.json')),
      moves: new MoveRecords(join(cacheFolder, 'moving-disks.json')),
      temporaryFolder: join(cacheFolder, 'stretches'),
      atStep: atStep ?? (() => Promise.resolve()),
    }
  }

  /** Removes what an earlier host was killed at, and brings to an end what can only go on. Before anything else, once machines that run have been taken over. */
  async start(): Promise<void> {
    await rm(this.#context.temporaryFolder, { recursive: true, force: true }).catch(() => undefined)
    await settleMoves(this.#context)
    await this.#context.unfinished.clear((path) => isNeeded(this.#context, path))
  }

  overview(): Promise<StorageOverview> {
    return readOverview(this.#context)
  }

  async addPlace(path: string): Promise<StorageOverview> {
    await addPlace(this.#context, path)
    return this.overview()
  }

  async forgetPlace(path: string): Promise<StorageOverview> {
    await forgetPlace(this.#context, path)
    return this.overview()
  }

  async plan(work: DiskWork): Promise<DiskWorkPlan> {
    await this.#makeImagesFolder(work)
    return (await prepare(this.#context, work)).plan
  }

  /** Nobody is held up by it: a guest that starts meanwhile starts. */
  async smallestSize(path: string, signal: AbortSignal): Promise<SmallestSize> {
    const { faults, subject } = await prepare(this.#context, { kind: 'shrink', path, sizeBytes: 512 })
    const why = faults[0]?.message ?? (subject !== null && this.#busy.has(subject.path) ? 'The image is being worked on.' : null)
    if (why !== null || subject === null) return { sizeBytes: null, why: why ?? 'There is no such image.' }
    return findSmallestSize(await this.#context.imageTool(), subject, this.#context.temporaryFolder, signal)
  }

  /** What speaks against it is told before a job begins. */
  async requirePossible(work: DiskWork): Promise<{ machineId: string | null }> {
    await this.#makeImagesFolder(work)
    const prepared = await prepare(this.#context, work)
    throwFirst(prepared)
    await requireOpens(this.#context, prepared)
    const ids = machinesOf(prepared.subject)
    return { machineId: ids.length === 1 ? (ids[0] ?? null) : null }
  }

  async work(work: DiskWork, reporter: JobReporter): Promise<void> {
    reporter.report(null, 'Looking at the image')
    await this.#makeImagesFolder(work)
    const before = await prepare(this.#context, work)
    throwFirst(before)
    const ids = machinesOf(before.subject)
    const release = this.#claim([before.subject?.path, before.target ?? targetOf(work)].filter((path) => path != null))
    try {
      await this.#holding(ids, reporter.signal, async (held) => {
        // Others may have changed it until the machines were held.
        const now = await prepare(this.#context, work)
        throwFirst(now)
        const signal = AbortSignal.any([reporter.signal, ...held.map((machine) => machine.signal)])
        await this.#run(work, now.subject, { context: this.#context, tool: await this.#context.imageTool(), job: jobOf(reporter), signal, held })
        for (const machine of held) machine.log('disk.workedOn', { kind: work.kind, path: work.path })
      })
    } catch (error) {
      throw isDiskFull(error) && !(error instanceof RingsideError && error.message.includes('may be needed')) ? noRoom(before, error) : error
    } finally {
      release()
    }
  }

  async #run(work: DiskWork, subject: Subject | null, at: AtWork): Promise<void> {
    if (work.kind === 'create') return createDisk(at, work)
    if (subject === null) throw new RingsideError('INTERNAL', 'Work on an image was begun that was not found.')
    switch (work.kind) {
      case 'grow': return growDisk(at, subject, work)
      case 'shrink': return shrinkDisk(at, subject, work)
      case 'convert': return convertDisk(at, subject, work.to, work.format, work.encryption?.keep === false ? 'none' : 'keep')
      case 'copy': return convertDisk(at, subject, work.to, subject.format)
      case 'compact': return compactDisk(at, subject)
      case 'check': return void (await checkDisk(at, subject))
      case 'repair': return repairDisk(at, subject, work)
      case 'move': return moveDisk(at, subject, work)
      case 'encrypt':
      case 'decrypt': return encryptDisk(at, subject, work)
      case 'checksum': return checksumDisk(at, subject)
      case 'delete': return deleteDisk(at, subject, work)
    }
  }

  /** In the order of their ids, so that two pieces of work never wait for each other. */
  async #holding(ids: readonly string[], signal: AbortSignal, work: (held: readonly HeldMachine[]) => Promise<void>, held: readonly HeldMachine[] = []): Promise<void> {
    const id = ids[held.length]
    if (id === undefined) return work(held)
    await this.#context.machines.exclusively(id, { action: 'workOnDisk', task: 'diskWork', signal }, (machine) => this.#holding(ids, signal, work, [...held, machine]))
  }

  #claim(paths: readonly string[]): () => void {
    const taken = paths.find((path) => this.#busy.has(path))
    if (taken !== undefined) throw new RingsideError('DISK_IN_USE', `This image is being worked on already: ${taken}`, { path: taken, hint: 'Wait until that has ended, or cancel it.' })
    for (const path of paths) this.#busy.add(path)
    return () => {
      for (const path of paths) this.#busy.delete(path)
    }
  }

  /** Without its folder nobody could put an image there. */
  async #makeImagesFolder(work: DiskWork): Promise<void> {
    const { imagesFolder } = this.#context
    if ((work.kind === 'move' ? work.to : targetOf(work))?.startsWith(imagesFolder) === true) await makeFolder(imagesFolder)
  }
}

/** Which kind of job a piece of work is. */
export function jobKindOf(kind: DiskWork['kind']): JobKind {
  switch (kind) {
    case 'grow':
    case 'shrink':
      return 'disk.resize'
    case 'repair':
      return 'disk.check'
    case 'encrypt':
    case 'decrypt':
      return 'disk.encrypt'
    case 'create':
    case 'convert':
    case 'copy':
    case 'compact':
    case 'check':
    case 'move':
    case 'checksum':
    case 'delete':
      return `disk.${kind}`
  }
}

/** What can’t be stopped halfway is not begun to be. */
export function isCancellable(kind: DiskWork['kind']): boolean {
  return kind !== 'grow' && kind !== 'delete'
}

function machinesOf(subject: Subject | null): string[] {
  const known = subject?.known
  if (known == null) return []
  return [...new Set([...known.users.map(({ machineId }) => machineId), ...known.plugs.map(({ machine }) => machine.id), ...(known.owner === null ? [] : [known.owner.id])])].sort()
}

function jobOf(reporter: JobReporter): AtWork['job'] {
  return { report: (progress, step) => { reporter.report(progress, step) }, note: (sentence) => { reporter.note?.(sentence) } }
}

function throwFirst({ faults }: Prepared): void {
  if (faults[0] !== undefined) throw faults[0]
}

function noRoom({ folder, plan: { neededBytes } }: Prepared, cause: unknown): RingsideError {
  const room = neededBytes > 0 ? `; ${bytesInWords(neededBytes)} may be needed` : ''
  return new RingsideError('DISK_FULL', `The drive became full; the image is as it was, and what was written is removed: ${folder}`, { path: folder, hint: `Free some space there, then try again${room}.` }, { cause })
}
