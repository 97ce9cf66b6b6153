import { createHash } from 'node:crypto'
import type { RunningMachine } from '@core/engine/engine'
import type { MetricsSample } from '@shared/model'
import { Repeat } from './repeat'
import { shrinkPng } from './thumbnail'

const watchedPeriodMs = 1000
/** Nobody looks: often enough that a graph which is opened has a history, seldom enough to cost nothing. */
const unwatchedPeriodMs = 10_000
const thumbnailPeriodMs = 4000

/** Reads a machine's figures and screen at the pace at which somebody looks at them. */
export class Watching {
  readonly #metrics: Repeat
  readonly #thumbnails: Repeat
  #machine: RunningMachine | null = null
  #wanted = { metrics: false, thumbnails: false }
  /** Of the screen that was sent last; null before the first. */
  #lastScreen: string | null = null

  constructor(private readonly send: { sample(sample: MetricsSample): void; thumbnail(png: Uint8Array | null): void }) {
    this.#metrics = new Repeat(() => this.#sample())
    this.#thumbnails = new Repeat(() => this.#look())
  }

  /** The machine to look at from now on; null: none. */
  setMachine(machine: RunningMachine | null): void {
    this.#machine = machine
    this.#lastScreen = null
    this.#apply()
  }

  want(wanted: { metrics: boolean; thumbnails: boolean }): void {
    const screenIsNew = wanted.thumbnails && !this.#wanted.thumbnails
    this.#wanted = wanted
    if (screenIsNew) this.#lastScreen = null
    this.#apply()
    if (screenIsNew) void this.#look()
  }

  #apply(): void {
    const live = this.#machine !== null
    this.#metrics.every(live ? (this.#wanted.metrics ? watchedPeriodMs : unwatchedPeriodMs) : null)
    this.#thumbnails.every(live && this.#wanted.thumbnails ? thumbnailPeriodMs : null)
  }

  async #sample(): Promise<void> {
    const machine = this.#machine
    if (machine === null) return
    try {
      const sample = await machine.sample()
      if (machine === this.#machine) this.send.sample(sample)
    } catch {
      // A reading that fails is one that is missing: the machine is ending, or busy with being saved.
    }
  }

  async #look(): Promise<void> {
    const machine = this.#machine
    if (machine === null) return
    try {
      const screen = await machine.screenshot()
      const digest = screen === null ? 'off' : createHash('sha1').update(screen).digest('base64')
      if (digest === this.#lastScreen || machine !== this.#machine) return
      const thumbnail = screen === null ? null : await shrinkPng(screen)
      if (machine !== this.#machine) return
      this.#lastScreen = digest
      this.send.thumbnail(thumbnail)
    } catch {
      // As above; the next look will show it.
    }
  }
}
