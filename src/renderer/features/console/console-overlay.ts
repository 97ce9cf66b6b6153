import type { MachineView } from '@shared/model'
import { taskWords } from '../../ui/machine-words'
import type { LinkState } from './console-link'

/** What lies over the screen instead of, or above, the picture. */
export interface ConsoleOverlay {
  kind: 'off' | 'template' | 'busy' | 'saved' | 'crashed' | 'starting' | 'stopping' | 'saving' | 'paused' | 'connecting' | 'lost' | 'noDisplay'
  title: string
  text: string
  /** The picture below stays visible, dimmed. */
  seeThrough: boolean
  action: 'start' | 'resume' | 'retry' | 'serial' | 'clone' | null
  busy: boolean
}

type Facts = Pick<MachineView, 'state' | 'crash' | 'task'> & { displayModel: string; template: boolean }

/** What is told over the graphical console in this situation; null when the picture speaks for itself. Pure. */
export function screenOverlay(facts: Facts, link: LinkState): ConsoleOverlay | null {
  const still = { seeThrough: false, action: null, busy: false } as const
  const off = facts.state === 'stopped' || facts.state === 'saved' || facts.state === 'crashed'
  if (off && facts.task !== null) return { ...still, kind: 'busy', title: taskWords[facts.task], text: 'The machine can be started again when that has ended.', busy: true }
  if (off && facts.template) return { ...still, kind: 'template', title: 'This is a template', text: 'It is frozen, so that clones can stand on it, and not started itself. A clone of it has a screen.', action: 'clone' }
  switch (facts.state) {
    case 'stopped':
      return { ...still, kind: 'off', title: 'The machine is off', text: 'Start it to see its screen here.', action: 'start' }
    case 'saved':
      return { ...still, kind: 'saved', title: 'The machine is saved to disk', text: 'Start it to go on where it was.', action: 'start' }
    case 'crashed':
      return { ...still, kind: 'crashed', title: 'The machine crashed', text: facts.crash?.reason ?? 'Its log may say why.', action: 'start' }
    case 'saving':
      return { ...still, kind: 'saving', title: 'Saving to disk', text: 'The memory of the machine is being written; its screen stands still.', seeThrough: true, busy: true }
    case 'starting':
      if (link.phase !== 'connected') return { ...still, kind: 'starting', title: 'Starting', text: 'The screen appears as soon as the machine has one.', busy: true }
      break
    case 'running':
    case 'paused':
    case 'stopping':
      break
  }
  if (facts.displayModel === 'none') {
    return { ...still, kind: 'noDisplay', title: 'This machine has no display', text: 'It was made without a graphics card. Its serial console is beside this tab.', action: 'serial' }
  }
  if (link.phase === 'waiting') {
    return { ...still, kind: 'lost', title: 'The connection to the screen was lost', text: `${link.reason} Trying again; the machine itself is not affected.`, seeThrough: true, action: 'retry', busy: true }
  }
  if (link.phase === 'connecting' || link.phase === 'idle') {
    return { ...still, kind: 'connecting', title: 'Connecting', text: 'Opening the screen of the machine.', seeThrough: true, busy: true }
  }
  if (facts.state === 'paused') {
    return { ...still, kind: 'paused', title: 'Paused', text: 'The machine stands still and takes no keys.', seeThrough: true, action: 'resume' }
  }
  return null
}
