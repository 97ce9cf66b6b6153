import { access, readFile } from 'node:fs/promises'
import type { CrashReport } from '@shared/model'
import { findProcess, isAlive, type ProcessIdentity } from '../engine/qemu/process/process-identity'
import { QemuLog } from '../engine/qemu/process/qemu-log'
import { runtimePaths } from '../library/paths'
import type { RunRecord } from './run-record'

/** The living QEMU of a recorded run; null when it has ended, or never began. */
export async function findRun(record: RunRecord, runtimeFolder: string): Promise<ProcessIdentity | null> {
  if (record.process !== null) return (await isAlive(record.process)) ? record.process : null
  // The host died between starting QEMU and noting its number; QEMU's own file has it.
  const pid = Number.parseInt(await readFile(runtimePaths(runtimeFolder).pid, 'utf8').catch(() => ''), 10)
  return Number.isInteger(pid) && pid > 1 ? findProcess(pid) : null
}

/**
 * How a run ended that nobody watched: QEMU removes its pid file when it exits in order and leaves it when it is killed or crashes.
 * null: in order.
 */
export async function unseenCrash(record: RunRecord, runtimeFolder: string, qemuLog: string): Promise<CrashReport | null> {
  const left = await access(runtimePaths(runtimeFolder).pid).then(() => true, () => false)
  if (!left) return null
  const stderrTail = await QemuLog.of(qemuLog).tail()
  return {
    at: new Date().toISOString(),
    reason: 'QEMU was killed or crashed while nothing of Ringside was watching, so how is not known; perhaps the computer ran out of memory or was switched off.',
    process: { command: record.qemu.systemPath, argv: [], exitCode: null, signal: null, stderrTail },
  }
}
