import { rm } from 'node:fs/promises'
import { imagePath, type MachineFiles } from '../library'
import { definitionFile } from '../library/scan'
import { type Tops, topsOf } from './definition-layers'
import { removeOverlays } from './overlays'

/**
 * Removes overlays, and the state of a TPM, that came to nothing, unless `machine.json` names one: a write can fail after it took effect, and then they are the machine's.
 * Throws what keeps them from being removed, or the definition from being read.
 */
export async function removeUnnamed({ folder }: Pick<MachineFiles, 'folder'>, overlays: Tops, tpmState: string | null = null): Promise<void> {
  const definition = await definitionFile(folder).load()
  const named = Object.values(topsOf(definition))
  if (Object.values(overlays).some((own) => named.includes(own)) || (tpmState !== null && definition.tpm?.state === tpmState)) return
  await removeOverlays(folder, overlays)
  if (tpmState !== null) await rm(imagePath(folder, { kind: 'own', path: tpmState }), { recursive: true, force: true })
}
