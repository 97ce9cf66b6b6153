import { access, rm } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { messageOf, RingsideError } from '@shared/errors'
import type { Disk, MachineDefinition, MetricsSample } from '@shared/model'
import type { BackupOrder, BackupTaken, DiskCopy, EngineEvent, LaunchPlan, PullRequest, RunningMachine, SavedRun, SnapshotOrder, SnapshotTaken, TrackedDisk } from '../../engine'
import type { LiveChange } from '../../live-change'
import { connectEndpoint } from '../endpoint'
import { MetricsSampler } from '../metrics/sampler'
import type { QemuProcess } from '../process/qemu-process'
import { AgentLine } from '../agent/agent-line'
import { freezeObstacle, inTurn, thawFileSystems, type OpenAgent } from '../agent/file-systems'
import { GuestOperations } from '../agent/guest-operations'
import { connectQmp, isEvent, QmpClosedError, type QmpClient, type QmpEvent, type RunState, type ShutdownCause } from '../qmp'
import { removeClipboardChannel } from './clipboard-channel'
import { judgeEnding } from './ending'
import type { RunEndpoints } from './endpoints'
import { EventHub } from './event-hub'
import { openAgent, openGraphics, openSerial } from './consoles'
import { GuestHold, slowCommandMs } from './guest-hold'
import { ioErrorNote } from './io-error'
import { readTopLayers } from './layers'
import { LiveHardware } from './live-hardware'
import { keepMarks, readDrives, readTracked } from './marks'
import { DiskMove, diskFiles, keptByRecord, withMovedDisks } from './move-disk'
import { pullLayer } from './pull-layer'
import { resizeDisk } from './resize-disk'
import { recoverRun } from './recover-run'
import type { RunFiles } from './run-files'
import { watchTpm } from './watch-tpm'
import { watchdogNote } from './watchdog-note'
import type { SharedFolders } from './shared-folders'
import { saveState } from './save-state'
import { takeScreenshot } from './screenshot'
import { chooseMemoryMeans, type MemoryMeans } from './snapshot-memory'
import { takeBackup } from './take-backup'
import { SnapshotTaking } from './take-snapshot'
import type { TpmProcess } from '../tpm'

export interface MachineParts {
  plan: LaunchPlan
  files: RunFiles
  run: RunEndpoints
  qemu: QemuProcess
  qmp: QmpClient
  folders: SharedFolders
  /** What plays the machine's TPM; null where it has none, or none any more. */
  tpm: TpmProcess | null
  notes: string[]
  paused: boolean
}

/** How long QEMU may take to end after it was asked to, flushing its disks, before it is killed. */
const quitPatienceMs = 10_000

