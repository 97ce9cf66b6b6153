import { RingsideError } from '@shared/errors'
import { look, type Work } from '../snapshot/context'
import type { Layer, LayerGraph } from '../snapshot/layer-graph'
import { requireRoom } from '../snapshot/room'
import type { Survey } from '../snapshot/survey'
import type { CloneContext } from './context'

/** A layer that reads from another machine, and what it would have to take over. */
interface Fill {
  readonly layer: Layer
  readonly bytes: number
}

/**
 * Copies into a linked clone that the caller holds what it and its snapshots read from other machines; those are not touched. What the clone holds is the
 * same at every moment: cut off or cancelled, it is a linked clone still, and the next time goes on from there.
 * Throws `ILLEGAL_STATE` when it reads from no other machine, `IMAGE_DAMAGED`, `DISK_FULL`, `CANCELLED`, `QEMU_FAILED`.
 */
export async function detach(context: CloneContext, work: Work): Promise<void> {
  const { held, reporter } = work
  const { definition } = held.stored
  const { origin } = definition
  reporter.report(null, 'Looking at the disks')
  const survey = await look(work)
  const outside = outsideLayers(survey.graph)
  if (origin?.kind !== 'linked' && outside.length === 0) {
    throw new RingsideError('ILLEGAL_STATE', `“${definition.name}” reads from no other machine; it is independent already.`, { state: held.state })
  }
  await fill(context, work, survey, outside)
  await context.snapshots.library.update(held.id, (now) => (now.origin === null ? now : { ...now, origin: { ...now.origin, kind: 'full' } }))
  await context.atStep('detach:origin-changed')
  held.log('detached', { from: origin?.machineId ?? null, layers: outside.length })
  context.snapshotsChanged(held.id)
  if (origin !== null) context.snapshotsChanged(origin.machineId)
}

async function fill(context: CloneContext, { held, reporter, signal }: Work, survey: Survey, layers: readonly Layer[]): Promise<void> {
  const tool = await context.snapshots.imageTool()
  const fills: Fill[] = []
  for (const layer of layers) {
    const fault = survey.graph.faultBelow(layer.path)
    if (fault !== null) {
      throw new RingsideError('IMAGE_DAMAGED', `“${held.stored.definition.name}” can't be made independent. ${fault}`, {
        path: layer.path, hint: 'Put the file back from a backup, then try again.',
      })
    }
    fills.push({ layer, bytes: (await tool.dataByDepth(layer.path, signal)).slice(1).reduce((sum, bytes) => sum + bytes, 0) })
  }
  const total = fills.reduce((sum, { bytes }) => sum + bytes, 0)
  await requireRoom(survey.folder, total, 'what it reads from others')
  let done = 0
  for (const { layer, bytes } of fills) {
    signal.throwIfAborted()
    await tool.rebase({
      path: layer.path, backing: null, signal,
      onProgress: (fraction) => { reporter.report(total === 0 ? null : (done + fraction * bytes) / total, 'Copying from the original') },
    })
    done += bytes
    await context.atStep('detach:layer-filled')
  }
}

/** Own layers right above those of other machines: the present's, those of snapshots, and hidden ones. */
function outsideLayers(graph: LayerGraph): Layer[] {
  return graph.ownLayers().filter(({ below }) => below !== null && graph.get(below)?.own == null)
}
