import type { Duplex } from 'node:stream'
import { openHost, type Host } from '@core/app/host'
import type { HostServices } from '@core/app/services'
import { createNodeWorkerLauncher } from '@core/machine'
import type { BuiltPrograms } from './build-worker'
import { type ConsoleKind, openConsoleAt, serveConsoles } from './console-server'
import { callService, hostCalls, type HostCalls } from './host-calls'
import type { StepHooks } from './step-hooks'
import type { TemporaryLibrary } from './temporary-folder'

/** A host in this very process: as quick as can be, where the host itself need not be killed. Machines that still run are powered off at the end. */
export class OpenLibrary implements AsyncDisposable {
  readonly calls: HostCalls
  /** What nobody threw on purpose. */
  readonly defects: unknown[] = []
  #isClosed = false

  private constructor(
    private readonly host: Host,
    private readonly consoles: { port: number; close: () => void },
  ) {
    this.calls = hostCalls((service, name, args) => callService(host.services, service, name, args))
  }

  /** @param hooks told of every step of work on snapshots and clones */
  static async open(programs: BuiltPrograms, library: TemporaryLibrary, hooks?: StepHooks): Promise<OpenLibrary> {
    const before = process.env['RINGSIDE_RUNTIME']
    process.env['RINGSIDE_RUNTIME'] = library.runtime
    const opening = openHost({
      // Without a spare worker: a test has no person who waits, and one processor for everything.
      shell: 'cli',
      launcher: createNodeWorkerLauncher(programs.worker, library.environment),
      log: (error) => { opened?.defects.push(error) },
      dataFolder: library.data,
      trash: null,
      ...(hooks === undefined ? {} : { atStep: hooks.atStep }),
    })
    // It was read at once; another library may be opened before this one is open.
    if (before === undefined) delete process.env['RINGSIDE_RUNTIME']
    else process.env['RINGSIDE_RUNTIME'] = before
    const host = await opening
    const opened = new OpenLibrary(host, await serveConsoles(host.services.machines))
    return opened
  }

  get services(): HostServices {
    return this.host.services
  }

  openConsole(id: string, kind: ConsoleKind): Promise<Duplex> {
    return openConsoleAt(this.consoles.port, id, kind)
  }

  /** Lets go of machines that run: they go on. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.host.close({ running: 'keepRunning' })
    this.consoles.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    const { machines } = this.host.services
    for (const { id, run } of machines.list()) if (run !== null) await machines.powerOff(id).catch(() => undefined)
    await this.close()
  }
}
