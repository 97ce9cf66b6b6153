import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'

/** QEMU started by hand with a machine's own command line, the guest let run at once. */
export interface PlainQemu {
  readonly pid: number
  end(): Promise<void>
}

/**
 * @param argv the program and its arguments, as Ringside would start it
 * @param runtimeFolder made for the run, since the sockets lie there
 */
export function startPlainQemu(argv: readonly string[], runtimeFolder: string): PlainQemu {
  mkdirSync(runtimeFolder, { recursive: true, mode: 0o700 })
  const [program = '', ...rest] = argv
  const child = spawn(program, rest.filter((argument) => argument !== '-S'), { stdio: 'ignore' })
  const exited = once(child, 'exit')
  return {
    pid: child.pid ?? 0,
    async end() {
      child.kill('SIGKILL')
      await exited
      rmSync(runtimeFolder, { recursive: true, force: true })
    },
  }
}
