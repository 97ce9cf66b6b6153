import type { Issue } from '@shared/errors'
import { isLive, memoryIsPlain, type MachineView, type SnapshotPlan, whyRefused } from '@shared/model'
import { bytesInWords } from '../storage'
import type { SnapshotContext } from './context'
import { topsOf } from './definition-layers'
import { findObstacles } from './obstacles'
import { freeBytes } from './room'
import { survey as look } from './survey'

/** An empty layer, a record and a picture. Bytes. */
const layerBytes = 2 ** 19
const recordBytes = 2 ** 20

/** What taking a snapshot would do now. Asks the machine and changes nothing; what can't be found out is among the issues. */
export async function planSnapshot(context: SnapshotContext, id: string): Promise<SnapshotPlan> {
  const view = context.machines.get(id)
  const survey = await look(context, context.library.get(id))
  const why = whyRefused('takeSnapshot', view)
  const issues: Issue[] = why === null ? [] : [{ path: '', message: why, severity: 'error', code: 'ILLEGAL_STATE' }]
  const obstacles = await findObstacles(survey, view.definition)
  const [memory, freeze] = await Promise.all([memoryPlan(context, view, issues), freezePlan(context, view)])
  const isLiveNow = isLive(view.state)
  const memoryBytes = isLiveNow && memory.method !== 'none' ? (view.definition.memoryMiB * 2 ** 20) : 0
  const estimatedBytes = Object.keys(topsOf(view.definition)).length * layerBytes + recordBytes + memoryBytes
  const free = await freeBytes(survey.folder)
  if (free !== null && free < estimatedBytes) {
    issues.push({
      path: '', severity: 'warning', code: 'DISK_FULL',
      message: `The drive has ${bytesInWords(free)} left, and the snapshot can take up to ${bytesInWords(estimatedBytes)}${memoryBytes > 0 ? ', most of it memory' : ''}. When it does not fit, the machine goes on and there is no snapshot.`,
    })
  }
  if (memory.method !== 'none' && view.definition.disks.some(({ encrypted }) => encrypted)) issues.push({ path: 'memory', severity: 'warning', message: memoryIsPlain })
  return { memory, freeze, obstacles, estimatedBytes, issues }
}

async function memoryPlan(context: SnapshotContext, { id, state }: MachineView, issues: Issue[]): Promise<SnapshotPlan['memory']> {
  if (state === 'saved') return { method: 'paused', reason: null }
  if (!isLive(state)) return { method: 'none', reason: null }
  try {
    return await context.machines.ask(id, 'snapshotMemory')
  } catch (error) {
    issues.push({ path: '', severity: 'warning', message: `What can be done with its memory is not known now: ${(error as Error).message}` })
    return { method: 'none', reason: 'The machine does not answer.' }
  }
}

async function freezePlan(context: SnapshotContext, { id, state }: MachineView): Promise<SnapshotPlan['freeze']> {
  if (state === 'paused') return { available: false, reason: 'The guest is paused, so that its agent can’t answer.' }
  if (!isLive(state)) return { available: false, reason: 'The machine does not run: nothing writes to its file systems.' }
  try {
    const { obstacle } = await context.machines.ask(id, 'freezeObstacle')
    return { available: obstacle === null, reason: obstacle }
  } catch (error) {
    return { available: false, reason: (error as Error).message }
  }
}
