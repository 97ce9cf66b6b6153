import { isRingsideError, messageOf, RingsideError } from '@shared/errors'
import type { MemoryMethod } from '@shared/model'
import type { LaunchPlan, SnapshotOrder, SnapshotTaken } from '../../engine'
import { holdFileSystems, type HeldFileSystems, type OpenAgent } from '../agent/file-systems'
import type { QmpClient } from '../qmp'
import { readTpmState, writeTpmState } from '../tpm'
import type { GuestHold } from './guest-hold'
import { closeNodes, openOverlays, switchToOverlays, type OpenedOverlay } from './layers'
import { MemoryTransfer, type MemoryForm } from './memory-transfer'
import { chooseMemoryMeans, type MemoryMeans } from './snapshot-memory'

export interface SnapshotParts {
  qmp: QmpClient
  plan: Pick<LaunchPlan, 'definition' | 'qemu' | 'accelerator'>
  /** Socket through which memory goes where QEMU does not write the file itself. */
  socket: string
  hold: GuestHold
  paused: boolean
  /** See `MemoryQuestion`. */
  memoryObstacle?: string | null
  /** null: the machine has no channel for an agent. */
  openAgent: OpenAgent | null
  /** What blocks QEMU from writing memory. */
  clipboard: { remove(): Promise<void>; restore(): Promise<void> }
  /** Tells people of what they have to look after. */
  tell(sentence: string): void
}

/** The taking of one snapshot of a running machine; see `EngineSnapshots.takeSnapshot`. */
export class SnapshotTaking {
  readonly #notes: string[] = []
  #method: MemoryMethod = 'none'
  #overlays: OpenedOverlay[] = []
  #switched = false
  #transfer: MemoryTransfer | null = null
  #memory: MemoryForm | null = null
  #fileSystems: HeldFileSystems | null = null
  #tpmState: Uint8Array | null = null

  constructor(
    private readonly parts: SnapshotParts,
    private readonly order: SnapshotOrder,
    private readonly onProgress: (fraction: number | null) => void,
    private readonly signal: AbortSignal,
  ) {}

  async take(): Promise<SnapshotTaken> {
    this.#throwIfCancelled()
    const { method, reason } = await this.#means()
    this.#method = method
    if (reason !== null) this.#notes.push(reason)
    if (method === 'none') return this.#takeOnce()
    const { clipboard, qmp } = this.parts
    await clipboard.remove()
    try {
      return await this.#takeOnce()
    } finally {
      if (!qmp.isClosed) await clipboard.restore()
    }
  }

