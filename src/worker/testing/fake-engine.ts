import { writeFile } from 'node:fs/promises'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Duplex, duplexPair } from 'node:stream'
import { RingsideError } from '@shared/errors'
import { type BackupTaken, type DiskCopy, type Engine, type EngineEvent, type EngineGuest, type LaunchPlan, nvramLayer, type PullRequest, type RunningMachine, type SnapshotOrder, type SnapshotTaken, type TrackedDisk } from '@core/engine/engine'
import { type LiveChange, withLiveChange } from '@core/engine/live-change'
import { imagePath, runtimePaths } from '@core/library/paths'
import type { MachineDefinition, MemoryMethod, MetricsSample } from '@shared/model'

/** What a fake guest's processes have in common over all workers: a real process each, so that what looks at processes can. */
export class FakeEngine implements Engine {
  readonly machines = new Map<string, FakeMachine>()
  /** Thrown by the next start. */
  failStart: Error | null = null
  /** Thrown by the next start once everything is loaded. */
  failAfterLoad: Error | null = null
  /** Called when the guest of the next start begins to run. */
  whenItRuns: () => Promise<void> = () => Promise.resolve()
  /** Thrown by every adoption. */
  failAdopt: Error | null = null
  /** Held back until resolved. */
  startGate: Promise<void> = Promise.resolve()
  saveGate: Promise<void> = Promise.resolve()
  snapshotGate: Promise<void> = Promise.resolve()
  pullGate: Promise<void> = Promise.resolve()
  /** How memory goes into snapshots. */
  snapshotMemory: { method: MemoryMethod; reason: string | null } = { method: 'live', reason: null }
  freezeObstacle: string | null = null
  /** Thrown by the next snapshot, before or after the guest writes to the new layers. */
  failSnapshot: { when: 'before' | 'after'; error: Error } | null = null
  starts = 0
  adoptions = 0

  async start(plan: LaunchPlan, beforeGuestRuns?: () => Promise<void>): Promise<RunningMachine> {
    this.starts += 1
    await this.startGate
    if (this.failStart !== null) throw this.failStart
    await beforeGuestRuns?.()
    if (this.failAfterLoad !== null) throw this.failAfterLoad
    await this.whenItRuns()
    const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
    await once(child, 'spawn')
    await writeFile(runtimePaths(plan.runtimeFolder).pid, String(child.pid))
    const machine = new FakeMachine(this, plan, child)
    this.machines.set(plan.definition.id, machine)
    return machine
  }

  adopt(plan: LaunchPlan): Promise<RunningMachine> {
    this.adoptions += 1
    if (this.failAdopt !== null) return Promise.reject(this.failAdopt)
    const machine = this.machines.get(plan.definition.id)
    if (machine === undefined) return Promise.reject(new RingsideError('NOT_FOUND', 'No such process.'))
    machine.listeners.clear()
    return Promise.resolve(machine)
  }

  killAll(): void {
    for (const machine of this.machines.values()) machine.child.kill('SIGKILL')
  }
}

export class FakeMachine implements RunningMachine {
  readonly listeners = new Set<(event: EngineEvent) => void>()
  readonly notes = ['no clipboard here']
  readonly calls: string[] = []
  /** The guest's end of the serial port that was opened last. */
  serial: Duplex | null = null
  /** Serial ports that were opened, in turn. */
  readonly opened: number[] = []
  graphics: Duplex | null = null
  screen: Uint8Array | null = Buffer.from('screen 1')
  samples = 0
  paused = false
  /** What its agent does; without one, nothing answers. */
  guest: EngineGuest = { info: noAgent, run: noAgent, setPassword: noAgent, copyIn: noAgent, copyOut: noAgent }
  /** The layers that the guest writes to, by disk. */
  readonly layers: Record<string, string>
  readonly orders: SnapshotOrder[] = []
  readonly pulls: PullRequest[] = []

  #definition: MachineDefinition

  constructor(
    private readonly engine: FakeEngine,
    readonly plan: LaunchPlan,
    readonly child: ChildProcess,
  ) {
    this.#definition = plan.definition
    this.layers = writtenLayers(plan.definition, plan.machineFolder)
  }

  /** Thrown by the next change. */
  failChange: Error | null = null

  get definition(): MachineDefinition {
    return this.#definition
  }

  changeHardware(change: LiveChange): Promise<void> {
    this.calls.push(`changeHardware ${change.kind}`)
    if (this.failChange !== null) return Promise.reject(this.failChange)
    this.#definition = withLiveChange(this.#definition, change)
    return Promise.resolve()
  }

  get qemuPid(): number {
    return this.child.pid ?? 0
  }

