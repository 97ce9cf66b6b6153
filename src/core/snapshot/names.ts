import { basename, sep } from 'node:path'
import type { MachineDefinition } from '@shared/model'
import { filesOf } from './definition-layers'
import type { Survey } from './survey'

/** Who has a file for its own: it names it as what it consists of, and not only reads through it. */
export type Namer =
  | { readonly kind: 'snapshot'; readonly id: string }
  /** `present`: `machine.json`. `saved`: the saved state. `run`: the QEMU that runs. */
  | { readonly kind: 'present' | 'saved' | 'run' }
  /** A linked clone, by its folder. */
  | { readonly kind: 'clone'; readonly folder: string }
  /** A file that can't be understood and may mean this one. */
  | { readonly kind: 'unclear'; readonly path: string }

/** Who names which file of the machine. Paths from its folder. */
export class Names {
  readonly #namers = new Map<string, Namer[]>()

  add(own: string, namer: Namer): void {
    const known = this.#namers.get(own)
    if (known === undefined) this.#namers.set(own, [namer])
    else known.push(namer)
  }

  of(own: string): readonly Namer[] {
    return this.#namers.get(own) ?? []
  }

  isNamed(own: string): boolean {
    return this.#namers.has(own)
  }

  /** Every file that is named. */
  all(): string[] {
    return [...this.#namers.keys()]
  }
}

/** A run under way: what QEMU was started with, and what it says that it has on top now. */
export interface RunNames {
  readonly definition: MachineDefinition
  /** From the machine's folder. */
  readonly tops: readonly string[]
}

/** @param without ids of snapshots that count as gone */
export function namesOf(survey: Survey, run: RunNames | null, without: ReadonlySet<string> = new Set()): Names {
  const names = new Names()
  const addAll = (files: readonly string[], namer: Namer): void => {
    for (const own of new Set(files)) names.add(own, namer)
  }
  addAll(filesOf(survey.stored.definition), { kind: 'present' })
  if (survey.saved !== null) addAll(filesOf(survey.saved.definition), { kind: 'saved' })
  if (run !== null) addAll([...filesOf(run.definition), ...run.tops], { kind: 'run' })
  for (const { manifest } of survey.snapshots.values()) {
    if (without.has(manifest.id)) continue
    addAll([...filesOf(manifest.definition), ...(manifest.memory === null ? [] : filesOf(manifest.memory.definition))], { kind: 'snapshot', id: manifest.id })
  }
  for (const { folder, reads } of survey.outside) {
    if (reads.startsWith(survey.folder + sep)) names.add(reads.slice(survey.folder.length + 1).replaceAll(sep, '/'), { kind: 'clone', folder })
  }
  addUnclear(survey, names)
  return names
}

/**
 * A record that can't be understood may still be mended, and its layers are then needed: all whose names stand in its text, or, where none does,
 * any. The same holds for what a layer reads from whose header can't be read.
 */
function addUnclear(survey: Survey, names: Names): void {
  const layers = survey.graph.ownLayers().filter((layer): layer is typeof layer & { own: string } => layer.own !== null)
  for (const { path, text } of survey.unreadable) {
    const meant = layers.filter(({ own }) => text?.includes(basename(own)) === true)
    for (const { own } of meant.length > 0 ? meant : layers) names.add(own, { kind: 'unclear', path })
  }
  for (const { path } of layers.filter((layer) => layer.isBlind)) {
    for (const { own } of layers.filter((layer) => !layer.isBlind)) names.add(own, { kind: 'unclear', path })
  }
}
