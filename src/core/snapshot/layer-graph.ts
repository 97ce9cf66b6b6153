import type { LayerFile } from './layer-file'

/** A file that holds a part of a disk, and what it reads from. */
export interface Layer extends LayerFile {
  /** Absolute, links of folders resolved. */
  readonly path: string
  /** The same from the machine's folder, forward slashes, as `machine.json` has it; null: it lies in another machine's folder. */
  readonly own: string | null
  /** Absolute path of what it reads from; null: nothing. There may be no such layer. */
  readonly below: string | null
}

/** How the layers of one machine lie upon each other. Plain data; changed only into a new one. */
export class LayerGraph {
  readonly #layers: ReadonlyMap<string, Layer>
  readonly #readers = new Map<string, Layer[]>()
  readonly #own = new Map<string, Layer>()

  constructor(layers: Iterable<Layer>) {
    this.#layers = new Map([...layers].map((layer) => [layer.path, layer]))
    for (const layer of this.#layers.values()) {
      if (layer.own !== null) this.#own.set(layer.own, layer)
      if (layer.below === null) continue
      const readers = this.#readers.get(layer.below)
      if (readers === undefined) this.#readers.set(layer.below, [layer])
      else readers.push(layer)
    }
  }

  get(path: string): Layer | null {
    return this.#layers.get(path) ?? null
  }

  /** @param own path from the machine's folder */
  own(own: string): Layer | null {
    return this.#own.get(own) ?? null
  }

  /** Those that lie in the machine's folder. */
  ownLayers(): Layer[] {
    return [...this.#own.values()]
  }

  /** Whether a layer of this machine may read from any other, as far as can be told. */
  get isBlind(): boolean {
    return this.ownLayers().some((layer) => layer.isBlind)
  }

  /** Layers of this machine that read from it directly. */
  readersOf(path: string): readonly Layer[] {
    return this.#readers.get(path) ?? []
  }

  /** A layer and all that it reads from, in that order. Ends where a file is missing or would come twice. */
  *downFrom(path: string): Generator<Layer> {
    const seen = new Set<string>()
    for (let layer = this.get(path); layer !== null && !seen.has(layer.path); layer = layer.below === null ? null : this.get(layer.below)) {
      seen.add(layer.path)
      yield layer
    }
  }

  /** Why a layer can't be read down to its last one, as a sentence; null: it can. */
  faultBelow(path: string): string | null {
    const seen = new Set<string>()
    for (let at: string | null = path; at !== null;) {
      const layer = this.get(at)
      if (layer === null) return `A file that it consists of is missing, or is in no folder that it may read from: ${at}`
      if (seen.has(at)) return `It is based on itself: ${at}`
      if (layer.fault !== null) return `A file that it consists of ${layer.fault}: ${at}`
      seen.add(at)
      at = layer.below
    }
    return null
  }

  without(...paths: readonly string[]): LayerGraph {
    return new LayerGraph([...this.#layers.values()].filter(({ path }) => !paths.includes(path)))
  }

  /** The graph in which a layer has taken over what lay between it and a lower one. */
  merged(upper: Layer, lowers: readonly Layer[]): LayerGraph {
    const last = lowers.at(-1) ?? upper
    const gone = new Set(lowers.map(({ path }) => path))
    return new LayerGraph(
      [...this.#layers.values()].filter(({ path }) => !gone.has(path)).map((layer) => (layer.path === upper.path ? { ...layer, below: last.below, backing: last.backing } : layer)),
    )
  }
}
