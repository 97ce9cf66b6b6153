import { RingsideError } from '@shared/errors'
import type { Job } from '@shared/model'
import type { Run } from './cli'
import { remarkNotes } from './follow-job'
import { argument } from './snapshot-output'
import { machineAsJson } from './output'

/** Answers with the machine that a job has made, what to do with it next and what is to be known about it. @throws `INTERNAL` when the job names none */
export async function answerMadeMachine(run: Run, { machineId, notes }: Job): Promise<void> {
  if (machineId === null) throw new RingsideError('INTERNAL', 'The host made a machine and did not say which.')
  const machine = await run.client.machine.get({ id: machineId })
  const verb = `ringside ${machine.state === 'stopped' || machine.state === 'saved' ? 'start' : 'console'} ${argument(machine.definition.name, machine.id)}`
  run.answer({ ...machineAsJson(machine), notes }, `“${machine.definition.name}” is made${machine.state === 'running' ? ' and runs' : ''}. Next: ${verb}\n`)
  remarkNotes(run, notes)
}
