import { spawn } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError } from '@shared/errors'
import { diskKeyId, fileNode } from '../argv/node-names'
import { lastLines } from '../process/qemu-log'
import { QmpClient, QmpCommandError } from '../qmp'
import { type ChainImage, imageSpec } from './encrypted-chain'

/** See `RebaseRequest`. */
interface StreamRequest { path: string; backing: { name: string } | null; onProgress: (fraction: number) => void; signal: AbortSignal }

const pollMs = 100
const patienceMs = 60_000
const jobId = 'sys-pull'

/**
 * What `QemuImg.rebase` does, for an encrypted chain: qemu-img finds no layer of such a chain by its name, so that a QEMU without a machine does it, by the way in which layers
 * of running machines are merged. The key goes over its monitor.
 */
export async function streamOffline(program: string, chain: readonly ChainImage[], key: string, { path, backing, onProgress, signal }: StreamRequest): Promise<void> {
  const base = backing === null ? null : await indexOf(chain, resolve(dirname(chain[0]?.path ?? path), backing.name))
  const child = spawn(program, ['-machine', 'none', '-nodefaults', '-no-user-config', '-S', '-display', 'none', '-qmp', 'stdio'], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
  let words = ''
  child.stderr.on('data', (chunk: Buffer) => { words = (words + chunk.toString('utf8')).slice(-8192) })
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => { resolve() })
    child.once('close', () => { resolve() })
  })
  const watcher = endWithHost(child.pid)
  try {
    const qmp = await QmpClient.connect(Duplex.from({ readable: child.stdout, writable: child.stdin }), { timeoutMs: patienceMs })
    await qmp.execute('object-add', { 'qom-type': 'secret', id: diskKeyId, data: key })
    for (const [index, image] of [...chain.entries()].reverse()) {
      const [node, access] = [nodeOf(index), { 'read-only': index > 0 }]
      await qmp.executeWithin(patienceMs, 'blockdev-add', { driver: 'file', 'node-name': fileNode(node), filename: image.path, ...access })
      await qmp.executeWithin(patienceMs, 'blockdev-add', { ...imageSpec(image), 'node-name': node, file: fileNode(node), ...access, ...(image.format === 'qcow2' ? { backing: index + 1 < chain.length ? nodeOf(index + 1) : null } : {}) })
    }
    const below = base === null || backing === null ? {} : { 'base-node': nodeOf(base), 'backing-file': backing.name }
    await qmp.executeWithin(patienceMs, 'block-stream', { 'job-id': jobId, device: nodeOf(0), 'auto-dismiss': false, 'auto-finalize': false, ...below })
    await waitForJob(qmp, path, onProgress, signal)
    await qmp.quit()
    await ended
  } catch (error) {
    if (signal.aborted) throw new RingsideError('CANCELLED', 'The work on the disk image was cancelled.')
    if (error instanceof RingsideError) throw error
    const reason = error instanceof QmpCommandError ? error.description : lastLines(words).split('\n').at(-1) || (error as Error).message
    if (/No space left/u.test(reason)) throw new RingsideError('DISK_FULL', `The disk became full: ${path}`, { path, hint: 'Free some space, then try again. Nothing is lost.' }, { cause: error })
    if (/Invalid password/u.test(reason)) throw new RingsideError('KEY_WRONG', `The machine’s disk key does not open the image: ${path}`, { path }, { cause: error })
    throw new RingsideError('QEMU_FAILED', `QEMU could not merge layers (${reason}): ${path}`, { path, hint: 'Nothing is lost; try again.' }, { cause: error })
  } finally {
    watcher()
    child.kill('SIGKILL')
    await ended
  }
}

async function waitForJob(qmp: QmpClient, path: string, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const job = (await qmp.execute('query-jobs')).find(({ id }) => id === jobId)
    if (job === undefined) throw new RingsideError('QEMU_FAILED', `QEMU knows nothing any more of the merge of two layers: ${path}`, { path })
    if (job.status === 'concluded') {
      if (job.error !== undefined) throw new Error(job.error)
      return
    }
    if (job.status === 'pending') {
      // Tables that are in memory only have to be written before the header names another layer; see `pullLayer`.
      const said = await qmp.executeWithin(null, 'human-monitor-command', { 'command-line': `qemu-io ${nodeOf(0)} "flush"` })
      if (said.trim() !== '') throw new Error(said.trim())
      await qmp.execute('job-finalize', { id: jobId })
      continue
    }
    if (job['total-progress'] > 0) onProgress(Math.min(1, job['current-progress'] / job['total-progress']))
    await delay(pollMs)
  }
}

function nodeOf(index: number): string {
  return `layer${String(index)}`
}

async function indexOf(chain: readonly ChainImage[], wanted: string): Promise<number> {
  const real = await realpath(wanted).catch(() => wanted)
  const index = chain.findIndex(({ path }) => path === real)
  if (index < 1) throw new RingsideError('INTERNAL', `The image has no such layer: ${wanted}`)
  return index
}

/** Should this process be killed, the other one goes too, which would wait for ever. Windows sees to that by itself. @returns calls it off */
function endWithHost(pid: number | undefined): () => void {
  if (pid === undefined || process.platform === 'win32') return () => undefined
  const watcher = spawn('/bin/sh', ['-c', 'read -r nothing; kill -9 "$0" 2>/dev/null', String(pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  watcher.on('error', () => undefined)
  watcher.stdin.on('error', () => undefined)
  return () => { watcher.kill('SIGKILL') }
}
