import { RingsideError } from '@shared/errors'
import { OsCatalog, type OsEntry } from '@shared/model'
import content from '../../../resources/os-catalog.json'

/** The operating systems that Ringside knows. Part of the program: a fault in it is a defect, found by its spec. */
export function loadCatalog(): OsCatalog {
  return OsCatalog.parse(content)
}

/** The entry of a guest's operating system. Throws `INVALID_INPUT`. */
export function osEntry(catalog: OsCatalog, osId: string): OsEntry {
  const entry = catalog.entries.find((candidate) => candidate.id === osId)
  if (entry === undefined) {
    throw new RingsideError('INVALID_INPUT', `There is no operating system “${osId.slice(0, 64)}” in the catalogue.`, {
      hint: 'Choose “other” when yours is not in the list.',
    })
  }
  return entry
}

/** The entry of the sample machine that Ringside makes itself. */
export const sampleOsId = 'ringside-sample'
