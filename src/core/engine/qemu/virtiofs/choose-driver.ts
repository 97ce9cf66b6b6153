import type { QemuReport, SharedFolder } from '@shared/model'
import { capitalised } from '@shared/words'
import type { VirtiofsReport } from './ask-virtiofsd'
import { shareObstacle } from './virtiofsd-argv'

export const virtiofsDevice = 'vhost-user-fs-pci'

/** Why no folder can be shared through virtiofs here, a sentence; null: some can. Pure. */
export function virtiofsObstacle(report: Pick<VirtiofsReport, 'obstacle'>, qemu: Pick<QemuReport, 'version' | 'devices' | 'features'>, platform: NodeJS.Platform): string | null {
  if (platform !== 'linux') return 'Only on Linux.'
  if (!qemu.devices.includes(virtiofsDevice)) return `QEMU ${qemu.version} on this computer was built without ${virtiofsDevice}.`
  if (qemu.features['memfd'] !== true) return 'This QEMU was built without memory that other programs may map, which it needs.'
  return report.obstacle
}

/** Why this folder can’t, a sentence; null: it can. Pure. */
export function folderObstacle(folder: Pick<SharedFolder, 'path' | 'readOnly'>, report: VirtiofsReport, qemu: Pick<QemuReport, 'version' | 'devices' | 'features'>, platform: NodeJS.Platform): string | null {
  const obstacle = virtiofsObstacle(report, qemu, platform)
  if (obstacle !== null || report.virtiofsd === null) return obstacle
  const own = shareObstacle(report.virtiofsd, { folder: folder.path, readOnly: folder.readOnly })
  return own === null ? null : `${capitalised(own)}.`
}
