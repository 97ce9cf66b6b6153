import type { MachineView, SnapshotPlan } from '@shared/model'

/** What is told about memory before a snapshot is taken. */
export interface MemoryChoice {
  /** There is a choice, with or without. */
  readonly offered: boolean
  /** What happens with memory, a sentence or two. */
  readonly explains: string
  /** What it means to leave it out. */
  readonly without: string
  /** Why it can't be had; null when it can. */
  readonly whyNot: string | null
}

export function memoryChoice(machine: Pick<MachineView, 'state' | 'saved'>, plan: SnapshotPlan['memory'], size: string): MemoryChoice {
  const fixed = (explains: string): MemoryChoice => ({ offered: false, explains, without: '', whyNot: null })
  if (machine.state === 'saved') return fixed('The memory that was saved to disk is part of it: reverting goes on from there.')
  if (machine.state !== 'running' && machine.state !== 'paused') return fixed('The machine is off, so there is no memory to keep.')
  const because = plan.reason === null ? '' : ` ${plan.reason}`
  const choice = { offered: true, without: 'Disks only: going back to it is like switching on after a power cut.', whyNot: null }
  if (plan.method === 'none') return { ...choice, explains: '', whyNot: plan.reason ?? 'Only the disks of this machine can be kept.' }
  if (machine.state === 'paused') return { ...choice, explains: `Going back goes on at this very instant, with everything that was open. The guest is paused and stays so while its ${size} are written.${because}` }
  if (plan.method === 'live') return { ...choice, explains: `Going back goes on at this very instant, with everything that was open. The guest goes on while its memory is written; it stands still for some milliseconds.${because}` }
  return { ...choice, explains: `Going back goes on at this very instant, with everything that was open. The guest stands still while its ${size} of memory are written.${because}` }
}
