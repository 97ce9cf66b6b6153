import { dirname } from 'node:path'
import { rename } from 'node:fs/promises'
import { messageOf, RingsideError, serialiseError } from '@shared/errors'
import { consolePortCount } from '@shared/model'
import type { ConsoleChannel } from '@shared/contract'
import { syncFolder, writeAtomically } from '@core/config/atomic-write'
import type { Engine, EngineEvent, LaunchPlan, RunningMachine, SavedRun } from '@core/engine/engine'
import { machinePaths } from '@core/library/paths'
import {
  type CommandInput, type CommandOutput, type ConsoleTransport, type Held, HostMessage, type WorkerCommand, workerCommands,
} from '@core/machine/worker-protocol'
import { type ByteChannel, closeCode } from './byte-channel'
import { pumpConsole } from './console-pump'
import type { HostChannel } from './host-channel'
import { acceptMessagePort } from './message-port-channel'
import { SerialHub } from './serial-hub'
import { Watching } from './watching'
import { acceptWebSocket } from './web-socket-channel'

/** How long what is under way may take to undo itself after the host has died, in milliseconds. */
const undoLimitMs = 5000
/** The same for a host that lets go; it waits a little longer only. */
const releaseLimitMs = 1500

/** Work that takes its time and can be stopped; stopped, it leaves the guest as it found it. */
interface Work {
  abort: AbortController
  done: Promise<unknown>
  /** It undoes itself in the guest only, which is of no use when the plug is pulled. */
  inGuest: boolean
}

/** Looks after one machine: commands in, events, readings and consoles out. */
export class MachineWorker {
  readonly #watching: Watching
  /** By the number of the command. */
  readonly #works = new Map<number, Work>()
  #machine: RunningMachine | null = null
  /** Settles when the launch or adoption under way has. */
  #taking: Promise<unknown> = Promise.resolve()
  #serial: SerialHub[] = []
  #serialLog: (port: number) => string = () => ''

