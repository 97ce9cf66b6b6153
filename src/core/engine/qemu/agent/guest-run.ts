import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { isRingsideError, RingsideError } from '@shared/errors'
import type { GuestCommand, GuestCommandResult } from '@shared/model'
import type { AgentLine } from './agent-line'
import { isWindows } from './guest-info'
import { understood } from './guest-agent'

const limitMs = 10_000
/** The agent keeps up to 16 MiB of each stream and hands both over at once, as base64 [QEMU: qga/commands.c, GUEST_EXEC_MAX_OUTPUT]. */
const output = { bytes: 16 * 2 ** 20, answerBytes: 48 * 2 ** 20, limitMs: 60_000 } as const
/** Pauses between two looks at a program that runs; the last one over and over. */
const looksMs = [10, 20, 50, 100, 200, 500] as const
/** How long a program may take to end that was killed. */
const killedMs = 3_000

const Started = z.object({ pid: z.int() })
// Base64, but not checked for it: a regular expression has no stack for so much.
const Encoded = z.string().max(Math.ceil(output.bytes / 3) * 4 + 4)
const Status = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  'out-data': Encoded.optional(),
  'err-data': Encoded.optional(),
  'out-truncated': z.boolean().optional(),
  'err-truncated': z.boolean().optional(),
})
type Status = z.infer<typeof Status>

/**
 * Runs a program in the guest and waits until it has ended. When that takes longer than allowed, or `signal` says so, the program is killed (its children are not).
 * Throws `GUEST_FAILED` when it can't be started, `CANCELLED`.
 */
export async function runInGuest(line: AgentLine, command: GuestCommand, signal: AbortSignal): Promise<GuestCommandResult> {
  throwIfCancelled(signal)
  const { pid } = understood(Started, await line.ask('guest-exec', {
    path: command.program, arg: command.arguments, 'capture-output': true,
    ...(command.environment.length === 0 ? {} : { env: command.environment }),
    ...(command.inputBase64 === '' ? {} : { 'input-data': command.inputBase64 }),
  }, { limitMs }))
  const ended = await untilEnded(line, pid, AbortSignal.any([signal, AbortSignal.timeout(command.timeoutMs)]))
  if (ended !== null) return result(ended, command.outputLimitBytes, false)
  await kill(line, pid)
  throwIfCancelled(signal)
  const killed = await untilEnded(line, pid, AbortSignal.timeout(killedMs))
  return result(killed ?? { exited: false }, command.outputLimitBytes, true)
}

/** A program of the guest itself, from whose first word it is known what it does. @returns whether it ended well, and what it said */
export async function runTool(line: AgentLine, program: string, words: readonly string[], timeoutMs: number): Promise<{ isWell: boolean; said: string }> {
  const done = await runInGuest(line, { program, arguments: [...words], environment: [], inputBase64: '', timeoutMs, outputLimitBytes: 4096 }, new AbortController().signal)
  return { isWell: done.exitCode === 0, said: Buffer.from(done.stderrBase64 === '' ? done.stdoutBase64 : done.stderrBase64, 'base64').toString('utf8') }
}

/** @returns null when `signal` came first */
async function untilEnded(line: AgentLine, pid: number, signal: AbortSignal): Promise<Status | null> {
  for (let look = 0; !signal.aborted; look += 1) {
    const status = understood(Status, await line.ask('guest-exec-status', { pid }, output))
    if (status.exited) return status
    await delay(looksMs[Math.min(look, looksMs.length - 1)], undefined, { signal }).catch(() => undefined)
  }
  return null
}

async function kill(line: AgentLine, pid: number): Promise<void> {
  const [path, arg] = (await isWindows(line)) ? ['taskkill', ['/F', '/T', '/PID', String(pid)]] : ['kill', ['-KILL', String(pid)]]
  try {
    await line.ask('guest-exec', { path, arg }, { limitMs })
  } catch (error) {
    // A guest without such a program: it goes on there, and nobody waits for it.
    if (!isRingsideError(error, 'GUEST_FAILED')) throw error
  }
}

function result(status: Status, limit: number, timedOut: boolean): GuestCommandResult {
  const out = Buffer.from(status['out-data'] ?? '', 'base64')
  const err = Buffer.from(status['err-data'] ?? '', 'base64')
  return {
    exitCode: timedOut ? null : (status.exitcode ?? null),
    signal: status.signal ?? null,
    timedOut,
    stdoutBase64: out.subarray(0, limit).toString('base64'),
    stderrBase64: err.subarray(0, limit).toString('base64'),
    stdoutTruncated: out.length > limit || status['out-truncated'] === true,
    stderrTruncated: err.length > limit || status['err-truncated'] === true,
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new RingsideError('CANCELLED', 'Cancelled: the program in the guest was killed.')
}
