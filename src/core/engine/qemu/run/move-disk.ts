import { randomBytes } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError } from '@shared/errors'
import type { Disk, MachineDefinition } from '@shared/model'
import { imagePath } from '../../../library/paths'
import { definitionFile } from '../../../library/scan'
import type { DiskCopy, LaunchPlan } from '../../engine'
import { driveNode, keyOfNode, overlayNode, pullNode, topNodes, withoutPull } from '../argv'
import { takesDirectIo } from '../image/check-image'
import { QmpCommandError, type JobInfo, type QmpClient } from '../qmp'
import type { GuestHold } from './guest-hold'
import { blockCommandMs, closeNodes, nodeFiles } from './layers'

const pollMs = 50

/** Which disk a job moves is in its id, so that another worker can tell. */
const jobPrefix = 'sys-move-'

/** Stands still at the instant at which both files hold the same, until it is ended. */
interface Held { disk: string; jobId: string; node: string; hold: GuestHold }

/** The files behind the disks of a running machine, whatever their format. Absolute, links resolved. */
export async function diskFiles(qmp: QmpClient, definition: MachineDefinition): Promise<Record<string, string>> {
  const [drives, files] = await Promise.all([qmp.executeWithin(blockCommandMs, 'query-block'), nodeFiles(qmp)])
  const found: Record<string, string> = {}
  for (const { inserted } of drives) {
    const node = withoutPull(inserted?.['node-name'] ?? '')
    const key = keyOfNode({ disks: definition.disks, cdroms: [] }, node)
    const file = files.get(node)
    if (key !== null && file !== undefined && definition.disks.some(({ id }) => id === key)) found[key] = await realPath(file.file)
  }
  return found
}

/**
 * Moves a disk of a running machine to another file with `blockdev-mirror`. From its beginning on every write of the guest goes to both files (`write-blocking`), so that the copy comes to an
 * end however much the guest writes. See `EngineMoves`.
 */
export class DiskMove {
  #held: Held | null = null

  constructor(private readonly qmp: QmpClient, private readonly plan: Pick<LaunchPlan, 'definition' | 'qemu'>) {}

  /** @param beginHold called when all is copied, before the guest stands still */
  async copy({ disk: id, path, format }: DiskCopy, beginHold: () => GuestHold, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    const { qmp } = this
    if (signal.aborted) throw cancelled()
    const disk = diskOf(this.plan.definition, id)
    const device = await topNodeOf(qmp, this.plan.definition, id)
    const jobId = `${jobPrefix}${driveNode(id)}`
    const node = overlayNode(driveNode(id), randomBytes(4).toString('hex'))
    let hold: GuestHold | null = null
    try {
      for (const part of topNodes({ ...disk, format }, { path, driver: 'file', directIo: await takesDirectIo(path) }, this.plan.qemu.features, node, null)) await qmp.executeWithin(blockCommandMs, 'blockdev-add', part)
      await qmp.executeWithin(blockCommandMs, 'blockdev-mirror', {
        'job-id': jobId, device, target: node, sync: 'full', 'copy-mode': 'write-blocking', 'filter-node-name': pullNode(device), 'auto-finalize': false, 'auto-dismiss': false,
      })
      await this.#until(jobId, path, ['ready'], signal, onProgress)
      hold = beginHold()
      await hold.begin()
      await hold.stop()
      await qmp.execute('job-complete', { id: jobId })
      // The copy is on its drive then: QEMU flushes it before it says so.
      await this.#until(jobId, path, ['pending'], signal)
      this.#held = { disk: id, jobId, node, hold }
    } catch (error) {
      if (!qmp.isClosed) {
        await endJob(qmp, jobId)
        await closeNodes(qmp, [node])
        await hold?.resume()
        await hold?.end()
      }
      if (signal.aborted) throw cancelled()
      throw error instanceof QmpCommandError ? failed(error.description, path) : error
    }
  }

