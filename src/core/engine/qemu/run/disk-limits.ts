import { RingsideError } from '@shared/errors'
import type { DiskLimits, MachineDefinition } from '@shared/model'
import { keyOfNode, withoutPull } from '../argv'
import { QmpCommandError, type QmpClient } from '../qmp'
import { blockCommandMs } from './layers'

/**
 * Limits what a disk does in a second, from now on. The limit belongs to the drive and not to the layer under it, so it goes on to hold when a snapshot puts another layer on top.
 * Throws `NOT_FOUND` for a disk that QEMU has not.
 * @param limits null: none
 */
export async function limitDisk(qmp: QmpClient, definition: Pick<MachineDefinition, 'disks' | 'cdroms'>, diskId: string, limits: DiskLimits | null): Promise<void> {
  const drives = await qmp.executeWithin(blockCommandMs, 'query-block')
  const drive = drives.find(({ inserted }) => keyOfNode(definition, withoutPull(inserted?.['node-name'] ?? '')) === diskId)
  if (drive?.qdev === undefined) throw new RingsideError('NOT_FOUND', `The running machine has no disk “${diskId}”.`)
  // The name that QEMU itself tells is the only one that finds the drive of every kind of device.
  await qmp.executeWithin(blockCommandMs, 'block_set_io_throttle', {
    id: drive.qdev,
    bps: limits?.bytesPerSecond ?? 0, bps_rd: limits?.bytesReadPerSecond ?? 0, bps_wr: limits?.bytesWrittenPerSecond ?? 0,
    iops: limits?.requestsPerSecond ?? 0, iops_rd: limits?.readsPerSecond ?? 0, iops_wr: limits?.writesPerSecond ?? 0,
  }).catch((error: unknown) => {
    throw error instanceof QmpCommandError ? new RingsideError('QEMU_FAILED', `QEMU could not limit the disk “${diskId}”: ${error.description}`, {}, { cause: error }) : error
  })
}