  async #takeOnce(): Promise<SnapshotTaken> {
    const { hold } = this.parts
    try {
      await this.#prepare()
      await hold.begin(this.order.freezeMs !== null)
      const quiesced = await this.#freeze()
      this.#throwIfCancelled()
      await hold.stop()
      await this.#keepInstant()
      await hold.resume()
      await this.#thaw()
      if (this.order.tpm !== undefined) await writeTpmState(this.order.tpm.to, this.#tpmState)
      if (this.#method === 'live') this.#memory = (await this.#transfer?.finish()) ?? null
      await hold.end()
      return { method: this.#method, pauseMs: hold.pauseMs, memory: this.#memory, quiesced, notes: this.#notes }
    } catch (error) {
      await this.#undo().catch((reason: unknown) => { this.parts.tell(`A snapshot that failed could not be undone wholly: ${messageOf(reason)}`) })
      throw error
    }
  }

  #means(): Promise<MemoryMeans> {
    if (this.order.ramFile === null) return Promise.resolve({ method: 'none', reason: null })
    const { qmp, plan, paused, memoryObstacle = null } = this.parts
    return chooseMemoryMeans(qmp, { qemu: plan.qemu, accelerator: plan.accelerator, paused, obstacle: memoryObstacle })
  }

  /** Everything that can be done, and can fail, before the guest has to stand still. */
  async #prepare(): Promise<void> {
    const { qmp, plan } = this.parts
    if (this.#method !== 'none') this.#transfer = await this.#prepareTransfer()
    this.#overlays = await openOverlays(qmp, { definition: plan.definition, features: plan.qemu.features }, this.order.overlays)
  }

  /** The guest stands still; when this has resolved it may go on, and all that the snapshot holds is what it was at this moment. */
  async #keepInstant(): Promise<void> {
    // Some kilobytes; they are written when the guest has gone on.
    if (this.order.tpm !== undefined) this.#tpmState = await readTpmState(this.order.tpm.from)
    if (this.#method === 'live') {
      await this.#switch()
      if (await this.#startInBackground()) return
    }
    if (this.#method === 'paused') this.#memory = await this.#writeStandingStill()
    await this.#switch()
  }

  /** @returns false when QEMU could not after all, and memory is to be written with the guest standing still */
  async #startInBackground(): Promise<boolean> {
    const { hold, qmp } = this.parts
    try {
      await this.#requireOrdinaryStop()
      await this.#transfer?.start()
      return true
    } catch (error) {
      // Once the guest has gone on the instant is over, and another way would not find it again.
      if (hold.hasResumed || qmp.isClosed || this.signal.aborted || isRingsideError(error, 'DISK_FULL')) throw error
      await this.#transfer?.undo()
      this.#method = 'paused'
      this.#notes.push(`The guest stood still while its memory was written: ${messageOf(error)}`)
      this.#transfer = await this.#prepareTransfer()
      return false
    }
  }

  /**
   * A guest may have been stopped by QEMU itself just before, for a disk that is full say. QEMU then ends with an abort when it is to write in the background: it knows no way from
   * `io-error` to `paused` [softmmu/runstate.c: runstate_transitions_def; migration/migration.c: bg_migration_thread].
   */
  async #requireOrdinaryStop(): Promise<void> {
    const { status } = await this.parts.qmp.execute('query-status')
    if (status !== 'paused') throw new RingsideError('ILLEGAL_STATE', `QEMU had stopped it by itself just then (${status}).`)
  }

  async #writeStandingStill(): Promise<MemoryForm | null> {
    await this.#transfer?.start()
    return (await this.#transfer?.finish()) ?? null
  }

  async #prepareTransfer(): Promise<MemoryTransfer | null> {
    const { ramFile } = this.order
    if (ramFile === null) return null
    const { qmp, plan, socket } = this.parts
    return MemoryTransfer.prepare(qmp, { file: ramFile, socket, features: plan.qemu.features, background: this.#method === 'live', onProgress: this.onProgress, signal: this.signal })
  }

  async #switch(): Promise<void> {
    if (this.#switched) return
    await switchToOverlays(this.parts.qmp, this.#overlays)
    this.#switched = true
  }

  /** @returns whether the guest's file systems are held now; when not, a note says why */
  async #freeze(): Promise<boolean> {
    const { freezeMs } = this.order
    if (freezeMs === null) return false
    const { openAgent, paused } = this.parts
    try {
      if (openAgent === null) throw new RingsideError('CAPABILITY_MISSING', 'The machine has no channel for a guest agent.')
      if (paused) throw new RingsideError('ILLEGAL_STATE', 'The guest is paused, and its agent with it.', { state: 'paused' })
      this.#fileSystems = await holdFileSystems(openAgent, freezeMs)
      return true
    } catch (error) {
      this.#notes.push(`The guest’s file systems were not held still: ${messageOf(error)}`)
      return false
    }
  }

  async #thaw(): Promise<void> {
    const held = this.#fileSystems
    this.#fileSystems = null
    await held?.thaw().catch((error: unknown) => {
      this.parts.tell(`The guest’s file systems may still be held from a snapshot: ${messageOf(error)} If the guest hangs, reset it.`)
    })
  }

  /** Whatever came of it: the guest goes on as before, nothing is half open, and the memory file is gone. */
  async #undo(): Promise<void> {
    const { qmp, hold } = this.parts
    await this.#transfer?.undo()
    // Whoever connects again finds the mark, and lets the guest go on.
    if (qmp.isClosed) return
    try {
      await hold.resume()
      await hold.end()
    } finally {
      await this.#thaw()
      // Those in use stay.
      await closeNodes(qmp, this.#overlays.map(({ node }) => node))
    }
  }

  #throwIfCancelled(): void {
    if (this.signal.aborted) throw new RingsideError('CANCELLED', 'Taking the snapshot was cancelled.')
  }
}
