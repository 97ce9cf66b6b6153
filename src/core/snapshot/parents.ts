import type { SnapshotManifest } from '@shared/model'
import { type Tops, topsOf } from './definition-layers'
import type { LayerGraph } from './layer-graph'

/** Which snapshot goes on from which, and where the machine is. */
export interface Parents {
  readonly of: ReadonlyMap<string, string | null>
  readonly current: string | null
}

/**
 * The parent of a snapshot is the nearest one below its layers; where nothing on the drive says so, as for a machine without disks, it is the one
 * that its record names. The same for the machine's present position.
 */
export function findParents(graph: LayerGraph, manifests: readonly SnapshotManifest[], present: { tops: Tops; parentId: string | null }): Parents {
  const byTop = new Map<string, string>()
  for (const manifest of manifests) for (const own of Object.values(topsOf(manifest.definition))) byTop.set(own, manifest.id)
  const below = new Map(manifests.map(({ id, definition }) => [id, snapshotsBelow(graph, byTop, topsOf(definition), id)]))
  const choose = (candidates: ReadonlySet<string>, named: string | null): string | null => {
    // On one line, the nearest has all the others below it.
    const [nearest] = [...candidates].toSorted((a, b) => (below.get(b)?.size ?? 0) - (below.get(a)?.size ?? 0))
    return nearest ?? (named !== null && below.has(named) ? named : null)
  }

  const of = new Map(manifests.map(({ id, parentId }) => [id, choose(below.get(id) ?? new Set(), parentId === id ? null : parentId)]))
  // Only records can lead in a circle; layers that do can't be read.
  for (const id of of.keys()) if (below.get(id)?.size === 0 && isInCircle(of, id)) of.set(id, null)
  for (const id of of.keys()) if (isInCircle(of, id)) of.set(id, null)
  return { of, current: choose(snapshotsBelow(graph, byTop, present.tops, null), present.parentId) }
}

/** All snapshots whose own layers are read through from these. */
function snapshotsBelow(graph: LayerGraph, byTop: ReadonlyMap<string, string>, tops: Tops, self: string | null): Set<string> {
  const found = new Set<string>()
  for (const own of Object.values(tops)) {
    const top = graph.own(own)
    if (top === null) continue
    for (const layer of graph.downFrom(top.path)) {
      const id = layer.own === null ? undefined : byTop.get(layer.own)
      if (id !== undefined && id !== self) found.add(id)
    }
  }
  return found
}

function isInCircle(parents: ReadonlyMap<string, string | null>, id: string): boolean {
  const seen = new Set<string>()
  for (let at = parents.get(id) ?? null; at !== null; at = parents.get(at) ?? null) {
    if (at === id) return true
    if (seen.has(at)) return false
    seen.add(at)
  }
  return false
}

/** A snapshot and all that go on from it, parents before their children. */
export function withDescendants(parents: Parents, id: string): string[] {
  const found = [id]
  for (const at of found) for (const [child, parent] of parents.of) if (parent === at) found.push(child)
  return found
}
