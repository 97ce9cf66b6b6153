import { RingsideError } from '@shared/errors'
import type { MachineDefinition, MachineOrigin } from '@shared/model'
import type { MachineLibrary } from '../app/services'

/**
 * Refuses a machine that would write below the linked clones that stand on it, and a clone below which something may have been written: a template that was made
 * a machine again by hand. Throws `DISK_IN_USE`.
 */
export function requireFrozen(library: Pick<MachineLibrary, 'list'>, { id, name, template, origin }: Pick<MachineDefinition, 'id' | 'name' | 'template' | 'origin'>): void {
  const standsOnPresent = (other: MachineOrigin | null): other is MachineOrigin => other?.kind === 'linked' && other.snapshotId === null
  const hint = (original: string): string => `Make “${original}” a template again, by "template": true in its machine.json, and start Ringside again.`
  const clones = library.list().filter(({ definition }) => standsOnPresent(definition.origin) && definition.origin.machineId === id)
  if (!template && clones.length > 0) {
    throw new RingsideError('DISK_IN_USE', `“${name}” was a template, and linked clones read from its disks: ${clones.map(({ definition }) => `“${definition.name}”`).join(', ')}. Started, it would destroy them.`, {
      hint: hint(name),
    })
  }
  const original = standsOnPresent(origin) ? library.list().find(({ definition }) => definition.id === origin.machineId)?.definition : undefined
  if (original?.template === false) {
    throw new RingsideError('DISK_IN_USE', `“${name}” is a linked clone of “${original.name}”, which is no template any more: its disks may have changed below this one.`, { hint: hint(original.name) })
  }
}

/**
 * Folders of the machines whose disks a linked clone reads from, nearest first; empty for any other machine.
 * Throws `NOT_FOUND` that names the machine which is not in the library any more.
 */
export function baseFoldersOf(library: Pick<MachineLibrary, 'list'>, definition: Pick<MachineDefinition, 'name' | 'origin'>): string[] {
  const machines = new Map(library.list().map((machine) => [machine.definition.id, machine]))
  const folders: string[] = []
  for (let { name, origin } = definition; origin?.kind === 'linked';) {
    const base = machines.get(origin.machineId)
    if (base === undefined) {
      throw new RingsideError('NOT_FOUND', `“${name}” is a linked clone of “${origin.machineName}”, which is not in the library, and reads from its disks.`, {
        hint: `Put the folder of “${origin.machineName}” back into the library and start Ringside again.`,
      })
    }
    if (folders.includes(base.paths.folder)) break
    folders.push(base.paths.folder)
    ;({ name, origin } = base.definition)
  }
  return folders
}