/** One running QEMU machine. Made by the engine; see `RunningMachine` for the contract. */
export class QemuMachine implements RunningMachine {
  readonly #parts: Omit<MachineParts, 'plan'>
  readonly #events = new EventHub()
  readonly #notes: string[]
  readonly #hardware: LiveHardware
  readonly #sampler: MetricsSampler
  readonly #ended = Promise.withResolvers<void>()
  /** For those who are to have it while there is one. */
  readonly #channel: OpenAgent
  readonly #agentLine: AgentLine
  readonly guest = new GuestOperations(() => this.#requireAgent())
  #qmp: QmpClient
  #paused: boolean
  #pauseAsked = false
  /** While its state is being kept. */
  #hold: GuestHold | null = null
  /** The disk that is being moved. */
  #move: { disk: string; copy: DiskMove } | null = null
  #asked = false
  #released = false
  #cause: ShutdownCause | null = null

  constructor(parts: MachineParts) {
    this.#parts = parts
    this.#qmp = parts.qmp
    this.#paused = parts.paused
    this.#notes = [...parts.notes]
    this.#sampler = new MetricsSampler(parts.qemu.pid)
    this.#channel = inTurn(() => openAgent(this.#qmp, parts.run.endpoints), () => { this.#agentLine.letGo() })
    this.#agentLine = new AgentLine(this.#channel)
    this.#hardware = new LiveHardware({
      ...parts, pid: parts.qemu.pid, sampler: this.#sampler, qmp: () => this.#qmp, paused: () => this.#paused, withoutAgent: () => { this.#agentLine.close() },
      tell: (sentence) => { this.addNote(sentence) }, gone: (change) => { this.#events.emit({ type: 'unplugged', change }) },
    })
    this.#listen(parts.qmp)
    parts.folders.watch((sentence) => { this.addNote(sentence) })
    void parts.qemu.exited.then(() => this.#end())
    if (parts.plan.definition.tpm !== null) void watchTpm(parts, () => this.#released, (sentence) => { this.addNote(sentence) })
  }

  get qemuPid(): number {
    return this.#parts.qemu.pid
  }

  get paused(): boolean {
    return this.#paused
  }

  get notes(): readonly string[] {
    return this.#notes
  }

  addNote(sentence: string): void {
    this.#notes.push(sentence)
    this.#events.emit({ type: 'note', message: sentence })
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    return this.#events.subscribe(listener)
  }

  /** Lets the guest go for the first time, everything that comes before it in the same breath. */
  async begin(): Promise<void> {
    const extras = this.#hardware.addExtras()
    await this.#qmp.executeWithin(slowCommandMs, 'cont')
    this.#paused = false
    // Memory can be that of a moment at which a snapshot held its file systems still.
    if (this.#plan.restore !== null && this.#openAgent !== null) void thawFileSystems(this.#openAgent).catch(() => undefined)
    await extras
  }

  /** Learns the state of a machine that was taken over, or that was out of reach for a moment. */
  async catchUp(): Promise<void> {
    const { files } = this.#parts
    const plan = this.#plan
    // What waited on the monitor that broke is ended below, by what is recorded.
    if (this.#move?.copy.isHeld === true) [this.#move, this.#hold] = [null, null]
    await recoverRun(this.#qmp, { plan, mark: files.runtime.held, openAgent: this.#openAgent, tell: (sentence) => { this.addNote(sentence) } }).catch((error: unknown) => {
      this.addNote(`What was under way when the connection to the machine broke could not be ended: ${messageOf(error)}`)
    })
    this.#hardware.nowHas({ ...plan.definition, disks: await withMovedDisks(this.#qmp, plan) })
    await this.#hardware.recover()
    await this.#hardware.addExtras()
    await this.#noticeState()
  }

  async #noticeState(): Promise<void> {
    const status = await this.#qmp.execute('query-status')
    const was = this.#paused
    this.#paused = !status.running
    if (was === this.#paused) return
    this.#events.emit(this.#paused ? { type: 'paused', why: whyPaused(status.status) } : { type: 'resumed' })
  }

  async resume(): Promise<void> {
    await this.#qmp.executeWithin(slowCommandMs, 'cont')
    this.#paused = false
  }

  async pause(): Promise<void> {
    this.#pauseAsked = true
    await this.#qmp.executeWithin(slowCommandMs, 'stop')
    this.#paused = true
  }

  async pressPowerButton(): Promise<void> {
    await this.#qmp.execute('system_powerdown')
  }

  async reset(): Promise<void> {
    await this.#qmp.execute('system_reset')
  }

  async powerOff(): Promise<void> {
    this.#asked = true
    const { qemu } = this.#parts
    await this.#qmp.quit(quitPatienceMs).catch(() => undefined)
    if (!(await qemu.exitedWithin(quitPatienceMs))) await qemu.kill()
    await this.#ended.promise
  }

  async save(
    ramFile: string, onProgress: (fraction: number | null) => void, signal: AbortSignal, keep?: (saved: { ramFormat: SavedRun['ramFormat'] }) => Promise<void>,
  ): Promise<{ ramFormat: SavedRun['ramFormat'] }> {
    const { files } = this.#parts
    if (this.#memoryObstacle !== null) throw new RingsideError('CAPABILITY_MISSING', `This machine can't be saved while it runs: ${this.#memoryObstacle}.`, { hint: 'Shut the guest down instead, or change the machine’s hardware: folders can be shared by 9p.' })
    const hold = this.#beginHold()
    try {
      await hold.begin()
      await hold.stop()
      await removeClipboardChannel(this.#qmp)
      const ramFormat = await saveState(this.#qmp, { file: ramFile, socket: files.runtime.ram, features: this.#plan.qemu.features, onProgress, signal })
      await keep?.({ ramFormat }).catch(async (error: unknown) => {
        await rm(ramFile, { force: true })
        throw error
      })
      await this.powerOff()
      return { ramFormat }
    } catch (error) {
      await this.#undoSave(hold)
      throw error
    } finally {
      this.#hold = null
    }
  }

  /** Why memory can’t be kept, half a sentence, whatever QEMU says; null: nothing of ours speaks against it. */
  get #memoryObstacle(): string | null {
    const [passed] = this.definition.pciDevices
    return passed === undefined ? this.#parts.folders.memoryObstacle : `“${passed.name || passed.address}” is a device of this computer, and what it holds is not in the memory`
  }

  snapshotMemory(): Promise<MemoryMeans> {
    const { qemu, accelerator } = this.#plan
    return chooseMemoryMeans(this.#qmp, { qemu, accelerator, paused: this.#paused, obstacle: this.#memoryObstacle })
  }

  freezeObstacle(): Promise<string | null> {
    if (this.#openAgent === null) return Promise.resolve('The machine has no channel for a guest agent.')
    if (this.#paused) return Promise.resolve('The guest is paused, and its agent with it.')
    return freezeObstacle(this.#openAgent)
  }

  async topLayers(): Promise<Record<string, string>> {
    const tops = await readTopLayers(this.#qmp, this.definition)
    return Object.fromEntries([...tops].map(([key, { file }]) => [key, file]))
  }

  async takeSnapshot(order: SnapshotOrder, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<SnapshotTaken> {
    const hold = this.#beginHold()
    const qmp = this.#qmp
    const { files } = this.#parts
    const plan = this.#plan
    const clipboard = { remove: () => removeClipboardChannel(qmp), restore: () => this.#hardware.addExtras() }
    try {
      const tell = (sentence: string): void => { this.addNote(sentence) }
      return await new SnapshotTaking({ qmp, plan, socket: files.runtime.ram, hold, paused: this.#paused, memoryObstacle: this.#memoryObstacle, openAgent: this.#openAgent, clipboard, tell }, order, onProgress, signal).take()
    } finally {
      this.#hold = null
      // Where the guest could not be let go as it should, or stopped by itself meanwhile, that is told now.
      if (!qmp.isClosed) await this.#noticeState()
    }
  }

  pullLayer(request: PullRequest, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    return pullLayer(this.#qmp, this.#plan, request, onProgress, signal)
  }

  async trackedDisks(): Promise<Record<string, TrackedDisk>> {
    return readTracked(this.#qmp, await readDrives(this.#qmp, this.definition))
  }

  async keepMarks(marks: readonly string[]): Promise<void> {
    await keepMarks(this.#qmp, await readDrives(this.#qmp, this.definition), marks)
  }

  async takeBackup(order: BackupOrder, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<BackupTaken> {
    const qmp = this.#qmp
    const drives = await readDrives(qmp, this.definition)
    const hold = this.#beginHold()
    const released = (): void => { if (this.#hold === hold) this.#hold = null }
    try {
      const tell = (sentence: string): void => { this.addNote(sentence) }
      return await takeBackup({ qmp, drives, hold, paused: this.#paused, openAgent: this.#openAgent, tell, released }, order, onProgress, signal)
    } finally {
      released()
      // Where the guest could not be let go as it should, or stopped by itself meanwhile, that is told now.
      if (!qmp.isClosed) await this.#noticeState()
    }
  }

  resizeDisk(disk: string, bytes: number): Promise<void> {
    return resizeDisk(this.#qmp, this.definition, disk, bytes)
  }

  diskFiles(): Promise<Record<string, string>> {
    return diskFiles(this.#qmp, this.definition)
  }

  async copyDisk(copy: DiskCopy, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    if (this.#move !== null) throw new RingsideError('ILLEGAL_STATE', 'A disk of the machine is being moved already.', { state: 'running' })
    const move = new DiskMove(this.#qmp, this.#plan)
    this.#move = { disk: copy.disk, copy: move }
    try {
      await move.copy(copy, () => this.#beginHold(), onProgress, signal)
    } catch (error) {
      await this.#moveEnded()
      throw error
    }
  }

  async switchDisk(keep: 'source' | 'target', { id, image, format }: Pick<Disk, 'id' | 'image' | 'format'>): Promise<void> {
    if (this.#move === null) return
    await this.#move.copy.end(keep)
    if (keep === 'target') this.#hardware.nowHas({ ...this.definition, disks: this.definition.disks.map((disk) => (disk.id === id ? { ...disk, image, format } : disk)) })
    await this.#moveEnded()
  }

  async settleMove(): Promise<void> {
    if (this.#move?.copy.isHeld !== true) return
    const keep = await keptByRecord(this.#qmp, this.#plan, this.#move.disk)
    if (keep === null) return
    await this.#move.copy.end(keep)
    await this.#moveEnded()
  }

  async #moveEnded(): Promise<void> {
    this.#move = null
    this.#hold = null
    if (!this.#qmp.isClosed) await this.#noticeState()
  }

  get definition(): MachineDefinition {
    return this.#hardware.definition
  }

  get #plan(): LaunchPlan {
    return this.#hardware.plan
  }

  async changeHardware(change: LiveChange): Promise<void> {
    if (this.#hold !== null) throw new RingsideError('ILLEGAL_STATE', 'The machine is being saved, or a snapshot of it taken.', { state: 'saving' })
    await this.#hardware.change(change)
  }

  openGraphics(): Promise<Duplex> {
    return openGraphics(this.#qmp, this.definition, this.#parts.run.endpoints)
  }

  openSerial(port: number): Promise<Duplex> {
    return openSerial(this.#qmp, this.definition, this.#parts.run.endpoints, port)
  }

  async screenshot(): Promise<Uint8Array | null> {
    if (this.definition.display.model === 'none') return null
    return takeScreenshot(this.#qmp, this.#parts.files.runtime.folder, this.#plan.qemu.features['screendumpPng'] === true)
  }

  sample(): Promise<MetricsSample> {
    return this.#sampler.sample(this.#qmp)
  }

  release(): Promise<void> {
    this.#released = true
    this.#parts.folders.release()
    this.#agentLine.close()
    this.#events.clear()
    this.#qmp.close()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** null: the machine has no channel for an agent now. */
  get #openAgent(): OpenAgent | null {
    return this.definition.guestAgent ? this.#channel : null
  }

  #requireAgent(): AgentLine {
    if (!this.definition.guestAgent) throw new RingsideError('CAPABILITY_MISSING', 'The machine has no channel for a guest agent.', { hint: 'Switch on “Guest agent” in its hardware.' })
    if (this.#paused) throw new RingsideError('ILLEGAL_STATE', 'The guest is paused, and its agent with it.', { state: 'paused', hint: 'Resume the machine.' })
    return this.#agentLine
  }

  /** Nothing but one at a time keeps the guest's state. */
  #beginHold(): GuestHold {
    if (this.#hold !== null) throw new RingsideError('ILLEGAL_STATE', 'The machine is being saved, or a snapshot of it taken.', { state: 'saving' })
    this.#hold = new GuestHold(this.#qmp, this.#paused, this.#parts.files.runtime.held)
    return this.#hold
  }

  async #undoSave(hold: GuestHold): Promise<void> {
    if (this.#qmp.isClosed || this.#asked) return
    await this.#hardware.addExtras()
    await hold.resume().then(() => hold.end(), () => undefined)
    await this.#noticeState()
  }

  #listen(qmp: QmpClient): void {
    qmp.onEvent((event) => { this.#heard(event) })
    void qmp.closed.then(() => this.#monitorClosed(qmp))
  }

  #heard(event: QmpEvent): void {
    if ((isEvent(event, 'STOP') || isEvent(event, 'RESUME')) && this.#hold?.owns(event) === true) return
    if (isEvent(event, 'STOP')) void this.#stopped()
    else if (isEvent(event, 'RESUME')) this.#resumed()
    else if (isEvent(event, 'RESET')) this.#events.emit({ type: 'reset' })
    else if (isEvent(event, 'SHUTDOWN')) this.#shuttingDown(event.data.reason, event.data.guest)
    else if (isEvent(event, 'DEVICE_DELETED')) void this.#hardware.noticeGone(event.data.device).catch(() => undefined)
    else if (isEvent(event, 'GUEST_PANICKED')) this.#events.emit({ type: 'note', message: 'The guest’s operating system crashed.' })
    else if (isEvent(event, 'WATCHDOG')) {
      const message = watchdogNote(event.data.action)
      if (message !== null) this.#events.emit({ type: 'note', message })
    } else if (isEvent(event, 'BLOCK_IO_ERROR') && event.data.action === 'stop') {
      this.#events.emit({ type: 'note', message: ioErrorNote(this.definition, event.data) })
    }
  }

  async #stopped(): Promise<void> {
    const asked = this.#pauseAsked
    this.#pauseAsked = false
    this.#paused = true
    const status = asked ? 'paused' : await this.#qmp.execute('query-status').then((info) => info.status, () => 'paused' as const)
    // Before its end and before a migration QEMU stops the guest too; the end is told as such.
    if (status === 'shutdown' || status === 'finish-migrate' || status === 'postmigrate' || status === 'running') return
    this.#events.emit({ type: 'paused', why: whyPaused(status) })
  }

  #resumed(): void {
    this.#paused = false
    this.#events.emit({ type: 'resumed' })
  }

  #shuttingDown(cause: ShutdownCause, guest: boolean): void {
    this.#cause = cause
    this.#events.emit({ type: 'shuttingDown', by: guest ? 'guest' : 'host' })
  }

  /** As a rule the process is gone now. When it lives, the connection broke, and is made again. */
  async #monitorClosed(old: QmpClient): Promise<void> {
    const { qemu, run } = this.#parts
    if (this.#released || old !== this.#qmp) return
    qemu.watchForExit()
    if (await qemu.exitedWithin(1_000)) return
    const gone = new AbortController()
    void qemu.exited.then(() => { gone.abort(new QmpClosedError(null)) })
    try {
      const qmp = await connectQmp(() => connectEndpoint(run.endpoints.qmp), { patienceMs: 30_000, signal: gone.signal })
      if (this.#released) { qmp.close(); return }
      this.#qmp = qmp
      this.#listen(qmp)
      await this.catchUp()
    } catch (error) {
      if (qemu.exit === null) this.addNote(`The connection to QEMU broke and can't be made again: ${messageOf(error)} Powering the machine off ends it.`)
    }
  }

  async #end(): Promise<void> {
    const { qemu, files, folders, tpm } = this.#parts
    this.#qmp.close()
    // Once the machine is told to be off, nothing writes to its files any more.
    await Promise.all([folders.end(), tpm?.end()])
    await this.#hardware.removeTimeGroup()
    const failure = await qemu.failure()
    const pidFileLeft = await access(files.runtime.pid).then(() => true, () => false)
    const { clean, reason } = judgeEnding({ cause: this.#cause, asked: this.#asked, pidFileLeft, failure })
    this.#ended.resolve()
    this.#events.emit({ type: 'ended', clean, reason, failure: clean ? null : failure })
  }
}

function whyPaused(status: RunState): 'asked' | 'io-error' | 'watchdog' | 'other' {
  if (status === 'paused') return 'asked'
  return status === 'io-error' || status === 'watchdog' ? status : 'other'
}
