import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { MachineDefinition, QemuReport } from '@shared/model'
import { fileError, isDiskFull } from '../../../config'
import { imagePath, isFirstNvram } from '../../../library/paths'
import { chooseFirmware } from '../argv'
import { createImageTool } from '../qemu-img'

/**
 * Makes the machine's own store of UEFI variables from the firmware's template, when it has none yet. As qcow2, so that snapshots can
 * hold it. Nothing happens for a BIOS machine, nor where a layer of a snapshot is missing: an empty store would hide that its content is lost.
 */
export async function ensureNvram({ firmware: wanted }: Pick<MachineDefinition, 'firmware'>, qemu: Pick<QemuReport, 'imgPath' | 'firmware'>, machineFolder: string): Promise<void> {
  const firmware = chooseFirmware(wanted, qemu.firmware)
  if (firmware === null || wanted.type !== 'uefi' || !isFirstNvram(wanted.nvram)) return
  const path = imagePath(machineFolder, { kind: 'own', path: wanted.nvram })
  if (await hasNvram(path)) return
  const { varsTemplatePath, varsFormat } = firmware.image
  const partial = `${path}.partial`
  await mkdir(dirname(path), { recursive: true })
  await rm(partial, { force: true })
  try {
    await createImageTool(qemu.imgPath).convert({
      source: varsTemplatePath, sourceFormat: varsFormat, target: partial, targetFormat: 'qcow2', options: [], onProgress: () => undefined, signal: new AbortController().signal,
    })
    await rename(partial, path)
  } catch (cause) {
    await rm(partial, { force: true })
    if (isDiskFull(cause)) throw fileError({ code: 'ENOSPC' }, path, 'written')
    throw new RingsideError('QEMU_FAILED', `The store for UEFI variables can't be made: ${path}`, {
      path, hint: `Check that ${varsTemplatePath} can be read, and that you may write to the machine’s folder.`,
    }, { cause })
  }
}

/** Whether the store is there. */
export async function hasNvram(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size > 0
  } catch {
    return false
  }
}
