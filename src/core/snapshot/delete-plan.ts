import type { Issue } from '@shared/errors'
import { isLive, type SnapshotDeletePlan, whyRefused } from '@shared/model'
import { bytesInWords } from '../storage'
import type { SnapshotContext } from './context'
import { cloneNames, type Doomed, findDoomed, layersOf } from './delete'
import { chooseWay, mergeCost, runningChain, type RunningChain } from './merge'
import { namesOf } from './names'
import { topsOf } from './definition-layers'
import { bytesOf } from './shares'
import { type Survey, survey as look } from './survey'
import { forecastTidy, type Merge } from './tidy-plan'

/** No look at a disk's tables takes longer than this; what a merge would give back is then not told. Milliseconds. */
const lookLimitMs = 15_000

/** What deleting would do: nothing is changed. Throws `NOT_FOUND`. */
export async function planDelete(context: SnapshotContext, machineId: string, snapshotId: string, options: { children: boolean }): Promise<SnapshotDeletePlan> {
  const survey = await look(context, context.library.get(machineId))
  const doomed = await findDoomed(survey, context.library, snapshotId, options)
  const gone = new Set(doomed.snapshots.map(({ manifest }) => manifest.id))
  const names = namesOf(survey, null, gone)
  const { removed, merges, kept } = forecastTidy(survey.graph, names, new Set(doomed.snapshots.flatMap(({ manifest }) => layersOf(manifest))))
  const running = runningNow(context, machineId, survey)
  const notes = new Set<string>()
  let freesBytes = bytesOf(removed) + doomed.snapshots.reduce((sum, { folderBytes, ram }) => sum + folderBytes - (ram?.isShared === true ? ram.bytes : 0), 0)
  let laterBytes = bytesOf(kept)
  for (const merge of merges) {
    const outcome = await foresee(context, survey, names, running, merge)
    if ('putOff' in outcome) {
      notes.add(outcome.putOff)
      laterBytes += bytesOf(merge.lowers)
    } else freesBytes += Math.max(0, bytesOf(merge.lowers) - outcome.copies)
  }
  if (kept.length > 0) notes.add(`${bytesInWords(bytesOf(kept))} stay for now: other snapshots, or clones, read through them. They are given back when one of those alone is left.`)
  const children = [...doomed.parents.of].filter(([id, parent]) => parent === snapshotId && !gone.has(id))
  if (children.length > 0) notes.add(`${children.length === 1 ? 'The snapshot that goes on from it stays' : `The ${String(children.length)} snapshots that go on from it stay`} as they are.`)
  if (doomed.parents.current !== null && gone.has(doomed.parents.current)) notes.add('The machine goes on from it, and stays as it is.')
  return {
    snapshots: doomed.snapshots.toReversed().map(({ manifest }) => ({ id: manifest.id, name: manifest.name })),
    freesBytes, laterBytes, notes: [...notes], issues: issuesOf(context, machineId, doomed),
  }
}

function issuesOf(context: SnapshotContext, machineId: string, { clones }: Doomed): Issue[] {
  const why = whyRefused('deleteSnapshot', context.machines.get(machineId))
  const refusal: Issue[] = why === null ? [] : [{ path: '', message: why, severity: 'error', code: 'ILLEGAL_STATE' }]
  if (clones.length === 0) return refusal
  const message = `${cloneNames(clones)} ${clones.length === 1 ? 'is a linked clone and reads' : 'are linked clones and read'} from it; make ${clones.length === 1 ? 'it' : 'them'} independent or delete ${clones.length === 1 ? 'it' : 'them'} first.`
  return [...refusal, { path: 'snapshotId', message, severity: 'error', code: 'DISK_IN_USE' }]
}

/** As near as it can be told without asking QEMU: it writes to what `machine.json` names, or to a layer right below. */
function runningNow(context: SnapshotContext, machineId: string, survey: Survey): RunningChain | null {
  return isLive(context.machines.get(machineId).state) ? runningChain(survey.graph, topsOf(survey.stored.definition)) : null
}

async function foresee(
  context: SnapshotContext, survey: Survey, names: ReturnType<typeof namesOf>, running: RunningChain | null, merge: Merge,
): Promise<{ putOff: string } | { copies: number }> {
  try {
    const cost = await mergeCost(await context.imageTool(), merge, AbortSignal.timeout(lookLimitMs))
    const choice = await chooseWay(context, survey, names, running, merge, cost)
    if ('putOff' in choice) return choice
    // Either way what is left is what the upper one reads from them all.
    return { copies: cost.up }
  } catch {
    return { copies: bytesOf(merge.lowers) }
  }
}
