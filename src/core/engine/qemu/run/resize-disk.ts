import { RingsideError } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import { keyOfNode, withoutPull } from '../argv'
import { QmpCommandError, type QmpClient } from '../qmp'
import { blockCommandMs } from './layers'
import { removeUntrueMarks } from './marks'

/** Makes a disk of a running machine longer, and with it the layer on top. See `EngineSnapshots.resizeDisk`. */
export async function resizeDisk(qmp: QmpClient, definition: MachineDefinition, disk: string, bytes: number): Promise<void> {
  const drives = await qmp.executeWithin(blockCommandMs, 'query-block')
  const node = drives.map(({ inserted }) => inserted?.['node-name'] ?? '').find((name) => keyOfNode(definition, withoutPull(name)) === disk)
  if (node === undefined) throw new RingsideError('NOT_FOUND', `The running machine has no disk “${disk}”.`)
  // QEMU refuses while there is one.
  await removeUntrueMarks(qmp, withoutPull(node))
  await qmp.executeWithin(blockCommandMs, 'block_resize', { 'node-name': node, size: bytes }).catch((error: unknown) => {
    if (!(error instanceof QmpCommandError)) throw error
    if (/No space left/u.test(error.description)) throw new RingsideError('DISK_FULL', `The drive is full; “${disk}” is as large as it was.`, { hint: 'Free some space, then try again.' }, { cause: error })
    throw new RingsideError('QEMU_FAILED', `QEMU could not make “${disk}” larger: ${error.description}`, { hint: 'Try again when the machine is off.' }, { cause: error })
  })
}
