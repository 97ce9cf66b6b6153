import type { MachineFiles } from '../library'
import { definitionFile } from '../library/scan'
import { type Tops, topsOf } from './definition-layers'
import { removeOverlays } from './overlays'

/**
 * Removes overlays that came to nothing, unless `machine.json` names one: a write can fail after it took effect, and then they are the machine's disks.
 * Throws what keeps them from being removed, or the definition from being read.
 */
export async function removeUnnamed({ folder }: Pick<MachineFiles, 'folder'>, overlays: Tops): Promise<void> {
  const named = Object.values(topsOf(await definitionFile(folder).load()))
  if (!Object.values(overlays).some((own) => named.includes(own))) await removeOverlays(folder, overlays)
}
