import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { MessagePortMain, UtilityProcess } from 'electron'
import type { WorkerLauncher } from '@core/machine/launcher'
import type { ElectronApi } from './electron-api'

/** Starts workers as utility processes: they end with the main process, and their machines go on. */
export function utilityProcessLauncher(utilityProcess: ElectronApi['utilityProcess'], workerPath: string): WorkerLauncher {
  return ({ id, name, logFile }) => {
    const child = utilityProcess.fork(workerPath, [id], { serviceName: `Ringside machine ${name}`, stdio: 'pipe' })
    keepOutput(child, logFile)
    return {
      get pid() { return child.pid },
      send: (message, transfer) => { child.postMessage(message, portsOf(transfer)) },
      onMessage: (listener) => { child.on('message', listener) },
      onExit: (listener) => { child.once('exit', (code) => { listener({ code, signal: null }) }) },
      kill: () => { child.kill() },
    }
  }
}

/** A defect's stack is all that a worker ever prints. It is comfort: a log that can't be written stops nothing. */
function keepOutput({ stdout, stderr }: UtilityProcess, logFile: string): void {
  try {
    mkdirSync(dirname(logFile), { recursive: true })
  } catch {
    return
  }
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 })
  log.on('error', () => undefined)
  for (const output of [stdout, stderr]) output?.on('data', (chunk: Uint8Array) => log.write(chunk))
}

function portsOf(transfer: unknown): MessagePortMain[] {
  if (transfer === undefined || transfer === null) return []
  return (Array.isArray(transfer) ? transfer : [transfer]) as MessagePortMain[]
}
