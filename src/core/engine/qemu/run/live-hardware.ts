import { messageOf } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import type { LaunchPlan } from '../../engine'
import { type Departure, type LiveChange, withLiveChange } from '../../live-change'
import type { MetricsSampler } from '../metrics/sampler'
import { groupOf, removeGroup } from '../process/control-groups'
import type { QmpClient } from '../qmp'
import { addClipboardChannel, clipboardObstacle, wantsClipboard } from './clipboard-channel'
import type { RunEndpoints } from './endpoints'
import { timeGroup } from './first-settings'
import { departureOf, leavingBy, makeLiveChange, recoverHardware, removeParts } from './live-changes'
import type { LiveMachine } from './live-devices'
import { pluggedProcessors } from './processors'
import type { RunFiles } from './run-files'
import type { SharedFolders } from './shared-folders'

/** The machine whose hardware it is. */
interface Parts {
  plan: LaunchPlan
  files: RunFiles
  run: RunEndpoints
  pid: number
  folders: SharedFolders
  sampler: MetricsSampler
  /** The monitor that is connected now. */
  qmp: () => QmpClient
  paused: () => boolean
  /** Told when there is no channel to an agent in the guest. */
  withoutAgent: () => void
  /** Told of what is less than was asked for, a sentence each. */
  tell: (sentence: string) => void
  /** Told of what the guest let go of while nobody waited for it. */
  gone: (change: Departure) => void
}

/** What a running machine has, and how that changes while it runs. */
export class LiveHardware {
  #plan: LaunchPlan
  /** What is being taken out, as `leavingBy` names it. */
  readonly #changing = new Set<string>()
  /** The kernel's group in which its processor time is counted, where it was ever limited. */
  #timeGroup: string | null = null

  constructor(private readonly parts: Parts) {
    this.#plan = parts.plan
  }

  /** That of the start, with what the machine has now. */
  get plan(): LaunchPlan {
    return this.#plan
  }

  get definition(): MachineDefinition {
    return this.#plan.definition
  }

  get #live(): LiveMachine {
    const { qmp, paused, pid, folders, files, run, tell } = this.parts
    return { qmp: qmp(), plan: this.#plan, definition: this.definition, paused: paused(), pid, folders, share: files.runtime.share, endpoints: run.endpoints, serialLog: (port) => files.machine.serialLog(port), tell }
  }

  /** See `EngineHardware.changeHardware`. */
  async change(change: LiveChange): Promise<void> {
    const leaving = leavingBy(change)
    if (leaving !== null) this.#changing.add(leaving)
    try {
      await makeLiveChange(this.#live, change)
      this.nowHas(withLiveChange(this.definition, change))
      if (change.kind === 'limitProcessorTime') await this.#rememberTimeGroup()
      if (change.kind === 'plugSystem' && change.part === 'balloon') await this.#useBalloon()
    } finally {
      if (leaving !== null) this.#changing.delete(leaving)
    }
  }

  nowHas(definition: MachineDefinition): void {
    const { sampler, withoutAgent } = this.parts
    if (definition.processors.plugged !== this.definition.processors.plugged) sampler.forgetProcessors()
    if (!definition.balloon) sampler.forgetBalloon()
    if (!definition.guestAgent) withoutAgent()
    this.#plan = { ...this.#plan, definition }
  }

  /** Asks QEMU what the machine has of all that it may have. */
  async recover(): Promise<void> {
    this.nowHas(await recoverHardware(this.#live))
  }

  /** A device is gone. While somebody waits for that, it is theirs to note. */
  async noticeGone(id: string | undefined): Promise<void> {
    const { definition } = this
    if (this.#changing.has('processor')) return
    const plugged = await pluggedProcessors(this.parts.qmp(), definition)
    if (plugged < definition.processors.plugged) {
      const change = { kind: 'unplugProcessor', plugged } as const
      this.nowHas(withLiveChange(this.definition, change))
      this.parts.gone(change)
    }
    if (id === undefined || this.#changing.has(id)) return
    const change = departureOf(definition, id)
    if (change === null) return
    await removeParts(this.#live, change)
    this.nowHas(withLiveChange(this.definition, change))
    this.parts.gone(change)
  }

  /** What a machine does without when it can't be had. */
  async addExtras(): Promise<void> {
    await this.#rememberTimeGroup()
    const { qmp, tell } = this.parts
    const { definition, qemu } = this.#plan
    const balloon = this.#useBalloon()
    if (wantsClipboard(definition)) {
      const obstacle = clipboardObstacle(qemu)
      if (obstacle !== null) tell(obstacle)
      else await addClipboardChannel(qmp()).catch((error: unknown) => { tell(`The clipboard is not shared: ${messageOf(error)}`) })
    }
    await balloon
  }

  /** Once the process is gone. */
  async removeTimeGroup(): Promise<void> {
    if (this.#timeGroup !== null) await removeGroup(this.#timeGroup)
  }

  /** While the process is there to tell. */
  async #rememberTimeGroup(): Promise<void> {
    this.#timeGroup = (await groupOf(this.parts.pid, timeGroup(this.definition)))?.folder ?? this.#timeGroup
  }

  async #useBalloon(): Promise<void> {
    const { sampler, qmp, tell } = this.parts
    if (this.definition.balloon) await sampler.useBalloon(qmp()).catch((error: unknown) => { tell(`The guest's use of memory is not known: ${messageOf(error)}`) })
  }
}
