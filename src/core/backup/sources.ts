import { lstat } from 'node:fs/promises'
import type { Disk, MachineDefinition } from '@shared/model'
import { nvramLayer, type TrackedDisk } from '../engine/engine'
import { checkImage, hasNvram, type OfflineDisk } from '../engine/qemu'
import { hardwareOf } from '../hardware/hardware'
import { firstNvramPath, imagePath, keyFileName, ownDiskPath } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { topsOf } from '../snapshot'
import type { BackupWork } from './context'

/** All of a TPM's state that outlives a run; swtpm replaces it whole. */
const tpmStateName = 'tpm2-00.permall'

/** Whether a disk is part of backups. One that lies elsewhere and is only read is none of the machine's own. */
export function isBackedUp(disk: Disk): boolean {
  return !(disk.readOnly && disk.image.kind === 'external')
}

/** Whether what is written to it can be noted in it: nothing of ours goes into files that lie elsewhere. */
export function canBeMarked(disk: Disk): boolean {
  return disk.format === 'qcow2' && disk.image.kind === 'own' && !disk.readOnly
}

/** The keys of the disks that are encrypted, and stay so in a backup. */
export function encryptedKeys({ disks }: Pick<MachineDefinition, 'disks'>): Set<string> {
  return new Set(disks.filter((disk) => disk.encrypted && isBackedUp(disk)).map(({ id }) => id))
}

/** The definition that the machine has at this moment: what waits for the next start is no part of it. */
export function presentDefinition({ held }: Pick<BackupWork, 'held'>): MachineDefinition {
  const { definition } = held.stored
  return held.live && held.run !== null ? { ...definition, ...hardwareOf(held.run.definition) } : definition
}

/** The definition of the machine as the backup holds it: each disk a file of its own. */
export function backupDefinition(definition: MachineDefinition): MachineDefinition {
  const { firmware } = definition
  return {
    ...definition, snapshotParentId: null,
    disks: definition.disks.map((disk) => (isBackedUp(disk) ? { ...disk, image: { kind: 'own' as const, path: ownDiskPath(`${disk.id}.qcow2`) }, format: 'qcow2' as const } : disk)),
    firmware: firmware.type === 'uefi' ? { ...firmware, nvram: firstNvramPath } : firmware,
  }
}

/** The disks of a machine that is off, ready to be opened. Throws what speaks against one. */
export async function offlineDisks({ context, held }: BackupWork, definition: MachineDefinition): Promise<OfflineDisk[]> {
  const { paths } = held.stored
  const allowed = { machineFolder: paths.folder, baseFolders: baseFoldersOf(context.snapshots.library, definition) }
  const disks: OfflineDisk[] = []
  for (const disk of definition.disks.filter(isBackedUp)) {
    const writable = canBeMarked(disk) && !definition.template
    const facts = await checkImage({ path: imagePath(paths.folder, disk.image), format: disk.format, readOnly: !writable, label: `disk “${disk.id}”`, encrypted: disk.encrypted }, allowed)
    disks.push({ key: disk.id, format: disk.format, encrypted: disk.encrypted, writable, facts })
  }
  const { firmware } = definition
  if (firmware.type !== 'uefi') return disks
  const path = imagePath(paths.folder, { kind: 'own', path: firmware.nvram })
  // The variables of a machine that was never started are made by its first start.
  if (!(await hasNvram(path))) return disks
  return [...disks, { key: nvramLayer, format: 'qcow2', encrypted: false, writable: !definition.template, facts: await checkImage({ path, format: 'qcow2', readOnly: definition.template, label: 'store of UEFI variables' }, allowed) }]
}

/** The disks of a running machine that a backup is of. */
export function liveDisks(tracked: Readonly<Record<string, TrackedDisk>>, definition: MachineDefinition): Record<string, TrackedDisk> {
  const kept: Record<string, TrackedDisk> = {}
  for (const [key, disk] of Object.entries(tracked)) {
    const known = definition.disks.find(({ id }) => id === key)
    if (known !== undefined && isBackedUp(known)) kept[key] = { ...disk, writable: disk.writable && canBeMarked(known) }
    else if (key === nvramLayer) kept[key] = disk
  }
  return kept
}

/** Everything else of the machine's folder that it needs: kernels, media, the state of its TPM, the lock of its encrypted disks. From the machine's folder. */
export async function otherFiles(folder: string, definition: MachineDefinition): Promise<string[]> {
  const { boot: { kernel } } = definition
  const images = [...definition.cdroms.map(({ image }) => image), kernel?.kernel ?? null, kernel?.initrd ?? null]
  const named = images.flatMap((image) => (image?.kind === 'own' ? [image.path] : []))
  const state = definition.tpm === null ? null : `${definition.tpm.state}/${tpmStateName}`
  const hasState = state !== null && (await lstat(imagePath(folder, { kind: 'own', path: state })).then((found) => found.isFile(), () => false))
  return [...new Set([...named, ...(hasState ? [state] : []), ...(encryptedKeys(definition).size > 0 ? [keyFileName] : [])])].filter((path) => !Object.values(topsOf(definition)).includes(path))
}
