import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import { createWebSocketStream } from 'ws'
import { findHost } from '@core/library'
import { connectLocally, openLocalSocket, type ContractClient, type LocalConnection } from '@server/local-client'
import type { Job, MachineView } from '@shared/model'
import type { TemporaryLibrary } from '../vm/support/temporary-folder'

/** The built server on a library of its own, spoken to as the command line does. */
export class BenchHost implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    private readonly connection: LocalConnection,
    readonly address: string,
  ) {}

  /** @param environment added to this process's own; its `PATH` decides which QEMU is found */
  static async start(library: TemporaryLibrary, environment: NodeJS.ProcessEnv = {}): Promise<BenchHost> {
    const script = resolve(import.meta.dirname, '../../out/main/serve.js')
    const child = spawn(process.execPath, [script, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment, ...library.environment } })
    if (!child.stdout) throw new Error('The host has no standard output.')
    await once(child.stdout, 'data')
    const found = await findHost(library.data, library.runtime)
    if (!found) throw new Error('The host does not answer.')
    const host = new BenchHost(child, await connectLocally(found.address), found.address)
    await host.client.host.probe({})
    return host
  }

  get client(): ContractClient {
    return this.connection.client
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Waits until the job has ended. Throws when it did not succeed. */
  async ended(started: Promise<Job>): Promise<Job> {
    const { id } = await started
    for await (const event of await this.client.host.watch()) {
      const job = event.type === 'jobChanged' ? event.job : event.type === 'opened' ? event.jobs.find((one) => one.id === id) : undefined
      if (job?.id !== id || job.state === 'running') continue
      if (job.state !== 'succeeded') throw new Error(`“${job.title}” came to nothing: ${job.error?.message ?? job.state}`)
      return job
    }
    throw new Error('The host went away.')
  }

  /** The machine that a job makes. */
  async made(started: Promise<Job>): Promise<MachineView> {
    const { machineId } = await this.ended(started)
    if (machineId === null) throw new Error('The job made no machine.')
    return this.client.machine.get({ id: machineId })
  }

  createSample(name: string): Promise<MachineView> {
    return this.made(this.client.machine.createSample({ name }))
  }

  async openSerial(id: string): Promise<Duplex> {
    const { ticket } = await this.client.console.open({ id, channel: { type: 'serial', port: 0 } })
    return createWebSocketStream(openLocalSocket(this.address, `/console?ticket=${ticket}`))
  }

  async powerOff(id: string): Promise<void> {
    const { run } = await this.client.machine.get({ id })
    if (run !== null) await this.client.machine.powerOff({ id })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of await this.client.machine.list()) await this.powerOff(id)
    this.connection.close()
    this.child.kill('SIGTERM')
    await once(this.child, 'exit')
  }
}
