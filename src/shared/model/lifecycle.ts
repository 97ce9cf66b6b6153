import { z } from 'zod'

/** `crashed` is a stopped machine whose last end was no clean one. */
export const MachineState = z.enum(['stopped', 'starting', 'running', 'paused', 'saving', 'saved', 'stopping', 'crashed'])
export type MachineState = z.infer<typeof MachineState>

export const MachineAction = z.enum([
  'start', 'pause', 'resume', 'shutDown', 'reset', 'powerOff', 'save', 'discardSaved', 'rename', 'delete', 'openConsole', 'screenshot', 'edit',
  'takeSnapshot', 'revert', 'deleteSnapshot', 'clone', 'makeTemplate', 'unmakeTemplate', 'detach', 'convertDisks', 'changeHardware', 'useGuest', 'workOnDisk', 'backUp', 'restore',
])
export type MachineAction = z.infer<typeof MachineAction>

/** Work on a machine's disks that goes on beside its state and has the machine for itself. */
export const MachineTask = z.enum(['snapshot', 'revert', 'deleteSnapshot', 'clone', 'template', 'detach', 'convert', 'cleanUp', 'hardware', 'diskWork', 'backUp', 'restore'])
export type MachineTask = z.infer<typeof MachineTask>

const settled: readonly MachineState[] = ['stopped', 'crashed', 'saved', 'running', 'paused']
const off: readonly MachineState[] = ['stopped', 'crashed', 'saved']

/** The one table of what is legal when: it guards the calls, disables the buttons and explains why. */
export const legalStates: Readonly<Record<MachineAction, readonly MachineState[]>> = {
  start: ['stopped', 'crashed', 'saved'],
  pause: ['running'],
  resume: ['paused'],
  // A guest may miss or ignore the first press of its power button.
  shutDown: ['running', 'stopping'],
  reset: ['running', 'paused'],
  powerOff: ['starting', 'running', 'paused', 'stopping', 'saving'],
  save: ['running', 'paused'],
  discardSaved: ['saved'],
  rename: ['stopped', 'crashed', 'saved', 'running', 'paused'],
  delete: ['stopped', 'crashed', 'saved'],
  openConsole: ['starting', 'running', 'paused', 'stopping'],
  screenshot: ['running', 'paused'],
  edit: ['stopped', 'crashed'],
  takeSnapshot: settled,
  revert: settled,
  deleteSnapshot: settled,
  clone: settled,
  makeTemplate: settled,
  unmakeTemplate: off,
  detach: off,
  convertDisks: ['stopped', 'crashed'],
  workOnDisk: settled,
  backUp: settled,
  // What the guest has in its memory does not fit other disks.
  restore: ['stopped', 'crashed'],
  // What a saved guest has in its memory stays; the rest of the change comes when it goes on, or after its next shut down.
  changeHardware: settled,
  useGuest: ['running'],
}

/** What may be done while a task has the machine: it is looked at, and its plug can always be pulled. */
const besideTask: readonly MachineAction[] = ['openConsole', 'screenshot', 'powerOff', 'useGuest']

/** What a template refuses: it is frozen for its clones. */
const notForTemplates: readonly MachineAction[] = ['start', 'discardSaved', 'edit', 'takeSnapshot', 'revert', 'deleteSnapshot', 'makeTemplate', 'detach', 'convertDisks', 'changeHardware', 'restore']

/** What a disposable run refuses: what it has written is nowhere that a snapshot, a saved state or a clone could stand on. */
const notWhileDisposable: readonly MachineAction[] = ['save', 'takeSnapshot', 'revert', 'deleteSnapshot', 'clone', 'makeTemplate', 'changeHardware', 'backUp']

const actionWords: Readonly<Record<MachineAction, string>> = {
  start: 'start', pause: 'pause', resume: 'resume', shutDown: 'shut down', reset: 'reset', powerOff: 'power off', save: 'save',
  discardSaved: 'discard the saved state of', rename: 'rename', delete: 'delete', openConsole: 'open the console of',
  screenshot: 'take a screenshot of', edit: 'edit', takeSnapshot: 'take a snapshot of', revert: 'revert', deleteSnapshot: 'delete a snapshot of',
  clone: 'clone', makeTemplate: 'make a template of', unmakeTemplate: 'turn back into a machine', detach: 'make independent', convertDisks: 'convert the disks of', workOnDisk: 'work on a disk of', changeHardware: 'change the hardware of', useGuest: 'reach the guest agent of', backUp: 'back up', restore: 'restore',
}

const taskWords: Readonly<Record<MachineTask, string>> = {
  snapshot: 'a snapshot is being taken', revert: 'it is being reverted', deleteSnapshot: 'a snapshot is being deleted', clone: 'it is being cloned',
  template: 'it is becoming a template or a machine again', detach: 'it is being made independent', convert: 'its disks are being converted', cleanUp: 'its folder is being tidied', diskWork: 'one of its disks is being worked on', hardware: 'its hardware is being changed', backUp: 'it is being backed up', restore: 'a backup of it is being restored',
}

const stateWords: Readonly<Record<MachineState, string>> = {
  stopped: 'stopped', starting: 'starting', running: 'running', paused: 'paused', saving: 'being saved', saved: 'saved to disk',
  stopping: 'shutting down', crashed: 'crashed',
}

/** The state in words, for a sentence such as "It is …". */
export function stateInWords(state: MachineState): string {
  return stateWords[state]
}

/** The task in words, a clause such as “a snapshot is being taken”. */
export function taskInWords(task: MachineTask): string {
  return taskWords[task]
}

export function isLegal(action: MachineAction, state: MachineState): boolean {
  return legalStates[action].includes(state)
}

/** Why the action is refused in this state, as a sentence; null when it is legal. */
export function whyIllegal(action: MachineAction, state: MachineState): string | null {
  if (isLegal(action, state)) return null
  const allowed = legalStates[action].map((s) => stateWords[s])
  const last = allowed.pop() ?? ''
  const list = allowed.length > 0 ? `${allowed.join(', ')} or ${last}` : last
  return `Cannot ${actionWords[action]} a machine that is ${stateWords[state]}; it must be ${list}.`
}

/**
 * Why the action is refused for this machine now, as a sentence; null when it is legal. Takes in what its state alone does not tell:
 * a template, a task at work (clones wait for each other), a disposable run.
 */
export function whyRefused(
  action: MachineAction,
  machine: { state: MachineState; task: MachineTask | null; definition: { template: boolean }; run?: { disposable: boolean } | null },
): string | null {
  if (machine.definition.template && notForTemplates.includes(action)) return `Cannot ${actionWords[action]} a template; turn it back into a machine first.`
  if (!machine.definition.template && action === 'unmakeTemplate') return 'This machine is no template.'
  const isInTurn = machine.task === 'clone' && action === 'clone'
  if (machine.task !== null && !besideTask.includes(action) && !isInTurn) return `Cannot ${actionWords[action]} this machine now: ${taskWords[machine.task]}. Wait until that has ended, or cancel it.`
  if (machine.run?.disposable === true && notWhileDisposable.includes(action)) return `Cannot ${actionWords[action]} this machine in a disposable run, whose changes are thrown away; shut it down first.`
  return whyIllegal(action, machine.state)
}

/** States in which a QEMU process belongs to the machine. */
export function isLive(state: MachineState): boolean {
  return state === 'starting' || state === 'running' || state === 'paused' || state === 'saving' || state === 'stopping'
}
