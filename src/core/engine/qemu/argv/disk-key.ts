import { RingsideError } from '@shared/errors'
import type { QemuReport } from '@shared/model'
import type { ArgumentList } from './argument-list'
import { type ArgvInput, luksFeature } from './input'
import { diskKeyId } from './node-names'

/** Why disks can't be encrypted with a QEMU, a sentence; null: they can. */
export function luksObstacle({ version, features }: Pick<QemuReport, 'version' | 'features'>): string | null {
  return features[luksFeature] === true ? null : `QEMU ${version} on this computer was built without encryption of disks (LUKS in qcow2).`
}

/** The key of encrypted disks. QEMU keeps it for as long as it runs, since every further layer is opened with it; what it is read from is gone by then. */
export function addDiskKey(list: ArgumentList, { definition, qemu, files }: ArgvInput): void {
  if (!definition.disks.some(({ encrypted }) => encrypted)) return
  const why = luksObstacle(qemu)
  if (why !== null) throw new RingsideError('CAPABILITY_MISSING', `The machine has encrypted disks. ${why}`, { hint: 'Install the full QEMU package of your system.' })
  list.object({ 'qom-type': 'secret', id: diskKeyId, file: files.diskKey })
}
