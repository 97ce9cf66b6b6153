import type { Layer, LayerGraph } from './layer-graph'
import type { Names } from './names'

/** A layer takes over what it reads from hidden ones below it. */
export interface Merge {
  readonly upper: Layer
  /** Hidden layers that nobody else reads from, nearest first; at least one. */
  readonly lowers: readonly Layer[]
}

/**
 * A layer that may go: this very deletion orphaned it. Nobody names it and nobody reads from it.
 * @param doomed layers that somebody asked to be rid of, from the machine's folder
 */
export function nextToRemove(graph: LayerGraph, names: Names, doomed: ReadonlySet<string>): Layer | null {
  for (const own of doomed) {
    const layer = graph.own(own)
    if (layer !== null && !names.isNamed(own) && graph.readersOf(layer.path).length === 0) return layer
  }
  return null
}

/** What becomes of the layer below one that is removed: it is doomed with it when nobody else has it. */
export function doomedWith(graph: LayerGraph, names: Names, removed: Layer): string | null {
  const below = removed.below === null ? null : graph.get(removed.below)
  if (below?.own == null || names.isNamed(below.own)) return null
  return graph.readersOf(below.path).every(({ path }) => path === removed.path) ? below.own : null
}

/** Every hidden layer that one other layer alone reads from, with that one. A hidden layer that several read from stays. */
export function findMerges(graph: LayerGraph, names: Names): Merge[] {
  const used = new Set<string>()
  for (const own of names.all()) for (const layer of graph.downFrom(graph.own(own)?.path ?? '')) used.add(layer.path)
  const isHidden = (layer: Layer): boolean => {
    if (layer.own === null || layer.format !== 'qcow2' || layer.fault !== null || names.isNamed(layer.own)) return false
    return graph.readersOf(layer.path).length === 1
  }
  const merges: Merge[] = []
  for (const upper of graph.ownLayers()) {
    // What nobody uses is listed as left over, and nothing is merged into it; nor into what can't be read down to the end.
    if (!used.has(upper.path) || isHidden(upper) || graph.faultBelow(upper.path) !== null) continue
    const lowers: Layer[] = []
    for (const layer of graph.downFrom(upper.path)) {
      if (layer === upper) continue
      if (!isHidden(layer)) break
      lowers.push(layer)
    }
    if (lowers.length > 0) merges.push({ upper, lowers })
  }
  return merges
}

/** What a deletion leads to, as far as layers go. */
export interface TidyForecast {
  readonly removed: readonly Layer[]
  readonly merges: readonly Merge[]
  /** Doomed layers that others share. */
  readonly kept: readonly Layer[]
}

/** The same as `tidy` does, in thought. */
export function forecastTidy(graph: LayerGraph, names: Names, doomed: ReadonlySet<string>): TidyForecast {
  const pending = new Set(doomed)
  const removed: Layer[] = []
  let left = graph
  for (let next = nextToRemove(left, names, pending); next !== null; next = nextToRemove(left, names, pending)) {
    const below = doomedWith(left, names, next)
    if (below !== null) pending.add(below)
    removed.push(next)
    left = left.without(next.path)
  }
  const merges = findMerges(left, names)
  const goes = new Set([...removed, ...merges.flatMap(({ lowers }) => lowers)].map(({ path }) => path))
  const kept = [...pending].filter((own) => !names.isNamed(own)).map((own) => graph.own(own)).filter((layer) => layer !== null)
  return { removed, merges, kept: kept.filter(({ path }) => !goes.has(path)) }
}
