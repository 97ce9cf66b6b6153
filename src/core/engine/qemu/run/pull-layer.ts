import { realpath } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import type { LaunchPlan, PullRequest } from '../../engine'
import { keyOfNode, pullNode } from '../argv'
import { QmpCommandError, type JobInfo, type QmpClient } from '../qmp'
import { blockCommandMs, closeNodes, nodeFiles } from './layers'

const pollMs = 100

/** One at a time. */
const jobId = 'sys-pull'

/** Merges what a layer reads from the ones below it, down to a base, into the layer. See `EngineSnapshots.pullLayer`. */
export async function pullLayer(qmp: QmpClient, { definition, qemu }: Pick<LaunchPlan, 'definition' | 'qemu'>, request: PullRequest, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
  const { disk, layer, base, backingName } = request
  if (signal.aborted) throw cancelled()
  await endLeftoverMerges(qmp)
  const { node, inParts } = await findLayer(qmp, definition, disk, layer)
  if (inParts && !streamsIntoParts(qemu.features)) {
    throw new RingsideError('CAPABILITY_MISSING', `QEMU ${qemu.version} can't merge anything into this layer while the machine runs; it would end, and the guest with it: ${layer}`, {
      path: layer, hint: 'Shut the machine down; layers are merged then.',
    })
  }
  // With the base right below there is nothing to copy, and QEMU says that it is done at once.
  const below = base === null ? {} : { 'base-node': (await findLayer(qmp, definition, disk, base)).node, ...(backingName === null ? {} : { 'backing-file': backingName }) }
  await qmp.executeWithin(blockCommandMs, 'block-stream', {
    'job-id': jobId, device: node, 'filter-node-name': pullNode(node), 'auto-dismiss': false, 'auto-finalize': false, ...below,
  }).catch((error: unknown) => { throw error instanceof QmpCommandError ? failed(error.description, layer) : error })
  try {
    await waitForJob(qmp, { node, layer }, onProgress, signal)
  } finally {
    if (!qmp.isClosed) await closeUnused(qmp, definition, disk)
  }
}

/** Ends a merge that nobody waits for any more. What it has copied stays copied, and the chain is as it was or as it was to be. */
export async function endLeftoverMerges(qmp: QmpClient): Promise<void> {
  for (let job = await findJob(qmp); job !== undefined; job = await findJob(qmp)) {
    // It may end between the question and the command.
    await (job.status === 'concluded' ? qmp.execute('job-dismiss', { id: jobId }) : qmp.execute('job-cancel', { id: jobId })).catch(() => undefined)
    if (job.status !== 'concluded') await delay(pollMs)
  }
}

async function waitForJob(qmp: QmpClient, { node, layer }: { node: string; layer: string }, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
  for (;;) {
    const job = await findJob(qmp)
    if (job === undefined) throw new RingsideError('QEMU_FAILED', 'QEMU knows nothing any more of the merge of two layers.', { path: layer })
    if (job.status === 'concluded') {
      await qmp.execute('job-dismiss', { id: jobId })
      if (job.error !== undefined) throw signal.aborted ? cancelled() : failed(job.error, layer)
      return
    }
    if (job.status === 'pending' && !signal.aborted) {
      await finalize(qmp, node, layer)
      continue
    }
    if (signal.aborted) await qmp.execute('job-cancel', { id: jobId }).catch(() => undefined)
    onProgress(job['total-progress'] === 0 ? null : Math.min(1, job['current-progress'] / job['total-progress']))
    await delay(pollMs, undefined, signal.aborted ? {} : { signal }).catch(() => undefined)
  }
}

/**
 * All is copied. What of it is in QEMU's memory only, tables above all, is written before the header names another layer: killed in between, QEMU would leave a layer that no
 * longer reads from the one below and does not have all of it yet (seen with QEMU 7.2). QMP has no command for it.
 */
async function finalize(qmp: QmpClient, node: string, layer: string): Promise<void> {
  const said = await qmp.executeWithin(null, 'human-monitor-command', { 'command-line': `qemu-io ${node} "flush"` })
  if (said.trim() !== '') {
    await qmp.execute('job-cancel', { id: jobId })
    throw failed(said.trim(), layer)
  }
  await qmp.execute('job-finalize', { id: jobId })
}

async function findJob(qmp: QmpClient): Promise<JobInfo | undefined> {
  return (await qmp.execute('query-jobs')).find(({ id }) => id === jobId)
}

/**
 * Whether QEMU can stream into an image whose clusters are allocated in parts. Before 8.2 it runs into an assertion there (`bdrv_co_do_copy_on_readv`)
 * [“block/io: align requests to subcluster_size”, 2023]. Its schema does not tell; that it writes memory to files by itself came with the same release.
 */
function streamsIntoParts(features: Record<string, boolean>): boolean {
  return features['fileMigration'] === true
}

async function findLayer(qmp: QmpClient, definition: MachineDefinition, disk: string, path: string): Promise<{ node: string; inParts: boolean }> {
  const wanted = await realPath(path)
  for (const [node, { file, inParts }] of await nodeFiles(qmp)) {
    if (keyOfNode(definition, node) === disk && (await realPath(file)) === wanted) return { node, inParts }
  }
  throw new RingsideError('NOT_FOUND', `The running machine's disk “${disk}” has no such layer: ${path}`, { path })
}

/** Lets go of the layers that were merged. One is in use as long as the one above it is open, so they go from the top. */
async function closeUnused(qmp: QmpClient, definition: MachineDefinition, disk: string): Promise<void> {
  for (let before = Infinity; ;) {
    const nodes = [...(await nodeFiles(qmp)).keys()].filter((node) => keyOfNode(definition, node) === disk)
    if (nodes.length >= before) return
    before = nodes.length
    await closeNodes(qmp, nodes)
  }
}

function failed(reason: string, path: string): RingsideError {
  if (/No space left/u.test(reason)) return new RingsideError('DISK_FULL', `The disk is full; layers could not be merged: ${path}`, { path, hint: 'Free some space, then try again. Nothing is lost.' })
  if (/Failed to get .* lock/u.test(reason)) return new RingsideError('DISK_IN_USE', `Another machine or program reads from a layer, so nothing can be merged into it: ${path}`, { path, hint: 'Try again when it has ended. Nothing is lost.' })
  return new RingsideError('QEMU_FAILED', `QEMU could not merge layers (${reason}): ${path}`, { path, hint: 'Try again when the machine is off. Nothing is lost.' })
}

function cancelled(): RingsideError {
  return new RingsideError('CANCELLED', 'Merging layers was cancelled. Nothing is lost.')
}

async function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}
