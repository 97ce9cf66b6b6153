import { lstat, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { errnoOf, fileError } from '../config'
import { allocatedBytes, filesBelow } from '../library'
import { isInside } from '../storage/references'
import { type Layer, LayerGraph } from './layer-graph'
import { type LayerReader, reachesAnything } from './layer-file'

/** Folders of a machine in which layers lie, flat. */
export const layerFolders = ['disks', 'firmware'] as const

/** The folder of a machine in which the states of its TPM lie, each a folder of its own. */
const tpmFolder = 'tpm'

/** Something that lies in one of a machine's folders. */
export interface FolderEntry {
  /** From the machine's folder, forward slashes. */
  readonly own: string
  readonly kind: 'file' | 'folder' | 'other'
  /** On the drive; of a folder with everything in it. */
  readonly bytes: number
}

export interface MachineLayers {
  readonly graph: LayerGraph
  /** Everything in `disks/`, `firmware/` and `tpm/`, layers or not. */
  readonly entries: readonly FolderEntry[]
}

/**
 * Reads the layers of a machine from headers alone. Damaged and foreign files are in the result with what is wrong with them. Throws only when a
 * folder can't be read: `FILE_UNREADABLE`.
 * @param baseFolders of the machines that this one is a linked clone of; nothing is opened outside of these and its own
 */
export async function readLayers(reader: LayerReader, machineFolder: string, baseFolders: readonly string[]): Promise<MachineLayers> {
  const folder = await realFolder(machineFolder)
  const places = new RealPlaces()
  const entries: FolderEntry[] = []
  const layers = new Map<string, Layer>()
  for (const part of [...layerFolders, tpmFolder]) {
    for (const entry of await readEntries(folder, part)) {
      entries.push(entry)
      if (entry.kind !== 'file' || part === tpmFolder) continue
      const layer = await readLayer(reader, places, join(folder, ...entry.own.split('/')), entry.own)
      if (layer !== null) layers.set(layer.path, layer)
    }
  }
  await addLayersBelow(reader, places, layers, [folder, ...(await Promise.all(baseFolders.map(realFolder)))])
  return { graph: new LayerGraph(layers.values()), entries }
}

/** What a linked clone's own layers read from lies in other folders, and a disk that was brought in by hand may read from anywhere in its own. */
async function addLayersBelow(reader: LayerReader, places: RealPlaces, layers: Map<string, Layer>, [folder = '', ...bases]: readonly string[]): Promise<void> {
  const pending = [...layers.values()]
  for (let layer = pending.pop(); layer !== undefined; layer = pending.pop()) {
    const { below: path } = layer
    if (path === null || layers.has(path)) continue
    const isOwn = isInside(path, folder)
    if (!isOwn && !bases.some((base) => isInside(path, base))) continue
    const below = await readLayer(reader, places, path, isOwn ? relative(folder, path).replaceAll(sep, '/') : null)
    if (below === null) continue
    layers.set(below.path, below)
    pending.push(below)
  }
}

async function readLayer(reader: LayerReader, places: RealPlaces, path: string, own: string | null): Promise<Layer | null> {
  const file = await reader.read(path)
  if (file === null) return null
  // Also of a faulty one: what it reads from must not be taken for unused.
  const below = file.backing === null || reachesAnything(file.backing.name) ? null : await places.resolve(dirname(path), file.backing.name)
  return { ...file, path, own, below }
}

/** Everything in one of a machine's folders; nothing where that is missing or is no real folder. */
export async function readEntries(machineFolder: string, part: string): Promise<FolderEntry[]> {
  const folder = join(machineFolder, ...part.split('/'))
  const found = await lstat(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, folder, 'read')
    return null
  })
  if (found?.isDirectory() !== true) return []
  const names = await readdir(folder).catch((error: unknown) => {
    throw fileError(error, folder, 'read')
  })
  const entries = await Promise.all(names.map((name) => readEntry(join(folder, name), `${part}/${name}`)))
  return entries.filter((entry) => entry !== null)
}

async function readEntry(path: string, own: string): Promise<FolderEntry | null> {
  try {
    const found = await lstat(path)
    if (!found.isDirectory()) return { own, kind: found.isFile() ? 'file' : 'other', bytes: allocatedBytes(found) }
    return { own, kind: 'folder', bytes: (await filesBelow(path)).reduce((sum, file) => sum + file.bytes, 0) }
  } catch (error) {
    // Gone since the folder was listed.
    if (errnoOf(error) === 'ENOENT') return null
    throw fileError(error, path, 'read')
  }
}

/** One spelling for every path, whichever links lead to its folder. */
export class RealPlaces {
  readonly #folders = new Map<string, Promise<string>>()

  /** The file that a header names, from the folder of the file that it stands in. */
  resolve(folder: string, name: string): Promise<string> {
    return this.of(isAbsolute(name) ? name : resolve(folder, name))
  }

  async of(path: string): Promise<string> {
    const folder = dirname(path)
    let real = this.#folders.get(folder)
    if (real === undefined) {
      real = realFolder(folder)
      this.#folders.set(folder, real)
    }
    return join(await real, basename(path))
  }
}

export async function realFolder(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path))
}
