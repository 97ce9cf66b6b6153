import { fork } from 'node:child_process'
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { WorkerHandle, WorkerLauncher } from './launcher'

/**
 * Workers as child processes of plain Node.
 * @param script path of the built worker (`out/main/machine-worker.js`)
 * @param environment added to the host's own
 */
export function createNodeWorkerLauncher(script: string, environment: NodeJS.ProcessEnv = {}): WorkerLauncher {
  return ({ id, logFile }): WorkerHandle => {
    const log = openLog(logFile)
    const child = fork(script, [id], {
      serialization: 'advanced',
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...environment },
      // A debugger's port and the like are the host's own business. Small heaps: a worker holds little and there is one per machine.
      execArgv: ['--max-semi-space-size=1', '--max-old-space-size=256'],
    })
    if (typeof log === 'number') closeSync(log)
    let gone = false
    const exitListeners: ((exit: { code: number | null; signal: string | null }) => void)[] = []
    const exited = (code: number | null, signal: string | null): void => {
      if (gone) return
      gone = true
      for (const listener of exitListeners) listener({ code, signal })
    }
    child.once('exit', exited)
    // Also when it could not be spawned at all, and when a message could not be sent because it has just died.
    child.on('error', () => {
      if (child.pid === undefined) exited(null, null)
    })
    return {
      pid: child.pid,
      send(message, transfer) {
        if (!child.connected) return
        stopReading(transfer)
        child.send(message as object, transfer as Socket | undefined, (error) => {
          if (error !== null && transfer !== undefined) (transfer as Socket).destroy()
        })
      },
      onMessage(listener) {
        child.on('message', listener)
      },
      onExit(listener) {
        exitListeners.push(listener)
      },
      kill() {
        child.kill('SIGKILL')
      },
    }
  }
}

/** A longer log is put aside before a worker starts, bytes. A defect's stack is all that is ever in it. */
const rotateBytes = 1024 * 1024

function openLog(path: string): number | 'ignore' {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined && found.size > rotateBytes) renameSync(path, `${path}.1`)
    return openSync(path, 'a', 0o600)
  } catch {
    return 'ignore'
  }
}

/**
 * Takes a socket that is about to be handed over off this process's event loop. Node leaves it there until the child has the socket, and
 * what is read here meanwhile is lost to both: a viewer's first words, now and then.
 */
function stopReading(transfer: unknown): void {
  const socket = transfer as { _handle?: { readStop?(): number } | null } | undefined
  socket?._handle?.readStop?.()
}
