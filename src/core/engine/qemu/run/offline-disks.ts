import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { messageOf, RingsideError } from '@shared/errors'
import type { DiskFormat } from '@shared/model'
import type { BackupDiskOrder, TrackedDisk } from '../../engine'
import { fileNode, type ImageFacts, layeredNode } from '../argv'
import { diskKeyId } from '../argv/node-names'
import { lastLines } from '../process/qemu-log'
import { imageSpec } from '../qemu-img/encrypted-chain'
import { QmpClient } from '../qmp'
import { DiskCopies } from './backup-disks'
import { blockCommandMs } from './layers'
import { keepMarks, readTracked } from './marks'

/** A disk of a machine that is off. */
export interface OfflineDisk {
  /** Its id, or `nvramLayer`. */
  key: string
  /** What was found when it was looked at, which has to be just now. */
  facts: ImageFacts
  format: DiskFormat
  /** It is opened with the machine's disk key, with all its layers. */
  encrypted: boolean
  /** Its marks may be changed; nothing else is ever written to it. */
  writable: boolean
}

/** Disks of a machine that is off, opened by a QEMU that runs no guest: as they would be for backups of a running one. */
export class OfflineDisks implements AsyncDisposable {
  private constructor(private readonly qmp: QmpClient, private readonly drives: ReadonlyMap<string, string>, private readonly end: () => Promise<void>) {}

  /**
   * @param program path of qemu-system
   * @param key of the encrypted ones, which goes over its monitor
   * @param onStarted told the number of the process, which goes on when this one is killed
   * Throws `DISK_IN_USE`, `QEMU_FAILED`, `QEMU_NOT_FOUND`
   */
  static async open(program: string, disks: readonly OfflineDisk[], key: string | null, onStarted: (pid: number) => Promise<void>): Promise<OfflineDisks> {
    const argv = ['-no-user-config', '-nodefaults', '-machine', 'none', '-display', 'none', '-chardev', 'stdio,id=monitor,signal=off', '-mon', 'chardev=monitor,mode=control']
    const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true, detached: process.platform !== 'win32' })
    let words = ''
    child.stderr.on('data', (bytes: Buffer) => { words = (words + bytes.toString('utf8')).slice(-8192) })
    // Writing to one that has ended is told by the monitor's end.
    child.stdin.on('error', () => undefined)
    const exited = once(child, 'exit').catch(() => undefined)
    const failed = new Promise<never>((_, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) => {
        reject(new RingsideError('QEMU_NOT_FOUND', `QEMU can't be started (${cause.code ?? cause.message}): ${program}`, { path: program, hint: 'Install QEMU again, or choose its folder in the settings.' }, { cause }))
      })
    })
    failed.catch(() => undefined)
    const end = async (): Promise<void> => {
      child.kill('SIGKILL')
      await exited
    }
    try {
      if (child.pid !== undefined) await onStarted(child.pid)
      const qmp = await Promise.race([QmpClient.connect(Duplex.from({ readable: child.stdout, writable: child.stdin }), { timeoutMs: 30_000 }), failed])
      if (key !== null) await qmp.execute('object-add', { 'qom-type': 'secret', id: diskKeyId, data: key })
      const drives = new Map<string, string>()
      for (const disk of disks) drives.set(disk.key, await openDisk(qmp, disk))
      return new OfflineDisks(qmp, drives, async () => {
        // In order: only then marks are written to their files.
        await qmp.quit(blockCommandMs).catch(() => undefined)
        await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, blockCommandMs).unref())])
        await end()
      })
    } catch (error) {
      await end()
      throw explain(error, { program, argv, words })
    }
  }

  tracked(): Promise<Record<string, TrackedDisk>> {
    return readTracked(this.qmp, this.drives)
  }

  /** Copies the disks. Throws as `EngineBackups.takeBackup`; no mark of it is left then. */
  async copy(orders: readonly BackupDiskOrder[], onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    const copies = new DiskCopies(this.qmp, this.drives, orders)
    try {
      await copies.open()
      await copies.begin()
      await copies.finish(onProgress, signal)
    } catch (error) {
      await copies.undo()
      throw error
    }
  }

  keepMarks(marks: readonly string[]): Promise<void> {
    return keepMarks(this.qmp, this.drives, marks)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end()
  }
}

async function openDisk(qmp: QmpClient, { key, facts, format, encrypted, writable }: OfflineDisk): Promise<string> {
  const top = layeredNode(key)
  const layers = [{ path: facts.path, driver: facts.driver, format, writable }, ...facts.backing.map((layer) => ({ ...layer, writable: false }))]
  let below: string | null = null
  for (const [index, layer] of [...layers.entries()].reverse()) {
    const node = index === 0 ? top : `${top}.base${String(index - 1)}`
    await qmp.executeWithin(blockCommandMs, 'blockdev-add', { driver: layer.driver, 'node-name': fileNode(node), filename: layer.path, 'read-only': !layer.writable })
    await qmp.executeWithin(blockCommandMs, 'blockdev-add', {
      ...imageSpec({ format: layer.format, encrypted }), 'node-name': node, file: fileNode(node), 'read-only': !layer.writable, ...(layer.format === 'qcow2' || layer.format === 'vmdk' ? { backing: below } : {}),
    })
    below = node
  }
  return top
}

function explain(error: unknown, { program, argv, words }: { program: string; argv: string[]; words: string }): unknown {
  const said = messageOf(error)
  if (/Failed to get .*lock/u.test(said)) return new RingsideError('DISK_IN_USE', 'Another program has a disk of the machine open.', { hint: 'End it, then try again.' }, { cause: error })
  if (error instanceof RingsideError && error.code !== 'PROTOCOL') return error
  return new RingsideError('QEMU_FAILED', `QEMU could not open the disks of the machine: ${said}`, { process: { command: program, argv, exitCode: null, signal: null, stderrTail: lastLines(words) } }, { cause: error })
}
