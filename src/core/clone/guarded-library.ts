import type { MachineLibrary } from '../app/services'
import { findLinkedClones, type ReaderSearch, requireNoClones } from './linked-clones'

/**
 * A library that deletes no machine whose disks linked clones read from: the plan and the deletion are refused with `DISK_IN_USE`, which names
 * the clones.
 */
export function guardClones(library: MachineLibrary, search: Omit<ReaderSearch, 'library'>): MachineLibrary {
  const requireUnread = async (id: string): Promise<void> => {
    requireNoClones(library.get(id).definition.name, await findLinkedClones({ ...search, library }, id), 'deleted')
  }
  return {
    list: () => library.list(),
    get: (id) => library.get(id),
    problems: () => library.problems(),
    add: (definition, prepare) => library.add(definition, prepare),
    update: (id, change) => library.update(id, change),
    async deletePlan(id) {
      await requireUnread(id)
      return library.deletePlan(id)
    },
    async remove(id, options) {
      await requireUnread(id)
      return library.remove(id, options)
    },
    onChange: (listener) => library.onChange(listener),
  }
}
