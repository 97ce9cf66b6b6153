import { AsyncLocalStorage } from 'node:async_hooks'

/** A step that work on snapshots or clones has come to. */
export interface Step {
  /** From 0, counted within one call. */
  index: number
  name: string
}

/** Tells the steps of one call from those of another that goes on at the same time. */
export class StepHooks {
  readonly #calls = new AsyncLocalStorage<(name: string) => Promise<void>>()

  /** Handed to the host. */
  readonly atStep = async (name: string): Promise<void> => {
    await this.#calls.getStore()?.(name)
  }

  /** @param onStep awaited at each step that `work` comes to */
  during<Result>(onStep: (step: Step) => Promise<void> | void, work: () => Promise<Result>): Promise<Result> {
    let index = 0
    return this.#calls.run(async (name) => {
      await onStep({ index: index++, name })
    }, work)
  }
}
