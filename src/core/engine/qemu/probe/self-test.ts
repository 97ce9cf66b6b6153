import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AcceleratorName } from '@shared/model'
import { assembleProbeRom, isProbeAnswer, probeGuestArgs } from '../../../bootcode'
import { acceleratorArguments, defaultCpuModel } from '../argv/cpu'
import { lastLines } from '../process/qemu-log'

export interface SelfTestResult {
  outcome: 'answered' | 'answered-wrong' | 'never-answered' | 'failed-to-start'
  /** From spawn to power-off; null when it never answered. */
  elapsedMs: number | null
  /** QEMU's own words. */
  words: string
}

/**
 * How long the guest may take, milliseconds from spawn. Its work is a few milliseconds: on hardware it gets its second, and QEMU two more to
 * come up on a busy computer. Software emulation is the fall-back, so a computer under load must not lose it to impatience.
 */
const patienceMs: Record<AcceleratorName, number> = { kvm: 3_000, hvf: 3_000, whpx: 5_000, tcg: 20_000 }

/** Boots the probe guest on the accelerator, with the processor that machines get, and listens for its answer. */
export async function runSelfTest(systemPath: string, accelerator: AcceleratorName): Promise<SelfTestResult> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-probe-'))
  try {
    const rom = join(folder, 'probe.rom')
    await writeFile(rom, assembleProbeRom())
    return await boot(systemPath, [...probeGuestArgs(rom), ...acceleratorArguments(accelerator), '-cpu', defaultCpuModel(accelerator)], patienceMs[accelerator])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function boot(systemPath: string, argv: string[], limitMs: number): Promise<SelfTestResult> {
  const started = performance.now()
  const child = spawn(systemPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  let serial = ''
  let words = ''
  child.stdout.on('data', (chunk: Buffer) => { serial = (serial + chunk.toString('latin1')).slice(-4096) })
  child.stderr.on('data', (chunk: Buffer) => { words = (words + chunk.toString('utf8')).slice(-8192) })
  const timer = setTimeout(() => { child.kill('SIGKILL') }, limitMs)
  const ended = await new Promise<{ code: number | null; signal: string | null; error: Error | null }>((resolve) => {
    child.once('error', (error) => { resolve({ code: null, signal: null, error }) })
    child.once('close', (code, signal) => { resolve({ code, signal, error: null }) })
  })
  clearTimeout(timer)
  const elapsedMs = performance.now() - started
  if (ended.error !== null) return { outcome: 'failed-to-start', elapsedMs: null, words: ended.error.message }
  if (isProbeAnswer(serial, ended.code)) return { outcome: 'answered', elapsedMs: Math.round(elapsedMs), words: lastLines(words) }
  if (ended.signal === 'SIGKILL' && elapsedMs >= limitMs) return { outcome: 'never-answered', elapsedMs: null, words: lastLines(words) }
  return { outcome: serial.trim() === '' ? 'failed-to-start' : 'answered-wrong', elapsedMs: null, words: lastLines(words) }
}
