import { RingsideError } from '@shared/errors'
import type { Disposer } from '../app/services'
import { sameName } from '../library'
import type { Survey } from './survey'

/** Names of snapshots that are about to be given: taken, though not on the drive yet. */
export class NamesInUse {
  readonly #reserved = new Map<string, Set<string>>()

  /**
   * Takes a name for a snapshot of a machine until the disposer is called.
   * Throws `NAME_TAKEN`; upper and lower case are the same.
   * @param except the snapshot that is to be called so, which may have the name already
   */
  reserve(survey: Survey, name: string, except: string | null = null): Disposer {
    const { id: machineId } = survey.stored.definition
    const reserved = this.#reserved.get(machineId) ?? new Set()
    const others = [...survey.snapshots.values()].filter(({ manifest }) => manifest.id !== except).map(({ manifest }) => manifest.name)
    const taken = [...others, ...reserved].find((other) => sameName(other, name))
    if (taken !== undefined) {
      throw new RingsideError('NAME_TAKEN', `“${survey.stored.definition.name}” has a snapshot named “${taken}” already; choose another name.`, {
        hint: 'Names are compared without regard to upper and lower case.',
      })
    }
    this.#reserved.set(machineId, reserved.add(name))
    return () => {
      reserved.delete(name)
      if (reserved.size === 0 && this.#reserved.get(machineId) === reserved) this.#reserved.delete(machineId)
    }
  }
}
