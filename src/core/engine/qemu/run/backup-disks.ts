import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError } from '@shared/errors'
import type { BackupDiskOrder } from '../../engine'
import { fileNode, pullNode } from '../argv'
import { imageSpec } from '../qemu-img/encrypted-chain'
import { QmpCommandError, type JobInfo, type QmpClient, type TransactionAction } from '../qmp'
import { blockCommandMs, closeNodes, nodeFiles } from './layers'

const pollMs = 100
const jobPrefix = 'sys-backup-'
const jobOf = (index: number): string => `${jobPrefix}${String(index)}`
/** The node of a file that is written to; none of a machine's begins with `sys-`. */
const targetNode = (index: number): string => `sys-backup${String(index)}`

/** Disks that are being copied: from one instant, while the guest goes on. */
export class DiskCopies {
  #begun = false

  /** @param drives the node of each disk, by its key */
  constructor(private readonly qmp: QmpClient, private readonly drives: ReadonlyMap<string, string>, private readonly orders: readonly BackupDiskOrder[]) {}

  /** Opens what is written to. Throws `NOT_FOUND` for a disk that is not there; nothing stays open then. */
  async open(): Promise<void> {
    try {
      for (const [index, { target, encrypted }] of this.orders.entries()) {
        const node = targetNode(index)
        await this.qmp.executeWithin(blockCommandMs, 'blockdev-add', { driver: 'file', 'node-name': fileNode(node), filename: target, discard: 'unmap' })
        // Whatever its header will name: clusters are written whole, and zeroes as such, so that nothing below is ever looked at.
        await this.qmp.executeWithin(blockCommandMs, 'blockdev-add', { ...imageSpec({ format: 'qcow2', encrypted }), 'node-name': node, file: fileNode(node), backing: null, discard: 'unmap' })
      }
    } catch (error) {
      await this.#close()
      throw error
    }
  }

  /** The instant: all disks together or none. From here on writes are noted for the next backup. */
  async begin(): Promise<void> {
    const actions = this.orders.flatMap((order, index) => this.#actions(order, index))
    await this.qmp.executeWithin(blockCommandMs, 'transaction', { actions })
    this.#begun = true
  }

  #actions({ key, since, track, compress }: BackupDiskOrder, index: number): TransactionAction[] {
    const node = this.#node(key)
    // Clusters are all the same size here, so that what is dirty is copied in whole ones.
    const mark: TransactionAction[] = track === null ? [] : [{ type: 'block-dirty-bitmap-add', data: { node, name: track, persistent: true, granularity: 65_536 } }]
    const what = since === null ? { sync: 'full' } : { sync: 'bitmap', bitmap: since, 'bitmap-mode': 'never' }
    return [...mark, {
      type: 'blockdev-backup',
      data: { 'job-id': jobOf(index), device: node, target: targetNode(index), ...what, compress, 'filter-node-name': pullNode(node), 'auto-dismiss': false },
    }]
  }

  #node(key: string): string {
    const node = this.drives.get(key)
    if (node === undefined) throw new RingsideError('NOT_FOUND', `The machine has no disk “${key}”.`)
    return node
  }

  /** Until all is written. Throws the first failure when everything has ended, `CANCELLED`, `DISK_FULL`, `QEMU_FAILED`. */
  async finish(onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    let failure: RingsideError | null = null
    for (;;) {
      const jobs = (await this.qmp.execute('query-jobs')).filter(({ id }) => id.startsWith(jobPrefix))
      for (const job of jobs.filter(({ status }) => status === 'concluded')) {
        if (job.error !== undefined) failure ??= this.#failed(job)
        await this.qmp.execute('job-dismiss', { id: job.id })
      }
      const working = jobs.filter(({ status }) => status !== 'concluded')
      if (working.length === 0) break
      if (signal.aborted || failure !== null) await this.#cancel(working)
      else onProgress(fractionOf(working))
      await delay(pollMs, undefined, signal.aborted ? {} : { signal }).catch(() => undefined)
    }
    this.#begun = false
    await this.#close()
    if (signal.aborted) throw new RingsideError('CANCELLED', 'The backup was cancelled.')
    if (failure !== null) throw failure
  }

  /** Whatever came of it: nothing is copied any more and no mark of it stays. */
  async undo(): Promise<void> {
    if (this.qmp.isClosed) return
    if (this.#begun) await endLeftoverBackups(this.qmp)
    await this.#close()
    for (const { key, track } of this.orders) {
      const node = this.drives.get(key)
      if (track === null || node === undefined) continue
      await this.qmp.executeWithin(blockCommandMs, 'block-dirty-bitmap-remove', { node, name: track }).catch((error: unknown) => {
        if (!(error instanceof QmpCommandError)) throw error
      })
    }
  }

  #failed({ id, error = '' }: JobInfo): RingsideError {
    const order = this.orders[Number(id.slice(jobPrefix.length))]
    const path = order?.target ?? ''
    if (/No space left|Disk quota/u.test(error)) return new RingsideError('DISK_FULL', `The drive became full while the disk “${order?.key ?? ''}” was backed up: ${path}`, { path, hint: 'Free some space there, then try again.' })
    return new RingsideError('QEMU_FAILED', `The disk “${order?.key ?? ''}” could not be backed up: ${error}`, { path, hint: 'Check both drives, then try again.' })
  }

  async #cancel(jobs: readonly JobInfo[]): Promise<void> {
    for (const { id } of jobs) await this.qmp.execute('job-cancel', { id }).catch(() => undefined)
  }

  async #close(): Promise<void> {
    if (!this.qmp.isClosed) await closeNodes(this.qmp, this.orders.map((_, index) => targetNode(index)))
  }
}

function fractionOf(jobs: readonly JobInfo[]): number | null {
  const total = jobs.reduce((sum, job) => sum + job['total-progress'], 0)
  return total === 0 ? null : Math.min(1, jobs.reduce((sum, job) => sum + job['current-progress'], 0) / total)
}

/** Ends copies that nobody waits for any more, and closes what they wrote to. The marks that began with them name backups that never came to be, and are harmless. */
export async function endLeftoverBackups(qmp: QmpClient): Promise<void> {
  for (;;) {
    const jobs = (await qmp.execute('query-jobs')).filter(({ id }) => id.startsWith(jobPrefix))
    if (jobs.length === 0) break
    // One may end between the question and the command.
    for (const { id, status } of jobs) await (status === 'concluded' ? qmp.execute('job-dismiss', { id }) : qmp.execute('job-cancel', { id })).catch(() => undefined)
    if (jobs.some(({ status }) => status !== 'concluded')) await delay(pollMs)
  }
  await closeNodes(qmp, [...(await nodeFiles(qmp)).keys()].filter((node) => /^sys-backup\d+$/u.test(node)))
}
