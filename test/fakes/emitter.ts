/** Listeners that can be counted. */
export class Emitter<T> {
  readonly listeners = new Set<(event: T) => void>()
  readonly on = (listener: (event: T) => void): (() => void) => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }
  readonly emit = (event: T): void => {
    for (const listener of this.listeners) listener(event)
  }
}
