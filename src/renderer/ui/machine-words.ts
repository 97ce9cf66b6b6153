import type { MachineTask, MachineView } from '@shared/model'
import { stateLooks } from './state-look'

/** What is being done with a machine beside its state, for a place where its state stands as well. */
export const taskWords: Readonly<Record<MachineTask, string>> = {
  snapshot: 'Taking a snapshot', revert: 'Reverting', deleteSnapshot: 'Deleting a snapshot', clone: 'Being cloned', template: 'Freezing or thawing a template',
  detach: 'Becoming independent', convert: 'Converting its disks', cleanUp: 'Tidying its folder', hardware: 'Changing its hardware', backUp: 'Being backed up', restore: 'Being restored', diskWork: 'Working on one of its disks',
}

/** What a machine is doing, in a few words: a template is no machine that is off, and a disposable run is marked. */
export function machineWords(machine: MachineView): string {
  if (machine.task !== null) return taskWords[machine.task]
  if (machine.definition.template) return machine.state === 'saved' ? 'Warm template' : 'Template'
  if (machine.run?.disposable === true) return machine.state === 'running' ? 'Disposable run' : `${stateLooks[machine.state].label}, disposable`
  return stateLooks[machine.state].label
}
