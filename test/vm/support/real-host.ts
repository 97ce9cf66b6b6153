import { randomUUID } from 'node:crypto'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { reviveError } from '@shared/errors'
import { MachineDefinition, machineSchemaVersion, Settings, type MachineView } from '@shared/model'
import { createProbe } from '@core/engine/qemu'
import { FolderLibrary, dataPaths, type MachineFiles } from '@core/library'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { z } from 'zod'
import type { BuiltPrograms } from './build-worker'
import { type ConsoleKind, openConsoleAt } from './console-server'
import { assembleCounterDisk } from './counter-guest'
import { hostCalls, type HostCalls } from './host-calls'
import type { HostRequest } from './host-process'
import type { Step } from './step-hooks'
import type { TemporaryLibrary } from './temporary-folder'

interface Waiter {
  resolve: (result: unknown) => void
  reject: (error: Error) => void
  onHeld: ((step: Step) => void) | undefined
}

/** A host in a process of its own, which a test can kill. */
export class HostProcess implements AsyncDisposable {
  /** Everything that its services can do. */
  readonly calls: HostCalls = hostCalls((service, name, args) => this.#ask({ method: 'call', service, name, args }))
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Map<number, Waiter>()
  readonly #machines = new Map<string, MachineView>()
  readonly #listeners = new Set<() => void>()
  #nextId = 1
  #port = 0
  /** A call stands still at one of its steps. */
  #holds = false
  stderr = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit')
    child.stderr?.on('data', (bytes: Buffer) => (this.stderr += bytes.toString()))
    child.on('message', (message: { id?: number; result?: unknown; error?: unknown; held?: Step; changed?: MachineView }) => {
      if (message.changed !== undefined) {
        this.#machines.set(message.changed.id, message.changed)
        for (const listener of [...this.#listeners]) listener()
      }
      const waiter = this.#waiting.get(message.id ?? 0)
      if (message.id === undefined || waiter === undefined) return
      if (message.held !== undefined) {
        waiter.onHeld?.(message.held)
        return
      }
      this.#waiting.delete(message.id)
      if (message.error === undefined) waiter.resolve(message.result)
      else waiter.reject(reviveError(message.error))
    })
    void this.#exited.then(() => {
      for (const waiter of this.#waiting.values()) waiter.reject(new Error(`The host process ended. ${this.stderr}`))
    })
  }

  static async start(programs: BuiltPrograms, library: TemporaryLibrary): Promise<HostProcess> {
    const child = fork(programs.host, [programs.worker], {
      env: { ...process.env, ...library.environment },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    const host = new HostProcess(child)
    const ready = once(child, 'message') as Promise<[{ port: number }]>
    const [{ port }] = await Promise.race([
      ready,
      host.#exited.then(() => {
        throw new Error(`The host process did not start. ${host.stderr}`)
      }),
    ])
    host.#port = port
    return host
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async list(): Promise<MachineView[]> {
    return this.calls.machines.list()
  }

  async get(id: string): Promise<MachineView> {
    const found = (await this.list()).find((machine) => machine.id === id)
    if (found === undefined) throw new Error(`The host has no machine ${id}.`)
    return found
  }

  do(method: 'start' | 'pause' | 'resume' | 'shutDown' | 'powerOff' | 'save' | 'reset', machine: string): Promise<MachineView> {
    return this.calls.machines[method](machine)
  }

  startDisposable(machine: string): Promise<MachineView> {
    return this.calls.machines.start(machine, { disposable: true })
  }

  /** Resolves with the machine as soon as it is as wanted. */
  async until(id: string, wanted: (machine: MachineView) => boolean, timeoutMs = 30_000): Promise<MachineView> {
    const current = await this.get(id)
    if (wanted(current)) return current
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#listeners.delete(look)
      }
      const look = (): void => {
        const machine = this.#machines.get(id)
        if (machine === undefined || !wanted(machine)) return
        finish()
        resolve(machine)
      }
      const timer = setTimeout(() => {
        finish()
        reject(
          new Error(
            `The machine did not become as wanted within ${String(timeoutMs)} ms; it is ${JSON.stringify({ ...this.#machines.get(id), definition: undefined })}`,
          ),
        )
      }, timeoutMs)
      this.#listeners.add(look)
      look()
    })
  }

  openConsole(id: string, kind: ConsoleKind): Promise<Duplex> {
    return openConsoleAt(this.#port, id, kind)
  }

  /**
   * Calls the host and has it stop at that step of the call, where it stays until it is killed. Resolves when it has come to it.
   * @throws when the call ends before, or comes to another step instead
   */
  async holdAt(step: Step, call: (calls: HostCalls) => Promise<unknown>): Promise<void> {
    this.#holds = true
    await new Promise<void>((resolve, reject) => {
      const onHeld = ({ name }: Step): void => {
        if (name === step.name) resolve()
        else reject(new Error(`Step ${String(step.index)} was ${name} this time, and ${step.name} before.`))
      }
      const calls = hostCalls((service, name, args) => this.#ask({ method: 'call', service, name, args, holdAt: step.index }, onHeld))
      call(calls).then(() => {
        reject(new Error(`The call ended before it came to step ${String(step.index)}, ${step.name}.`))
      }, reject)
    })
  }

  /** As a power cut of this one process. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  async close(running: 'keepRunning' | 'save' | 'shutDown'): Promise<void> {
    await this.#ask({ method: 'close', running })
    this.#child.disconnect()
    await this.#exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    // What it holds would never end.
    if (this.#holds) return this.kill()
    for (const machine of await this.list().catch(() => [])) {
      if (machine.run !== null) await this.do('powerOff', machine.id).catch(() => undefined)
    }
    await this.close('keepRunning').catch(() => this.kill())
  }

  #ask(request: HostRequest, onHeld?: (step: Step) => void): Promise<unknown> {
    const id = this.#nextId
    this.#nextId += 1
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onHeld })
      this.#child.send({ id, ...request })
    })
  }
}

/** Puts counting machines into a library that no host has open. */
export function addCounters(library: TemporaryLibrary, names: readonly string[]): Promise<string[]> {
  return addMachines(library, names.map((name) => ({ name, disk: assembleCounterDisk() })))
}

export interface NewMachine {
  name: string
  /** Content of its first disk, which is raw. Absent: `prepare` makes the disks that `definition` names. */
  disk?: Uint8Array
  definition?: Partial<z.input<typeof MachineDefinition>>
  /** Fills the rest of its folder. */
  prepare?: (paths: MachineFiles) => Promise<void>
}

/** Puts machines into a library that no host has open, and the probe's results beside it, so that hosts start at once. */
export async function addMachines(library: TemporaryLibrary, machines: readonly NewMachine[]): Promise<string[]> {
  const paths = dataPaths(library.data)
  await mkdir(library.runtime, { recursive: true, mode: 0o700 })
  using probe = createProbe({
    cacheFolder: join(paths.cache, 'probe'),
    settings: { get: () => Settings.parse({ schemaVersion: 1 }), onChange: () => () => undefined },
  })
  const { qemu } = await probe.current()
  const machineType = qemu?.machineTypes.find((type) => type.alias === 'q35')?.name ?? 'q35'
  const folder = await FolderLibrary.open({ folder: paths.library, runtimeRoot: library.runtime, trash: null })
  return Promise.all(
    machines.map(async ({ name, disk, definition: changes, prepare }) => {
      const definition = MachineDefinition.parse({
        schemaVersion: machineSchemaVersion,
        createdBy: 'test',
        id: randomUUID(),
        name,
        createdAt: new Date().toISOString(),
        osId: 'other',
        machineType,
        accelerator: 'tcg',
        firmware: { type: 'bios' },
        processors: { sockets: 1, cores: 1, threads: 1 },
        memoryMiB: 32,
        boot: { order: ['disk0'] },
        display: { model: 'vga' },
        // As with hardware assistance, which most people have.
        ioThread: 'on',
        disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.raw' }, format: 'raw', bus: 'sata' }],
        ...changes,
      })
      await folder.add(definition, async (files) => {
        if (disk !== undefined) await writeFile(join(files.disksFolder, 'disk0.raw'), disk)
        await prepare?.(files)
      })
      return definition.id
    }),
  )
}