  emit(event: EngineEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  /** The process ends by itself. @param clean as the guest's own shutdown */
  async end(clean: boolean): Promise<void> {
    this.child.kill('SIGKILL')
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
    this.engine.machines.delete(this.plan.definition.id)
    const failure = clean ? null : { command: 'qemu', argv: [], exitCode: null, signal: 'SIGKILL', stderrTail: 'last words' }
    this.emit({ type: 'ended', clean, reason: clean ? 'The guest shut down.' : 'QEMU was killed (SIGKILL).', failure })
  }

  pause(): Promise<void> {
    this.calls.push('pause')
    this.paused = true
    this.emit({ type: 'paused', why: 'asked' })
    return Promise.resolve()
  }

  resume(): Promise<void> {
    this.calls.push('resume')
    this.paused = false
    this.emit({ type: 'resumed' })
    return Promise.resolve()
  }

  pressPowerButton(): Promise<void> {
    this.calls.push('pressPowerButton')
    return Promise.resolve()
  }

  reset(): Promise<void> {
    this.calls.push('reset')
    this.emit({ type: 'reset' })
    return Promise.resolve()
  }

  async powerOff(): Promise<void> {
    this.calls.push('powerOff')
    await this.end(true)
  }

  async save(
    ramFile: string, onProgress: (fraction: number | null) => void, signal: AbortSignal, keep?: (saved: { ramFormat: 'stream' | 'mapped-ram' }) => Promise<void>,
  ): Promise<{ ramFormat: 'stream' | 'mapped-ram' }> {
    this.calls.push('save')
    onProgress(0.5)
    await stoppable(this.engine.saveGate, signal, 'The save was cancelled.')
    await writeFile(ramFile, 'memory', { flag: 'wx' })
    await keep?.({ ramFormat: 'mapped-ram' })
    await this.end(true)
    return { ramFormat: 'mapped-ram' }
  }

  snapshotMemory(): Promise<{ method: MemoryMethod; reason: string | null }> {
    return Promise.resolve(this.engine.snapshotMemory)
  }

  freezeObstacle(): Promise<string | null> {
    return Promise.resolve(this.engine.freezeObstacle)
  }

  topLayers(): Promise<Record<string, string>> {
    return Promise.resolve({ ...this.layers })
  }

  async takeSnapshot(order: SnapshotOrder, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<SnapshotTaken> {
    this.calls.push('takeSnapshot')
    this.orders.push(order)
    const fail = this.engine.failSnapshot
    if (fail?.when === 'before') throw fail.error
    Object.assign(this.layers, order.overlays)
    onProgress(0.5)
    await stoppable(this.engine.snapshotGate, signal, 'The snapshot was cancelled.')
    if (fail?.when === 'after') throw fail.error
    const method = order.ramFile === null ? 'none' : this.engine.snapshotMemory.method
    if (method !== 'none' && order.ramFile !== null) await writeFile(order.ramFile, 'memory', { flag: 'wx' })
    return { method, pauseMs: this.paused ? null : 4, memory: method !== 'none' ? { format: 'stream', compression: 'none' } : null, quiesced: order.freezeMs !== null, notes: [] }
  }

  async pullLayer(request: PullRequest, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    this.calls.push('pullLayer')
    this.pulls.push(request)
    onProgress(0.5)
    await stoppable(this.engine.pullGate, signal, 'The merge was cancelled.')
  }

  resizeDisk(disk: string, bytes: number): Promise<void> {
    this.calls.push(`resizeDisk ${disk} ${String(bytes)}`)
    return Promise.resolve()
  }

  trackedDisks(): Promise<Record<string, TrackedDisk>> {
    this.calls.push('trackedDisks')
    return Promise.resolve({})
  }

  takeBackup(): Promise<BackupTaken> {
    this.calls.push('takeBackup')
    return Promise.resolve({ takenAt: '2026-01-01T00:00:00.000Z', pauseMs: 1, quiesced: false, notes: [] })
  }

  keepMarks(marks: readonly string[]): Promise<void> {
    this.calls.push(`keepMarks ${marks.join(' ')}`)
    return Promise.resolve()
  }

  diskFiles(): Promise<Record<string, string>> {
    return Promise.resolve(Object.fromEntries(this.#definition.disks.map(({ id, image }) => [id, imagePath(this.plan.machineFolder, image)])))
  }

  async copyDisk({ disk, path }: DiskCopy, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    this.calls.push(`copyDisk ${disk} ${path}`)
    onProgress(0.5)
    await stoppable(this.engine.pullGate, signal, 'The move was cancelled.')
  }

  switchDisk(keep: 'source' | 'target'): Promise<void> {
    this.calls.push(`switchDisk ${keep}`)
    return Promise.resolve()
  }

  settleMove(): Promise<void> {
    this.calls.push('settleMove')
    return Promise.resolve()
  }

  openGraphics(): Promise<Duplex> {
    const [guest, viewer] = duplexPair()
    this.graphics = guest
    return Promise.resolve(viewer)
  }

  openSerial(port: number): Promise<Duplex> {
    const [guest, viewer] = duplexPair()
    this.opened.push(port)
    this.serial = guest
    return Promise.resolve(viewer)
  }

  screenshot(): Promise<Uint8Array | null> {
    return Promise.resolve(this.screen)
  }

  sample(): Promise<MetricsSample> {
    this.samples += 1
    return Promise.resolve({
      at: Date.now(), cpuFraction: 0.5, hostCpuCores: 0.5, guestMemoryUsedBytes: null, guestMemoryBytes: null, hostMemoryBytes: 1, diskReadBytesPerSecond: 0,
      diskWriteBytesPerSecond: 0, networkReceiveBytesPerSecond: null, networkTransmitBytesPerSecond: null,
    })
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  release(): Promise<void> {
    this.listeners.clear()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

function noAgent(): Promise<never> {
  return Promise.reject(new RingsideError('CAPABILITY_MISSING', 'No guest agent answers in the guest (asked for 5 s).'))
}

async function stoppable(gate: Promise<void>, signal: AbortSignal, words: string): Promise<void> {
  await Promise.race([gate, new Promise((resolve) => { signal.addEventListener('abort', resolve) })])
  if (signal.aborted) throw new RingsideError('CANCELLED', words)
}

function writtenLayers({ disks, firmware }: MachineDefinition, folder: string): Record<string, string> {
  const written = disks.filter((disk) => disk.format === 'qcow2' && !disk.readOnly).map((disk) => [disk.id, imagePath(folder, disk.image)] as const)
  return Object.fromEntries([...written, ...(firmware.type === 'uefi' ? [[nvramLayer, imagePath(folder, { kind: 'own', path: firmware.nvram })] as const] : [])])
}
