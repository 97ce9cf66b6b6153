import type { MachineState } from '@shared/model'

/** How a state is shown: a word, a colour of the theme and whether it is on its way to another. The shape is `StateIcon`'s. */
export interface StateLook {
  label: string
  color: string
  busy: boolean
}

export const stateLooks: Readonly<Record<MachineState, StateLook>> = {
  stopped: { label: 'Stopped', color: 'var(--state-stopped)', busy: false },
  starting: { label: 'Starting', color: 'var(--state-busy)', busy: true },
  running: { label: 'Running', color: 'var(--state-running)', busy: false },
  paused: { label: 'Paused', color: 'var(--state-paused)', busy: false },
  saving: { label: 'Saving', color: 'var(--state-busy)', busy: true },
  saved: { label: 'Saved', color: 'var(--state-saved)', busy: false },
  stopping: { label: 'Shutting down', color: 'var(--state-busy)', busy: true },
  crashed: { label: 'Crashed', color: 'var(--state-crashed)', busy: false },
}
