import type { MachineHardware } from '@shared/model'
import { isSame, rebase } from './hardware-edits'

interface Step {
  readonly hardware: MachineHardware
  /** What was done to come from the state before the edit to the one after it, such as “Change the memory”. */
  readonly label: string
  /** Edits of one field that follow each other are one step; null: always a step of its own. */
  readonly field: string | null
}

/** What was edited, and the way back and forth. Never longer than `most` steps. */
export interface EditHistory {
  /** Forms before each edit, oldest first. */
  readonly past: readonly Step[]
  readonly present: MachineHardware
  /** Forms after each edit that was undone, the nearest first. */
  readonly future: readonly Step[]
}

const most = 200

export function beginWith(hardware: MachineHardware): EditHistory {
  return { past: [], present: hardware, future: [] }
}

export function edited(history: EditHistory, hardware: MachineHardware, label: string, field: string | null = null): EditHistory {
  if (isSame(hardware, history.present)) return history
  const last = history.past.at(-1)
  if (last && field !== null && last.field === field && history.future.length === 0) {
    // Back to what it was before: as if nothing had been typed.
    const past = isSame(last.hardware, hardware) ? history.past.slice(0, -1) : history.past
    return { past, present: hardware, future: [] }
  }
  return { past: [...history.past, { hardware: history.present, label, field }].slice(-most), present: hardware, future: [] }
}

export function undone(history: EditHistory): EditHistory {
  const step = history.past.at(-1)
  if (!step) return history
  return { past: history.past.slice(0, -1), present: step.hardware, future: [{ ...step, hardware: history.present, field: null }, ...history.future] }
}

export function redone(history: EditHistory): EditHistory {
  const step = history.future[0]
  if (!step) return history
  return { past: [...history.past, { ...step, hardware: history.present }], present: step.hardware, future: history.future.slice(1) }
}

/** The same edits after what they were made on has become another. */
export function rebased(history: EditHistory, from: MachineHardware, onto: MachineHardware): EditHistory {
  if (isSame(from, onto)) return history
  const moved = (step: Step): Step => ({ ...step, hardware: rebase(from, step.hardware, onto) })
  return { past: history.past.map(moved), present: rebase(from, history.present, onto), future: history.future.map(moved) }
}
