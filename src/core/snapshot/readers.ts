import { lstat, readdir } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { z } from 'zod'
import { MachineId, type MachineReference } from '@shared/model'
import type { MachineLibrary } from '../app/services'
import { fileError, readOwnFile } from '../config'
import { definitionPath } from '../library'
import type { LayerReader } from './layer-file'
import { layerFolders, readEntries, realFolder, RealPlaces } from './layers'

/** A file in another folder of the library that reads from one of this machine's. */
export interface OutsideReader {
  /** The other machine's folder. */
  readonly folder: string
  readonly file: string
  /** Absolute path of the layer that it reads from. */
  readonly reads: string
}

/** A disposable run has its layers in a folder of their own. */
const foldersOfReaders = [...layerFolders, 'disposable']

/**
 * Which files of the library read directly from layers of a machine: by their headers, so that a linked clone counts whose definition can't be
 * opened, and one that is being made. Throws `FILE_UNREADABLE` when the library can't be listed.
 */
export async function outsideReaders(reader: LayerReader, libraryFolder: string, machineFolder: string): Promise<OutsideReader[]> {
  const own = await realFolder(machineFolder)
  const library = await realFolder(libraryFolder)
  const names = await readdir(library).catch((error: unknown) => {
    throw fileError(error, library, 'read')
  })
  const places = new RealPlaces()
  const found = await Promise.all(names.map((name) => join(library, name)).filter((folder) => folder !== own).map(async (folder) => {
    // A file beside the machines, or a link: no machine.
    if ((await lstat(folder).catch(() => null))?.isDirectory() !== true) return []
    return readersIn(reader, places, folder, own)
  }))
  return found.flat()
}

async function readersIn(reader: LayerReader, places: RealPlaces, folder: string, own: string): Promise<OutsideReader[]> {
  const readers: OutsideReader[] = []
  for (const part of foldersOfReaders) {
    // What can't be listed is a problem of that machine, and no reason to keep this one from its own.
    for (const entry of await readEntries(folder, part).catch(() => [])) {
      if (entry.kind !== 'file') continue
      const file = join(folder, ...entry.own.split('/'))
      const layer = await reader.read(file).catch(() => null)
      if (layer?.backing == null) continue
      const reads = await places.resolve(dirname(file), layer.backing.name)
      if (reads.startsWith(own + sep)) readers.push({ folder, file, reads })
    }
  }
  return readers
}

const Identity = z.object({ id: MachineId, name: z.string() })
/** Of a machine that does not say who it is. */
const nobody = '00000000-0000-0000-0000-000000000000'

/** The machine in a folder of the library; one whose definition can't be opened is called by its folder. */
export async function machineIn(library: Pick<MachineLibrary, 'list'>, folder: string): Promise<MachineReference> {
  for (const { definition, paths } of library.list()) if ((await realFolder(paths.folder)) === folder) return { id: definition.id, name: definition.name }
  const named = await readOwnFile(definitionPath(folder)).then((text) => Identity.safeParse(JSON.parse(text)), () => null).catch(() => null)
  return named?.success === true ? named.data : { id: nobody, name: folder.slice(folder.lastIndexOf(sep) + 1) }
}