  /** @param exit ends this process */
  constructor(
    private readonly host: HostChannel,
    private readonly engine: Engine,
    private readonly exit: () => void,
  ) {
    this.#watching = new Watching({
      sample: (sample) => {
        host.send({ type: 'sample', sample })
      },
      thumbnail: (png) => {
        host.send({ type: 'thumbnail', png })
      },
    })
    host.onMessage((message, transfer) => {
      this.#received(message, transfer)
    })
    host.onClose(() => {
      void this.#hostDied()
    })
  }

  #received(raw: unknown, transfer: unknown): void {
    const parsed = HostMessage.safeParse(raw)
    if (!parsed.success) {
      console.error('The host sent a message that is none of the protocol:', parsed.error.message)
      return
    }
    const message = parsed.data
    switch (message.type) {
      case 'command':
        void this.#answer(message.id, message.name, message.input)
        break
      case 'cancel':
        this.#works.get(message.id)?.abort.abort()
        break
      case 'watch':
        this.#watching.want(message)
        break
      case 'attachConsole':
        void this.#attach(message.channel, message.transport, transfer)
        break
    }
  }

  async #answer(id: number, name: WorkerCommand, rawInput: unknown): Promise<void> {
    try {
      this.host.send({ type: 'reply', id, output: await this.#run(id, name, rawInput) })
    } catch (error) {
      if (!(error instanceof RingsideError)) console.error(`${name}:`, error)
      this.host.send({ type: 'failure', id, error: serialiseError(error) })
    }
    if (name === 'release') this.exit()
  }

  async #run(id: number, name: WorkerCommand, rawInput: unknown): Promise<CommandOutput<WorkerCommand>> {
    switch (name) {
      case 'launch':
        return this.#take(parseInput('launch', rawInput), (plan) => this.#start(plan))
      case 'adopt':
        return this.#take(parseInput('adopt', rawInput), (plan) => this.engine.adopt(plan))
      case 'pause':
        await this.#held().pause()
        return {}
      case 'resume':
        await this.#held().resume()
        return {}
      case 'pressPowerButton':
        await this.#held().pressPowerButton()
        return {}
      case 'reset':
        await this.#held().reset()
        return {}
      case 'powerOff':
        return this.#powerOff()
      case 'save':
        return this.#cancellable(id, (machine, signal, report) => this.#save(machine, parseInput('save', rawInput), signal, report))
      case 'screenshot':
        return { png: await this.#held().screenshot() }
      case 'snapshotMemory':
        return this.#held().snapshotMemory()
      case 'freezeObstacle':
        return { obstacle: await this.#held().freezeObstacle() }
      case 'topLayers':
        return { layers: await this.#held().topLayers() }
      case 'takeSnapshot':
        return this.#cancellable(id, (machine, signal, report) => machine.takeSnapshot(parseInput('takeSnapshot', rawInput), report, signal))
      case 'pullLayer':
        return this.#cancellable(id, async (machine, signal, report) => {
          await machine.pullLayer(parseInput('pullLayer', rawInput), report, signal)
          return {}
        })
      case 'trackedDisks':
        return { disks: await this.#held().trackedDisks() }
      case 'takeBackup':
        return this.#cancellable(id, (machine, signal, report) => machine.takeBackup(parseInput('takeBackup', rawInput), report, signal))
      case 'keepMarks':
        await this.#held().keepMarks(parseInput('keepMarks', rawInput).marks)
        return {}
      case 'diskFiles':
        return { files: await this.#held().diskFiles() }
      case 'copyDisk':
        return this.#cancellable(id, async (machine, signal, report) => {
          await machine.copyDisk(parseInput('copyDisk', rawInput), report, signal)
          return {}
        })
      case 'switchDisk': {
        const { keep, image } = parseInput('switchDisk', rawInput)
        await this.#held().switchDisk(keep, image)
        return {}
      }
      case 'guestInfo':
        return this.#held().guest.info()
      case 'guestRun':
        return this.#withGuest(id, ({ guest }, signal) => guest.run(parseInput('guestRun', rawInput), signal))
      case 'guestSetPassword': {
        const { user, password } = parseInput('guestSetPassword', rawInput)
        await this.#held().guest.setPassword(user, password)
        return {}
      }
      case 'guestCopyIn':
        return this.#withGuest(id, async ({ guest }, signal, report) => ({ notes: await guest.copyIn(parseInput('guestCopyIn', rawInput), report, signal) }))
      case 'guestCopyOut':
        return this.#withGuest(id, async ({ guest }, signal, report) => {
          await guest.copyOut(parseInput('guestCopyOut', rawInput), report, signal)
          return {}
        })
      case 'resizeDisk': {
        const { disk, bytes } = parseInput('resizeDisk', rawInput)
        await this.#held().resizeDisk(disk, bytes)
        return {}
      }
      case 'changeHardware':
        await this.#changeHardware(this.#held(), parseInput('changeHardware', rawInput))
        return {}
      case 'release':
        await this.#release()
        return {}
    }
  }

  #held(): RunningMachine {
    if (this.#machine === null) throw new RingsideError('ILLEGAL_STATE', 'The machine does not run any more.', { state: 'stopped' })
    return this.#machine
  }

  async #start(plan: LaunchPlan): Promise<RunningMachine> {
    if (plan.restore === null) return this.engine.start(plan)
    const { savedRecord, usedRecord, savedFolder } = machinePaths(plan.machineFolder, dirname(plan.runtimeFolder), plan.definition.id)
    try {
      return await this.engine.start(plan, async () => {
        // Before the guest writes anything: the same memory loaded again, beside disks that have changed since, would destroy them.
        await rename(savedRecord, usedRecord)
        await syncFolder(savedFolder)
      })
    } catch (error) {
      // The guest has not run, or the start would not have failed.
      await rename(usedRecord, savedRecord).catch(() => undefined)
      throw error
    }
  }

  async #take(plan: LaunchPlan, begin: (plan: LaunchPlan) => Promise<RunningMachine>): Promise<Held> {
    const beginning = begin(plan)
    this.#taking = beginning.catch(() => undefined)
    const machine = await beginning
    this.#machine = machine
    machine.onEvent((event) => {
      this.#happened(event)
    })
    const paths = machinePaths(plan.machineFolder, dirname(plan.runtimeFolder), plan.definition.id)
    this.#serialLog = (port) => paths.serialLog(port)
    this.#matchSerial(machine)
    this.#watching.setMachine(machine)
    return { qemuPid: machine.qemuPid, paused: machine.paused, notes: [...machine.notes], definition: machine.definition }
  }

  /** A hub for each port with a console that the machine has now: those over VirtIO come and go. */
  #matchSerial(machine: RunningMachine): void {
    const ports = consolePortCount(machine.definition)
    for (let port = this.#serial.length; port < ports; port += 1) this.#serial.push(new SerialHub(() => machine.openSerial(port), this.#serialLog(port)))
    for (const hub of this.#serial.splice(ports)) hub.close('The console was taken out of the machine.')
  }

  #happened(event: EngineEvent): void {
    if (event.type === 'ended') this.#letGo()
    this.host.send({ type: 'event', event })
  }

  #letGo(): void {
    this.#machine = null
    this.#watching.setMachine(null)
    for (const hub of this.#serial) hub.close()
    this.#serial = []
  }

  async #powerOff(): Promise<Record<string, never>> {
    await this.#stopWorks(({ inGuest }) => !inGuest)
    await this.#taking
    await this.#machine?.powerOff()
    return {}
  }

  /** Does something that sends `progress` and that `cancel`, a power-off and the death of the host stop. */
  async #cancellable<T>(
    id: number, begin: (machine: RunningMachine, signal: AbortSignal, report: (fraction: number | null) => void) => Promise<T>, { inGuest } = { inGuest: false },
  ): Promise<T> {
    const abort = new AbortController()
    const work = begin(this.#held(), abort.signal, (fraction) => { this.host.send({ type: 'progress', id, fraction }) })
    this.#works.set(id, { abort, done: work.catch(() => undefined), inGuest })
    try {
      return await work
    } finally {
      this.#works.delete(id)
    }
  }

  async #changeHardware(machine: RunningMachine, change: CommandInput<'changeHardware'>): Promise<void> {
    try {
      await machine.changeHardware(change)
    } finally {
      if (this.#machine === machine) this.#matchSerial(machine)
    }
  }

  #withGuest<T>(id: number, begin: (machine: RunningMachine, signal: AbortSignal, report: (fraction: number | null) => void) => Promise<T>): Promise<T> {
    return this.#cancellable(id, begin, { inGuest: true })
  }

  /** @param waitFor which to wait for */
  async #stopWorks(waitFor: (work: Work) => boolean = () => true): Promise<void> {
    const works = [...this.#works.values()]
    for (const { abort } of works) abort.abort()
    await Promise.all(works.filter(waitFor).map(({ done }) => done))
  }

  async #save(machine: RunningMachine, input: CommandInput<'save'>, signal: AbortSignal, report: (fraction: number | null) => void): Promise<SavedRun> {
    const partial = `${input.ramFile}.partial`
    let saved = input.saved
    await machine.save(partial, report, signal, async ({ ramFormat }) => {
      saved = { ...saved, ramFormat }
      await rename(partial, input.ramFile)
      // Last: memory without this record is none.
      await writeAtomically(input.recordFile, `${JSON.stringify(saved, null, 2)}\n`)
    })
    return saved
  }

  async #attach(channel: ConsoleChannel, transport: ConsoleTransport, transfer: unknown): Promise<void> {
    let viewer: ByteChannel
    try {
      viewer = transport.kind === 'messagePort' ? acceptMessagePort(transfer) : await acceptWebSocket(transfer, transport.headers, transport.head)
    } catch (error) {
      console.error('A console was not opened:', error instanceof Error ? error.message : error)
      return
    }
    // What is typed while the console opens is kept for it.
    viewer.pause()
    try {
      await this.#taking
      if (channel.type === 'graphics') pumpConsole(await this.#held().openGraphics(), viewer)
      else await this.#serialHub(channel.port).attach(viewer)
      viewer.resume()
    } catch (error) {
      viewer.close(closeCode.failed, messageOf(error))
    }
  }

  #serialHub(port: number): SerialHub {
    this.#matchSerial(this.#held())
    const hub = this.#serial[port]
    if (hub === undefined) throw new RingsideError('NOT_FOUND', `The machine has no serial port ${String(port)}.`)
    return hub
  }

  async #release(): Promise<void> {
    // What is half done in the guest is undone, as far as the guest answers.
    if (this.#machine !== null) await Promise.race([this.#stopWorks(), new Promise<void>((resolve) => setTimeout(resolve, releaseLimitMs))])
    const machine = this.#machine
    this.#letGo()
    await machine?.release()
  }

  /** The machine goes on and waits for the next host. What is half done is undone, or the guest would stay stopped or its file systems frozen. */
  async #hostDied(): Promise<void> {
    const limit = new Promise<void>((resolve) => setTimeout(resolve, undoLimitMs))
    const undo = async (): Promise<void> => {
      await this.#stopWorks()
      await this.#machine?.settleMove()
    }
    await Promise.race([undo().catch(() => undefined), limit])
    this.exit()
  }
}

function parseInput<C extends WorkerCommand>(name: C, input: unknown): CommandInput<C> {
  return workerCommands[name].input.parse(input) as CommandInput<C>
}