  /** Whether the guest stands still between both files. */
  get isHeld(): boolean {
    return this.#held !== null
  }

  /**
   * Ends it at that instant. When QEMU can't put the copy to use the guest goes on standing still, and this can be called once more, for the source.
   * @returns whether there was anything to end
   */
  async end(keep: 'source' | 'target'): Promise<boolean> {
    const held = this.#held
    if (held === null) return false
    const { qmp, plan: { definition } } = this
    if (keep === 'target') {
      await finalize(qmp, held.jobId)
      this.#held = null
      await held.hold.resume()
      await held.hold.end()
      await closeOthers(qmp, definition, held.disk)
      return true
    }
    this.#held = null
    await endJob(qmp, held.jobId)
    await held.hold.resume()
    await held.hold.end()
    await closeNodes(qmp, [held.node])
    return true
  }

  async #until(jobId: string, path: string, wanted: readonly JobInfo['status'][], signal: AbortSignal, onProgress?: (fraction: number | null) => void): Promise<void> {
    for (;;) {
      if (signal.aborted) throw cancelled()
      const job = await findJob(this.qmp, jobId)
      if (job === undefined) throw new RingsideError('QEMU_FAILED', 'QEMU knows nothing any more of the disk that is being moved.', { path })
      if (wanted.includes(job.status)) return
      if (job.status === 'concluded') throw failed(job.error ?? 'it ended too early', path)
      // What the guest writes meanwhile is added to the total: it never is more than all, and never goes back.
      onProgress?.(job['total-progress'] === 0 ? null : Math.min(1, job['current-progress'] / job['total-progress']))
      await delay(pollMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

/**
 * Ends a move that a worker which died has left, as `machine.json` says: while both files hold the same it is the one record of which is the disk. Where that can't be
 * read, or QEMU can't do it, the guest is left standing still. @returns whether it may go on, and why not
 */
export async function settleLeftMoves(qmp: QmpClient, { definition, machineFolder }: Pick<LaunchPlan, 'definition' | 'machineFolder'>): Promise<string | null> {
  for (const job of await qmp.execute('query-jobs')) {
    if (!job.id.startsWith(jobPrefix)) continue
    const disk = definition.disks.find(({ id }) => driveNode(id) === job.id.slice(jobPrefix.length))
    const keep = job.status === 'pending' && disk !== undefined ? await keptByRecord(qmp, { definition, machineFolder }, disk.id) : 'source'
    if (keep === null) return `The disk “${disk?.id ?? job.id}” was being moved, and the machine’s definition can’t be read, which says where it is: ${machineFolder}`
    try {
      if (keep === 'target') await finalize(qmp, job.id)
      else await endJob(qmp, job.id)
    } catch (error) {
      return `The disk “${disk?.id ?? job.id}” could not be moved: ${(error as Error).message}`
    }
  }
  return null
}

/** Which of both files `machine.json` names; null: it can't be read. */
export async function keptByRecord(qmp: QmpClient, { definition, machineFolder }: Pick<LaunchPlan, 'definition' | 'machineFolder'>, disk: string): Promise<'source' | 'target' | null> {
  const stored = await definitionFile(machineFolder).load().catch(() => null)
  if (stored === null) return null
  const image = stored.disks.find(({ id }) => id === disk)?.image
  if (image === undefined) return 'source'
  const named = await realPath(imagePath(machineFolder, image))
  if ((await diskFiles(qmp, definition))[disk] === named) return 'source'
  for (const [node, { file }] of await nodeFiles(qmp)) if (keyOfNode(definition, node) === disk && (await realPath(file)) === named) return 'target'
  return 'source'
}

/** The disks of a machine that was taken over, with the places to which one was moved that the record of its run does not know of yet. */
export async function withMovedDisks(qmp: QmpClient, { definition, machineFolder }: Pick<LaunchPlan, 'definition' | 'machineFolder'>): Promise<Disk[]> {
  const stored = await definitionFile(machineFolder).load().catch(() => null)
  if (stored === null) return definition.disks
  const files = await diskFiles(qmp, definition)
  return Promise.all(definition.disks.map(async (disk) => {
    const now = stored.disks.find(({ id }) => id === disk.id)
    // Layers within the folder come and go with snapshots, which look after them.
    if (now === undefined || (now.image.kind === 'own' && disk.image.kind === 'own')) return disk
    return files[disk.id] === (await realPath(imagePath(machineFolder, now.image))) ? { ...disk, image: now.image, format: now.format } : disk
  }))
}

async function finalize(qmp: QmpClient, jobId: string): Promise<void> {
  await qmp.executeWithin(null, 'job-finalize', { id: jobId })
  for (;;) {
    const job = await findJob(qmp, jobId)
    if (job?.status === 'concluded') {
      await qmp.execute('job-dismiss', { id: jobId })
      if (job.error === undefined) return
      throw new RingsideError('QEMU_FAILED', `QEMU could not go over to the copy of the disk: ${job.error}`, { hint: 'The disk is where it was. Try again when the machine is off.' })
    }
    if (job === undefined) return
    await delay(pollMs)
  }
}

/** Gives a move up. One that is not there is fine. */
async function endJob(qmp: QmpClient, jobId: string): Promise<void> {
  for (let job = await findJob(qmp, jobId); job !== undefined; job = await findJob(qmp, jobId)) {
    // It may end between the question and the command.
    await (job.status === 'concluded' ? qmp.execute('job-dismiss', { id: jobId }) : qmp.execute('job-cancel', { id: jobId })).catch(() => undefined)
    if (job.status !== 'concluded') await delay(pollMs)
  }
}

async function findJob(qmp: QmpClient, jobId: string): Promise<JobInfo | undefined> {
  return (await qmp.execute('query-jobs')).find(({ id }) => id === jobId)
}

/** Lets go of every file of a disk that it does not use any more. One is in use as long as the one above it is open, so they go from the top. */
async function closeOthers(qmp: QmpClient, definition: MachineDefinition, disk: string): Promise<void> {
  for (let before = Infinity; ;) {
    const nodes = [...(await nodeFiles(qmp)).keys()].filter((node) => keyOfNode(definition, node) === disk)
    if (nodes.length >= before) return
    before = nodes.length
    await closeNodes(qmp, nodes)
  }
}

async function topNodeOf(qmp: QmpClient, definition: MachineDefinition, disk: string): Promise<string> {
  const drives = await qmp.executeWithin(blockCommandMs, 'query-block')
  const node = drives.map(({ inserted }) => withoutPull(inserted?.['node-name'] ?? '')).find((name) => keyOfNode(definition, name) === disk)
  if (node === undefined) throw new RingsideError('NOT_FOUND', `The running machine has no disk “${disk}”.`)
  return node
}

function diskOf({ disks }: MachineDefinition, id: string): Disk {
  const disk = disks.find((known) => known.id === id)
  if (disk === undefined) throw new RingsideError('NOT_FOUND', `The running machine has no disk “${id}”.`)
  return disk
}

function failed(reason: string, path: string): RingsideError {
  if (/No space left/u.test(reason)) return new RingsideError('DISK_FULL', `The drive became full while the disk was moved; the machine goes on with it where it was: ${path}`, { path, hint: 'Free some space there, or choose another place.' })
  if (/Failed to get .* lock/u.test(reason)) return new RingsideError('DISK_IN_USE', `Another program has the new file of the disk open: ${path}`, { path, hint: 'Close it, then try again. Nothing is lost.' })
  return new RingsideError('QEMU_FAILED', `QEMU could not move the disk (${reason}); the machine goes on with it where it was: ${path}`, { path, hint: 'Try again when the machine is off. Nothing is lost.' })
}

function cancelled(): RingsideError {
  return new RingsideError('CANCELLED', 'Moving the disk was cancelled; it is where it was.')
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}
