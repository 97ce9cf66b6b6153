import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** A process that can't be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  pid: number
  /** When it started, in the system's own form, only fit for comparing; null where the system does not tell. */
  startedAt: string | null
}

/**
 * The living process with that number; null when there is none. A zombie counts as gone: signal 0 reaches it all the same, so that
 * alone proves nothing.
 */
export async function findProcess(pid: number): Promise<ProcessIdentity | null> {
  switch (process.platform) {
    case 'linux':
      return readProc(pid)
    case 'win32':
      return signalReaches(pid) ? { pid, startedAt: null } : null
    default:
      return signalReaches(pid) ? askPs(pid) : null
  }
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const found = await findProcess(identity.pid)
  return found !== null && found.startedAt === identity.startedAt
}

/** Ends that very process at once; nothing happens when it is gone. */
export async function killProcess(identity: ProcessIdentity): Promise<void> {
  if (!(await isAlive(identity))) return
  try {
    process.kill(identity.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** State is field 3 and start time, in ticks since boot, field 22 [proc(5)]; the name before them may hold spaces and brackets. */
async function readProc(pid: number): Promise<ProcessIdentity | null> {
  let text: string
  try {
    text = await readFile(`/proc/${String(pid)}/stat`, 'utf8')
  } catch {
    return null
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  if (state === 'Z' || state === 'X') return null
  return { pid, startedAt: fields[19] ?? null }
}

async function askPs(pid: number): Promise<ProcessIdentity | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)])
    const [state = '', ...start] = stdout.trim().split(/\s+/u)
    return state === '' || state.startsWith('Z') ? null : { pid, startedAt: start.join(' ') }
  } catch {
    return null
  }
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
