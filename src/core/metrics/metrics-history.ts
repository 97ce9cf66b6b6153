import type { MetricsSample } from '@shared/model'

/** How far back readings are kept, in milliseconds. */
export const historyMs = 10 * 60 * 1000

/** The readings of one machine's last ten minutes, at most one a second. */
export class MetricsHistory {
  #samples: MetricsSample[] = []

  add(sample: MetricsSample): void {
    this.#samples.push(sample)
    const oldest = sample.at - historyMs
    let gone = 0
    for (const kept of this.#samples) {
      if (kept.at >= oldest && kept.at <= sample.at) break
      gone += 1
    }
    // In portions, as every removal from the front moves all the rest.
    if (gone >= 60 || (gone > 0 && this.#samples.length < 60)) this.#samples.splice(0, gone)
  }

  samples(): MetricsSample[] {
    const last = this.#samples.at(-1)
    return last === undefined ? [] : this.#samples.filter((sample) => sample.at >= last.at - historyMs)
  }
}
