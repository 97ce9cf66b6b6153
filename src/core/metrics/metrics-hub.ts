import type { MetricsEvent, ThumbnailEvent } from '@shared/contract'
import type { MetricsSample } from '@shared/model'
import { MetricsHistory } from './metrics-history'

/** Listeners that are counted, so that work for them begins with the first and ends with the last. */
class Audience<T> {
  readonly #listeners = new Set<(event: T) => void>()

  constructor(private readonly onPresence: () => void) {}

  get present(): boolean {
    return this.#listeners.size > 0
  }

  tell(event: T): void {
    for (const listener of this.#listeners) listener(event)
  }

  join(listener: (event: T) => void): () => void {
    // One function may join twice, and each leaves for itself.
    const own = (event: T): void => {
      listener(event)
    }
    this.#listeners.add(own)
    if (this.#listeners.size === 1) this.onPresence()
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.onPresence()
    }
  }
}

/** What the workers read, on its way to those who watch: figures with ten minutes of history, and the last screens. */
export class MetricsHub {
  readonly #histories = new Map<string, MetricsHistory>()
  readonly #screens = new Map<string, string | null>()
  readonly #metrics: Audience<MetricsEvent>
  readonly #thumbnails: Audience<ThumbnailEvent>

  /** @param onWanted called when what is `wanted` changes */
  constructor(onWanted: () => void) {
    this.#metrics = new Audience(onWanted)
    this.#thumbnails = new Audience(onWanted)
  }

  /** What somebody looks at now. */
  get wanted(): { metrics: boolean; thumbnails: boolean } {
    return { metrics: this.#metrics.present, thumbnails: this.#thumbnails.present }
  }

  addSample(id: string, sample: MetricsSample): void {
    let history = this.#histories.get(id)
    if (history === undefined) {
      history = new MetricsHistory()
      this.#histories.set(id, history)
    }
    history.add(sample)
    this.#metrics.tell({ id, samples: [sample] })
  }

  /** @param png null: the guest's display is off */
  setScreen(id: string, png: Uint8Array | null): void {
    const pngBase64 = png === null ? null : Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString('base64')
    this.#screens.set(id, pngBase64)
    this.#thumbnails.tell({ id, pngBase64 })
  }

  /** The machine runs no more. Its figures stay until it starts again, so that one can see what led to its end. */
  ended(id: string): void {
    this.#screens.delete(id)
    this.#thumbnails.tell({ id, pngBase64: null })
  }

  /** A new run begins, or the machine is no more. */
  forget(id: string): void {
    this.#histories.delete(id)
    this.#screens.delete(id)
  }

  /** History of every machine first, then each sample. */
  watchMetrics(listener: (event: MetricsEvent) => void): () => void {
    for (const [id, history] of this.#histories) listener({ id, samples: history.samples() })
    return this.#metrics.join(listener)
  }

  /** The last screens first, then each change. */
  watchThumbnails(listener: (event: ThumbnailEvent) => void): () => void {
    for (const [id, pngBase64] of this.#screens) listener({ id, pngBase64 })
    return this.#thumbnails.join(listener)
  }
}
