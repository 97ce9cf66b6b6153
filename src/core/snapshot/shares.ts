import type { Layer } from './layer-graph'
import type { Names } from './names'
import type { Survey } from './survey'

/** What the layers of a machine are for. */
export interface Shares {
  /** Layers by the id of the one snapshot that takes them. */
  readonly bySnapshot: ReadonlyMap<string, readonly Layer[]>
  readonly present: readonly Layer[]
  /** Read through by several, none of which has them for its own: hidden layers of deleted snapshots, and what linked clones have. */
  readonly shared: readonly Layer[]
  /** Nobody reads from them at all. */
  readonly unused: readonly Layer[]
}

/** Divides the layers of a machine among those that they are for: a layer that nobody names belongs to whoever alone reads through it. */
export function divide({ graph }: Pick<Survey, 'graph'>, names: Names): Shares {
  const readers = new Map<string, Set<string>>()
  const owners = new Map<string, string>()
  for (const own of names.all()) {
    const layer = graph.own(own)
    if (layer === null) continue
    const owner = ownerOf(own, names)
    if (owner !== null) owners.set(layer.path, owner)
    for (const below of graph.downFrom(layer.path)) {
      const known = readers.get(below.path) ?? new Set()
      readers.set(below.path, known.add(owner ?? `other ${own}`))
    }
  }
  const bySnapshot = new Map<string, Layer[]>()
  const present: Layer[] = []
  const shared: Layer[] = []
  const unused: Layer[] = []
  for (const layer of graph.ownLayers()) {
    const through = readers.get(layer.path)
    if (through === undefined) {
      unused.push(layer)
      continue
    }
    const owner = owners.get(layer.path) ?? (through.size === 1 ? [...through][0] : undefined)
    if (owner === presentOwner) present.push(layer)
    else if (owner === undefined || owner.startsWith('other ')) shared.push(layer)
    else bySnapshot.set(owner, [...(bySnapshot.get(owner) ?? []), layer])
  }
  return { bySnapshot, present, shared, unused }
}

const presentOwner = 'present'

/** A snapshot comes first: what it names is frozen, also where the present was cut off before it went on from there. */
function ownerOf(own: string, names: Names): string | null {
  const namers = names.of(own)
  const snapshot = namers.find((namer) => namer.kind === 'snapshot')
  if (snapshot !== undefined) return snapshot.id
  return namers.some(({ kind }) => kind === 'present' || kind === 'saved' || kind === 'run') ? presentOwner : null
}

export function bytesOf(layers: readonly Layer[]): number {
  return layers.reduce((sum, { bytes }) => sum + bytes, 0)
}
