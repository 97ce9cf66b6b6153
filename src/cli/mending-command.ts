import { RingsideError, isRingsideError } from '@shared/errors'
import type { MachineView } from '@shared/model'
import type { Run } from './cli'
import { argument } from './snapshot-output'

/**
 * Waits for work that needs disks which snapshots can hold. Where it fails because of one that can be converted, the error says how that is done from here.
 * @throws what the work throws
 */
export async function orTheCommandThatMends<T>(run: Run, { id, definition }: MachineView, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (!isRingsideError(thrown, 'IMAGE_UNSUPPORTED') || definition.template) throw thrown
    const { obstacles } = await run.client.snapshot.plan({ id })
    if (obstacles.length === 0 || !obstacles.every(({ convertible }) => convertible)) throw thrown
    const hint = `Bring ${obstacles.length === 1 ? 'it' : 'them'} into the machine first; the original stays: ringside snapshot convert-disks ${argument(definition.name, id)}`
    throw new RingsideError(thrown.code, thrown.message, { ...thrown.data, hint }, { cause: thrown })
  }
}
