import { readFile } from 'node:fs/promises'
import type { AcceleratorName, MemoryMethod } from '@shared/model'
import type { QmpClient } from '../qmp'
import { QmpCommandError } from '../qmp'
import { blockedInWords } from './blocked-reasons'
import { capabilitiesFor } from './migration'

/** How the memory of a guest would be kept, and why not better: a sentence, or null when there is nothing to say. */
export interface MemoryMeans { method: MemoryMethod; reason: string | null }

export interface MemoryQuestion {
  qemu: { version: string; features: Record<string, boolean> }
  accelerator: AcceleratorName
  paused: boolean
  /** What speaks against keeping memory beside what QEMU says, half a sentence. */
  obstacle?: string | null
  platform?: NodeJS.Platform
}

/** The channel of the clipboard is taken out before memory is written, so its blocker is none [ui/vdagent.c]. */
const clipboardBlocker = /vdagent/u

/** Asks QEMU and the kernel, and changes nothing. */
export async function chooseMemoryMeans(qmp: QmpClient, { qemu, accelerator, paused, obstacle = null, platform = process.platform }: MemoryQuestion): Promise<MemoryMeans> {
  if (obstacle !== null) return disksOnly(obstacle)
  const { version, features } = qemu
  if (platform === 'win32' && features['fileMigration'] !== true) return disksOnly(`QEMU ${version} can't write it to a file on Windows, which QEMU 8.2 and later can`)
  if (accelerator === 'hvf') return disksOnly('QEMU can\'t keep what Apple\'s hypervisor (HVF) knows of the processors')
  const { 'blocked-reasons': blocked = [] } = await qmp.execute('query-migrate')
  const reasons = blocked.filter((reason) => !clipboardBlocker.test(reason))
  if (reasons.length > 0) return disksOnly(`QEMU says: ${blockedInWords(reasons)}`)
  if (paused) return { method: 'paused', reason: null }
  if (features['backgroundSnapshot'] !== true) return standingStill(`QEMU ${version} can't follow what it writes meanwhile`)
  const refusal = await backgroundRefusal(qmp, features)
  return refusal === null ? { method: 'live', reason: null } : standingStill(await inWords(refusal, platform))
}

/** QEMU's words when it can't write memory while the guest goes on; null when it can. It asks the kernel when the capability is set [migration/options.c]. */
async function backgroundRefusal(qmp: QmpClient, features: Record<string, boolean>): Promise<string | null> {
  const set = (background: boolean): Promise<unknown> =>
    qmp.execute('migrate-set-capabilities', { capabilities: capabilitiesFor({ format: 'stream', way: background ? 'background' : 'out' }, features) })
  // Pipelined, so that nobody else's transfer comes in between.
  const [on] = await Promise.allSettled([set(true), set(false)])
  if (on.status === 'fulfilled') return null
  if (on.reason instanceof QmpCommandError) return on.reason.description
  throw on.reason
}

async function inWords(refusal: string, platform: NodeJS.Platform): Promise<string> {
  if (!/host kernel/u.test(refusal)) return `QEMU says: ${refusal}`
  if (platform !== 'linux') return 'only Linux lets QEMU follow what it writes meanwhile'
  const reserved = (await readFile('/proc/sys/vm/unprivileged_userfaultfd', 'latin1').catch(() => '')).trim() === '0' && process.getuid?.() !== 0
  return `this computer does not let QEMU follow what it writes meanwhile${reserved ? ' (the administrator can allow it: sysctl vm.unprivileged_userfaultfd=1)' : ' (its kernel lacks userfaultfd with write protection)'}`
}

function disksOnly(because: string): MemoryMeans {
  return { method: 'none', reason: `The guest’s memory can’t be kept, only its disks: ${because}.` }
}

function standingStill(because: string): MemoryMeans {
  return { method: 'paused', reason: `The guest stands still while its memory is written: ${because}.` }
}
