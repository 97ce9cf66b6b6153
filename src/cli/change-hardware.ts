import { invalidInput } from '@shared/errors'
import type { DefinitionDifference, HardwareDifference, HardwarePlan, MachineHardware, MachineState, MachineView } from '@shared/model'
import { goesOnWords, laterWords } from '@shared/words'
import { ExitWith, type Run } from './cli'
import { exitCodeOf } from './exit-codes'
import { machineAsJson } from './output'

/** What a change starts from: what is stored. */
export function storedHardware({ next, definition }: MachineView): MachineHardware {
  return next ?? definition
}

interface ChangeOptions {
  /** What goes beside the answer in JSON, and in text. */
  json?: Readonly<Record<string, unknown>>
  words?: string
  /** Discs too whose drive the guest keeps locked. */
  forceDiscs?: boolean
  /** What waits already is tried once more. */
  again?: boolean
}

/** Changes a machine's hardware and tells what became of it. */
export async function change(run: Run, machine: MachineView, hardware: unknown, { json = {}, words = '', forceDiscs = false, again = false }: ChangeOptions = {}): Promise<void> {
  const done = await run.client.hardware.change({ id: machine.id, hardware, basedOn: storedHardware(machine), forceDiscs, again })
  run.answer({ ...machineAsJson(done.machine), differences: done.differences, ...json }, `${differencesInWords(done.differences, done.machine.state)}${words}`)
}

/**
 * Answers with what a change would do, and what speaks against it. With faults the command ends as making the change would.
 * @param json what goes beside it in JSON
 * @param words what goes below it in text
 */
export function answerPlan(run: Run, { state }: Pick<MachineView, 'state'>, plan: HardwarePlan, json: Readonly<Record<string, unknown>>, words = ''): void {
  run.answer({ ...json, ...plan }, `${planInWords(plan, state)}${words}`)
  const faults = plan.issues.filter(({ severity }) => severity === 'error')
  if (faults.length === 0) return
  // What the machine does now is looked at before its hardware is.
  const refused = faults.filter(({ path, code }) => path === '' && code === 'ILLEGAL_STATE')
  throw new ExitWith(exitCodeOf(invalidInput(refused.length > 0 ? refused : faults).code))
}

function planInWords({ issues, differences }: HardwarePlan, state: MachineState): string {
  const faults = issues.map(({ path, message, severity }) => `${severity === 'error' ? 'Fault' : 'Note'}: ${path === '' ? '' : `${path}: `}${message}\n`).join('')
  // Of what can’t be read it is not known what would be different.
  return differences.length === 0 && faults !== '' ? faults : `${faults}${differencesInWords(differences, state)}`
}

/** What is different, a line each, and when it comes where that is not at once. @param state what the machine does now */
export function differencesInWords(differences: readonly HardwareDifference[], state: MachineState): string {
  if (differences.length === 0) return 'Nothing is different.\n'
  return differences.map((difference) => `${inWords(difference)}${whenInWords(difference, state)}\n`).join('')
}

function whenInWords({ when, reason }: HardwareDifference, state: MachineState): string {
  switch (when) {
    case 'now':
      return ''
    case 'goesOn':
      return ` (${goesOnWords})`
    case 'nextStart':
      return ` (${laterWords(state)}: ${reason ?? 'it can’t be live'})`
  }
}

export function inWords({ label, then, now }: DefinitionDifference): string {
  if (then === null) return `${label}: ${now ?? ''}, new`
  return now === null ? `${label}: gone (${then})` : `${label}: ${then} → ${now}`
}
