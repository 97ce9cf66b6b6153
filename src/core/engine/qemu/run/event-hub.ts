import type { EngineEvent } from '../../engine'

/** Hands events to listeners; those that come before the first listener wait for it. */
export class EventHub {
  readonly #listeners = new Set<(event: EngineEvent) => void>()
  #waiting: EngineEvent[] | null = []

  emit(event: EngineEvent): void {
    if (this.#waiting !== null) {
      this.#waiting.push(event)
      return
    }
    for (const listener of [...this.#listeners]) listener(event)
  }

  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener)
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const event of waiting) listener(event)
    return () => { this.#listeners.delete(listener) }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
