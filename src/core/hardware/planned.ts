import type { LiveChange } from '../engine/live-change'

/** What of a change can be made while the machine runs, and what can’t. */
export interface Planned {
  /** In the order in which they are made. */
  changes: LiveChange[]
  /** Why something has to wait, a sentence, by its path or that of its device. */
  waits: Map<string, string>
}
