import { mkdir, rm } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { MachineDefinition, QemuReport } from '@shared/model'
import { fileError } from '../config/file-error'
import { newDiskOptions } from '../creation'
import { nvramLayer } from '../engine/engine'
import { checkImage, copyTpmState, ensureNvram, type QemuImg } from '../engine/qemu'
import { disposableLayerPath, disposableTpmPath, imagePath, type MachineFiles } from '../library/paths'
import type { MachineSlot } from './machine-slot'

/** What a disposable run has in place of the machine's own images. */
export interface DisposableImages {
  definition: MachineDefinition
  /** Disks that lie elsewhere, which the layers read from. */
  baseFiles: string[]
}

/** Why a machine that is saved to disk can't be started so. */
export function savedIsNotDisposable(name: string): RingsideError {
  return new RingsideError('ILLEGAL_STATE', `“${name}” is saved to disk and can't be started disposably: it would use up its saved state, and what it did from there on would be thrown away.`, {
    state: 'saved', hint: 'Start it as usual, or discard its saved state first.',
  })
}

/**
 * Puts empty layers over every image that the guest may write to; of what lies below nothing changes. Throws as a start does for an image
 * that can't be used; what was made then is for `removeDisposableLayers`.
 * @param baseFolders of the machines that this one is a linked clone of
 */
export async function makeDisposableLayers(definition: MachineDefinition, paths: MachineFiles, tool: Pick<QemuImg, 'info' | 'createOverlay'>, qemu: QemuReport, baseFolders: readonly string[]): Promise<DisposableImages> {
  await makeFolder(paths.disposableFolder)
  const makeLayer = async (name: string, label: string, image: { path: string; format: MachineDefinition['disks'][number]['format']; encrypted?: boolean }): Promise<string> => {
    await checkImage({ ...image, readOnly: true, label }, { machineFolder: paths.folder, baseFolders, baseFiles: [] })
    const { virtualBytes } = await tool.info(image.path, image.format)
    const layer = disposableLayerPath(name)
    // By its whole path: the layer is never kept, and so never moved.
    await tool.createOverlay({ path: ownPath(paths, layer), backing: image.path, backingFormat: image.format, virtualBytes, options: newDiskOptions })
    return layer
  }
  const baseFiles: string[] = []
  const disks = await Promise.all(definition.disks.map(async (disk) => {
    if (disk.readOnly) return disk
    const path = imagePath(paths.folder, disk.image)
    if (disk.image.kind === 'external') baseFiles.push(path)
    const layer = await makeLayer(disk.id, `disk “${disk.id}”`, { path, format: disk.format, encrypted: disk.encrypted })
    return { ...disk, image: { kind: 'own' as const, path: layer }, format: 'qcow2' as const }
  }))
  const { firmware } = definition
  const tpm = definition.tpm === null ? null : { ...definition.tpm, state: disposableTpmPath }
  if (definition.tpm !== null) await copyTpmState(ownPath(paths, definition.tpm.state), ownPath(paths, disposableTpmPath))
  if (firmware.type === 'bios') return { definition: { ...definition, disks, tpm }, baseFiles }
  await ensureNvram(definition, qemu, paths.folder)
  const nvram = await makeLayer(nvramLayer, 'store of UEFI variables', { path: ownPath(paths, firmware.nvram), format: 'qcow2' })
  return { definition: { ...definition, disks, tpm, firmware: { ...firmware, nvram } }, baseFiles }
}

/** Throws away what a disposable run has written, or what one left that was cut off. */
export async function removeDisposableLayers({ disposableFolder }: MachineFiles): Promise<void> {
  await rm(disposableFolder, { recursive: true, force: true }).catch((cause: unknown) => {
    throw fileError(cause, disposableFolder, 'removed')
  })
}

/** The same where nothing can be done about it: what stays only takes space, and is tried again at the next start. */
export async function clearDisposable({ stored, log }: Pick<MachineSlot, 'stored' | 'log'>): Promise<void> {
  await removeDisposableLayers(stored.paths).catch((error: unknown) => {
    log.write('disposable.notRemoved', { message: (error as Error).message })
  })
}

function ownPath(paths: MachineFiles, path: string): string {
  return imagePath(paths.folder, { kind: 'own', path })
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((cause: unknown) => {
    throw fileError(cause, path, 'written')
  })
}
