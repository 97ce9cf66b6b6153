import { join } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { MachineReference } from '@shared/model'
import type { MachineLibrary, StoredMachine } from '../app/services'
import type { LayerReader } from '../snapshot/layer-file'
import { realFolder } from '../snapshot/layers'
import { machineIn, type OutsideReader, outsideReaders } from '../snapshot/readers'

/** What is needed to find out who reads from whose disks. */
export interface ReaderSearch {
  readonly library: Pick<MachineLibrary, 'list' | 'get'>
  readonly libraryFolder: string
  readonly layers: LayerReader
}

/**
 * Machines whose disks read from this one's, by name: those whose files say so, whatever their definitions say, and those whose definitions
 * say so, whatever has become of their files. Throws `NOT_FOUND`, and `FILE_UNREADABLE` when the library can't be listed.
 */
export async function findLinkedClones(search: ReaderSearch, id: string): Promise<MachineReference[]> {
  const stored = search.library.get(id)
  const readers = await outsideReaders(search.layers, search.libraryFolder, stored.paths.folder)
  return namesOf(search, readers, search.library.list().filter(({ definition: { origin } }) => origin?.kind === 'linked' && origin.machineId === id))
}

/** The same for those only that stand on images which the machine itself names now, and not on one of its snapshots. */
export async function findClonesOfPresent(search: ReaderSearch, id: string): Promise<MachineReference[]> {
  const { definition, paths } = search.library.get(id)
  const folder = await realFolder(paths.folder)
  const present = new Set(definition.disks.flatMap(({ image }) => (image.kind === 'own' ? [join(folder, ...image.path.split('/'))] : [])))
  const readers = await outsideReaders(search.layers, search.libraryFolder, paths.folder)
  return namesOf(
    search,
    readers.filter(({ reads }) => present.has(reads)),
    search.library.list().filter(({ definition: { origin } }) => origin?.kind === 'linked' && origin.machineId === id && origin.snapshotId === null),
  )
}

async function namesOf({ library }: ReaderSearch, readers: readonly OutsideReader[], machines: readonly StoredMachine[]): Promise<MachineReference[]> {
  const folders = new Set([...readers.map(({ folder }) => folder), ...(await Promise.all(machines.map(({ paths }) => realFolder(paths.folder))))])
  const clones = await Promise.all([...folders].map((folder) => machineIn(library, folder)))
  return clones.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
}

/** Throws `DISK_IN_USE` that names the clones. @param refused what can't be done, as in “deleted” */
export function requireNoClones(name: string, clones: readonly MachineReference[], refused: string): void {
  if (clones.length === 0) return
  const list = clones.map((clone) => `“${clone.name}”`).join(', ')
  const [who, them] = clones.length === 1 ? ['A linked clone reads', 'it'] : [`${String(clones.length)} linked clones read`, 'them']
  throw new RingsideError('DISK_IN_USE', `“${name}” can't be ${refused}. ${who} from its disks: ${list}.`, {
    hint: `Make ${them} independent, or delete ${them}, first.`,
  })
}
