import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MachineDefinition, machineSchemaVersion, type ProbeReport } from '@shared/model'
import { FolderLibrary } from '@core/library/library'
import type { Probe } from '@core/app/services'
import { MachineSupervisor, type MachineSupervisorOptions } from '@core/machine'
import { FakeEngine } from './fake-engine'
import { inProcessLauncher, type InProcessWorker } from './in-process-launcher'

export const probeReport: ProbeReport = {
  probedAt: '2026-01-01T00:00:00.000Z',
  qemu: {
    systemPath: '/usr/bin/qemu-system-x86_64', imgPath: '/usr/bin/qemu-img', version: '7.2.22', package: '', machineTypes: [], cpuModels: [], devices: [],
    builtInAccelerators: ['tcg', 'kvm'], firmware: [], features: {},
  },
  qemuProblem: null,
  accelerators: [
    { name: 'kvm', works: false, selfTestMs: null, reason: 'no-permission', message: 'You may not use /dev/kvm.', remedy: 'Join the group “kvm”.', detail: '' },
    { name: 'tcg', works: true, selfTestMs: 300, reason: 'ok', message: 'Works.', remedy: null, detail: '' },
  ],
  bestAccelerator: 'tcg',
}

export function fixedProbe(report: ProbeReport): Probe {
  return { current: () => Promise.resolve(report), refresh: () => Promise.resolve(report), onChange: () => () => undefined }
}

export function definitionOf(name: string, more: Partial<MachineDefinition> = {}): MachineDefinition {
  return MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'test', id: randomUUID(), name, createdAt: '2026-01-01T00:00:00.000Z', osId: 'other', machineType: 'pc-q35-7.2',
    firmware: { type: 'bios' }, processors: { sockets: 1, cores: 1, threads: 1 }, memoryMiB: 16, boot: {}, display: { model: 'vga' }, ...more,
  })
}

/** A host without QEMU: real library, real supervisor, real worker, a fake engine whose processes are real. */
export class HostFixture implements AsyncDisposable {
  supervisor!: MachineSupervisor
  library!: FolderLibrary
  readonly workers: InProcessWorker[]
  readonly #launcher: MachineSupervisorOptions['launcher']

  private constructor(
    readonly base: string,
    readonly engine: FakeEngine,
    private readonly options: Partial<MachineSupervisorOptions>,
  ) {
    const { launcher, workers } = inProcessLauncher(engine)
    this.#launcher = launcher
    this.workers = workers
  }

  static async make(options: Partial<MachineSupervisorOptions> = {}): Promise<HostFixture> {
    const fixture = new HostFixture(await mkdtemp(join(tmpdir(), 'ringside-machine-')), new FakeEngine(), options)
    await mkdir(fixture.runtimeRoot, { mode: 0o700 })
    await fixture.openHost()
    return fixture
  }

  get libraryFolder(): string {
    return join(this.base, 'library')
  }

  get runtimeRoot(): string {
    return join(this.base, 'run')
  }

  /** Another host on the same folders; the one before is forgotten as if it had died. */
  async openHost(): Promise<MachineSupervisor> {
    this.library = await FolderLibrary.open({ folder: this.libraryFolder, runtimeRoot: this.runtimeRoot, trash: null })
    this.supervisor = await MachineSupervisor.open({
      library: this.library, probe: fixedProbe(probeReport), launcher: this.#launcher, libraryFolder: this.libraryFolder, runtimeRoot: this.runtimeRoot,
      commandLine: (plan) => Promise.resolve(['qemu', '-accel', plan.accelerator]), ...this.options,
    })
    return this.supervisor
  }

  async addMachine(name: string, more: Partial<MachineDefinition> = {}): Promise<string> {
    const { definition } = await this.library.add(definitionOf(name, more), async ({ disksFolder }) => {
      await writeFile(join(disksFolder, 'disk0.qcow2'), 'x')
    })
    return definition.id
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor.close('keepRunning')
    this.engine.killAll()
    await rm(this.base, { recursive: true, force: true })
  }
}
