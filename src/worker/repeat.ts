/**
 * Does work again and again at whole multiples of a period of the clock, so that it never drifts and every worker reads in the same moment.
 * A run that takes longer than the period skips beats instead of piling up.
 */
export class Repeat {
  #timer: NodeJS.Timeout | null = null
  #periodMs: number | null = null
  #busy = false

  constructor(private readonly work: () => Promise<void>) {}

  /** Changes the period, in milliseconds; null stops. */
  every(periodMs: number | null): void {
    if (this.#periodMs === periodMs) return
    this.#periodMs = periodMs
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (!this.#busy) this.#schedule()
  }

  #schedule(): void {
    if (this.#periodMs === null) return
    const rest = this.#periodMs - (Date.now() % this.#periodMs)
    this.#timer = setTimeout(() => {
      void this.#run()
    }, rest)
  }

  async #run(): Promise<void> {
    this.#timer = null
    this.#busy = true
    try {
      await this.work()
    } finally {
      this.#busy = false
      this.#schedule()
    }
  }
}
