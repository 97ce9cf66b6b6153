import type { DiskBus } from '@shared/model'

/** Buses on which a running guest is told that its disk has another size. */
const telling: readonly DiskBus[] = ['virtio-blk', 'virtio-scsi', 'nvme']

/** What is to be done within the guest once its disk is larger, a sentence each. @param plug null: nobody uses the disk */
export function growHints(plug: { bus: DiskBus; live: boolean } | null): string[] {
  const notice = plug?.live === true && !telling.includes(plug.bus) ? ['The guest notices the new size when it starts the next time: its disk’s bus does not tell it.'] : []
  return [
    ...notice,
    'Linux: the last partition takes the new space with “growpart /dev/vda 1” (as the disk and the partition are called), its file system with “resize2fs /dev/vda1” (ext4), “xfs_growfs /” (XFS) or “btrfs filesystem resize max /”.',
    'Windows: Disk Management, “Extend Volume”.',
  ]
}
