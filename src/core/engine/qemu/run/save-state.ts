import type { SavedRun } from '../../engine'
import type { QmpClient } from '../qmp'
import { MemoryTransfer, type MemoryRequest } from './memory-transfer'

/**
 * Writes the state of a paused guest to the file and on to the disk. On failure the file is removed, and the guest is paused as before.
 */
export async function saveState(qmp: QmpClient, request: Omit<MemoryRequest, 'background'>): Promise<SavedRun['ramFormat']> {
  const transfer = await MemoryTransfer.prepare(qmp, { ...request, background: false })
  try {
    await transfer.start()
    return (await transfer.finish()).format
  } catch (error) {
    await transfer.undo()
    throw error
  }
}
