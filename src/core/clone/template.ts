import { RingsideError } from '@shared/errors'
import { stateInWords } from '@shared/model'
import { topsOf } from '../snapshot/definition-layers'
import { look, type Work } from '../snapshot/context'
import { inFolder } from '../snapshot/survey'
import type { CloneContext } from './context'
import { findClonesOfPresent, requireNoClones } from './linked-clones'

/**
 * Freezes a machine that the caller holds. One that runs is saved to disk first, so that clones can go on from there.
 * Throws `ILLEGAL_STATE` for one that runs where its memory is not wanted, and what saving throws; the machine is then what it was.
 */
export async function makeTemplate(context: CloneContext, work: Work, { memory }: { memory: boolean }): Promise<void> {
  const { held, reporter, signal } = work
  const { library, imageTool } = context.snapshots
  const { name } = held.stored.definition
  if (held.live && !memory) {
    throw new RingsideError('ILLEGAL_STATE', `No template can be made of “${name}” while it is ${stateInWords(held.state)}.`, {
      state: held.state, hint: 'Shut it down first; or keep its memory, so that its clones go on from this moment.',
    })
  }
  if (held.live) {
    await held.save({ ...reporter, signal })
    await context.atStep('template:saved')
  }
  const survey = await look(work)
  const tool = await imageTool()
  for (const own of Object.values(topsOf(held.stored.definition))) {
    // What clones stand on is never opened for writing again, which is when QEMU would mend what a crash has left.
    if (survey.graph.own(own)?.dirty === true) await tool.repair(inFolder(survey, own))
  }
  await library.update(held.id, (definition) => ({ ...definition, template: true }))
  await context.atStep('template:marked')
  held.log('template.made', { memory: held.state === 'saved' })
  for (const { id, image } of held.stored.definition.disks.filter(({ readOnly }) => !readOnly)) {
    if (image.kind === 'external') reporter.note?.(`The disk “${id}” lies outside the machine’s folder, so that only full clones can be made: ${image.path}`)
  }
}

/** Throws `DISK_IN_USE` that names the clones which stand on what the machine would write to. */
export async function unmakeTemplate({ snapshots }: CloneContext, { held }: Pick<Work, 'held'>): Promise<void> {
  requireNoClones(held.stored.definition.name, await findClonesOfPresent(snapshots, held.id), 'turned back into a machine')
  await snapshots.library.update(held.id, (definition) => ({ ...definition, template: false }))
  held.log('template.unmade')
}
