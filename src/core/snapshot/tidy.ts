import { RingsideError, isRingsideError } from '@shared/errors'
import { runningTops, type Work } from './context'
import type { Layer, LayerGraph } from './layer-graph'
import { chooseWay, type MergeCost, mergeCost, mergeLayers, removeLayers, runningChain, type RunningChain } from './merge'
import { type Names, namesOf } from './names'
import { bytesOf } from './shares'
import { type Survey, survey as lookAgain } from './survey'
import { doomedWith, findMerges, type Merge, nextToRemove } from './tidy-plan'

/** What a tidying came to. */
export interface Tidied {
  readonly freedBytes: number
  /** What is put off and why, a sentence each. */
  readonly notes: readonly string[]
}

export interface TidyLook {
  readonly survey: Survey
  readonly graph: LayerGraph
  readonly names: Names
  readonly running: RunningChain | null
}

/**
 * Gives back the space of layers that nobody has for their own any more: those that this very deletion orphaned are removed, and hidden ones that one other layer alone
 * reads from are merged with it. What can't be done now is put off; it stays hidden until the next time, and harms nothing. Never removes what nobody asked to be rid of.
 * Throws `CANCELLED` when the signal says so, and what keeps files from being read or removed; merges that fail are put off.
 * @param doomed the layers that somebody asked to be rid of, from the machine's folder
 */
export async function tidy(work: Work, doomed: ReadonlySet<string>): Promise<Tidied> {
  const removedBytes = await removeDoomed(work, doomed)
  const merged = await mergeHidden(work)
  return { ...merged, freedBytes: removedBytes + merged.freedBytes }
}

/** Removes doomed layers that nobody names and nobody reads from, and those below them that are of no use without. @returns bytes that were given back */
export async function removeDoomed(work: Work, doomed: ReadonlySet<string>): Promise<number> {
  const pending = new Set(doomed)
  let freedBytes = 0
  let at = await lookForTidy(work)
  for (let next = nextToRemove(at.graph, at.names, pending); next !== null; next = nextToRemove(at.graph, at.names, pending)) {
    const below = doomedWith(at.graph, at.names, next)
    if (below !== null) pending.add(below)
    await removeLayers([next])
    freedBytes += next.bytes
    await work.context.atStep('tidy:layer-removed')
    at = await lookForTidy(work, at.survey)
  }
  return freedBytes
}

/** Merges every hidden layer that one other layer alone reads from with that one. */
export async function mergeHidden(work: Work): Promise<Tidied> {
  const { held, reporter, signal } = work
  const putOff = new Map<string, string>()
  let freedBytes = 0
  let at = await lookForTidy(work)
  for (;;) {
    const merge = findMerges(at.graph, at.names).find(({ upper }) => !putOff.has(upper.path))
    if (merge === undefined) return { freedBytes, notes: [...new Set(putOff.values())] }
    throwIfStopped(signal)
    reporter.report(null, 'Giving space back')
    const before = bytesOf([merge.upper, ...merge.lowers])
    const why = await mergeOrPutOff(work, at, merge)
    if (why !== null) {
      putOff.set(merge.upper.path, why)
      held.log('snapshot.mergePutOff', { layer: merge.upper.own, why })
    }
    at = await lookForTidy(work, at.survey)
    if (why === null) freedBytes += before - bytesOf(remaining(at.graph, merge))
  }
}

/** What is on the drive, and who has it: QEMU is asked where it runs. @param before of the same machine, held since then */
export async function lookForTidy({ context, held }: Work, before?: Survey): Promise<TidyLook> {
  // No clone comes or goes while the machine is held.
  const survey = await lookAgain(context, held.stored, before?.outside)
  const { graph } = survey
  const run = held.live ? held.run : null
  if (run === null) return { survey, graph, names: namesOf(survey, null), running: null }
  const tops = await runningTops({ held })
  return { survey, graph, names: namesOf(survey, { definition: run.definition, tops: Object.values(tops) }), running: runningChain(graph, tops) }
}

async function mergeOrPutOff(work: Work, { survey, names, running }: TidyLook, merge: Merge): Promise<string | null> {
  const { context, signal } = work
  try {
    const cost: MergeCost = await mergeCost(await context.imageTool(), merge, signal)
    const choice = await chooseWay(context, survey, names, running, merge, cost)
    if ('putOff' in choice) return choice.putOff
    await mergeLayers(work, survey, names, running, merge, choice.way)
    return null
  } catch (error) {
    throwIfStopped(signal)
    if (!isRingsideError(error)) throw error
    return `The space of hidden layers is not given back yet. ${error.message}`
  }
}

function remaining(graph: LayerGraph, { upper, lowers }: Merge): Layer[] {
  return [upper, ...lowers].map(({ path }) => graph.get(path)).filter((layer) => layer !== null)
}

function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new RingsideError('CANCELLED', 'Giving space back was stopped; it is done at the next occasion.')
}
