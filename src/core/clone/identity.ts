import type { MachineDefinition } from '@shared/model'
import { RingsideError } from '@shared/errors'
import type { MachineLibrary } from '../app/services'
import { freeId, randomMacAddress } from '../creation'
import { sameName } from '../library'
import type { CloneIdentity } from './plan-clone'

/** A new machine's id, and an address for each of its network cards that no other machine of the library has. */
export function newIdentity(library: Pick<MachineLibrary, 'list'>, name: string, source: Pick<MachineDefinition, 'nics'>, createdBy: string): CloneIdentity {
  const machines = library.list().map(({ definition }) => definition)
  const taken = machines.flatMap(({ nics }) => nics.map(({ macAddress }) => macAddress))
  const macAddresses: string[] = []
  while (macAddresses.length < source.nics.length) macAddresses.push(randomMacAddress([...taken, ...macAddresses]))
  return { id: freeId(machines.map(({ id }) => id)), name, createdAt: new Date().toISOString(), createdBy, macAddresses }
}

/** Throws `NAME_TAKEN`. The library sees to it as well, but only when much has been done. */
export function requireFreeName(library: Pick<MachineLibrary, 'list'>, name: string): void {
  const other = library.list().find(({ definition }) => sameName(definition.name, name))
  if (other === undefined) return
  throw new RingsideError('NAME_TAKEN', `A machine named “${other.definition.name}” exists already; choose another name.`, {
    hint: 'Names are compared without regard to upper and lower case.',
  })
}
