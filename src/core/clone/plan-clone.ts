import { RingsideError } from '@shared/errors'
import type { Disk, DiskFormat, ImageLocation, MachineDefinition, MachineOrigin } from '@shared/model'
import { nvramLayer } from '../engine/engine'
import { firstNvramPath, imagePath, ownDiskPath, tpmLine, tpmStatePath } from '../library'
import { withTpmState } from '../snapshot/definition-layers'

/** Who the clone is. */
export interface CloneIdentity {
  readonly id: string
  readonly name: string
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** Program and version. */
  readonly createdBy: string
  /** As many as the original has network cards. */
  readonly macAddresses: readonly string[]
}

export interface CloneBlueprint {
  /** What the clone begins as: the definition of a snapshot, or the machine's own. Nothing writes to its images. */
  readonly source: MachineDefinition
  /** The original's folder. */
  readonly folder: string
  readonly identity: CloneIdentity
  readonly origin: MachineOrigin
  /** Of the disks that are copied. Absent: as they are. */
  readonly encryption?: 'new' | 'none' | undefined
}

/** An image of the original, and the one that the clone gets for it. */
export interface ImagePlan {
  /** A disk's id, or `nvramLayer`. */
  readonly key: string
  /** What it is to the person. */
  readonly label: string
  /** Absolute. */
  readonly from: string
  readonly format: DiskFormat
  readonly encrypted: boolean
  /** What becomes of it in the clone: as it is, encrypted with the clone's own key, or plain. */
  readonly encryption: 'keep' | 'new' | 'none'
  /** From the clone's folder; a qcow2. */
  readonly to: string
}

export interface ClonePlan {
  readonly definition: MachineDefinition
  /** Empty layers upon the original's images. */
  readonly overlays: readonly ImagePlan[]
  /** Written out whole, whatever the layers of the original's. */
  readonly copies: readonly ImagePlan[]
  /** Folders of the TPM's state; null: there is none. The clone gets one of its own, with all that the original's holds. */
  readonly tpm: { readonly from: string; readonly to: string } | null
  /** Taken over byte by byte, to the same place in the clone's folder. */
  readonly files: readonly { readonly from: string; readonly to: string }[]
}

/**
 * What a clone consists of, and how each part of it comes to be. Pure. What lies elsewhere and is only read stays where it is; everything else
 * becomes the clone's own.
 * Throws `IMAGE_UNSUPPORTED` for a disk that a linked clone can't stand on, `INVALID_INPUT` where nothing could be encrypted.
 */
export function planClone({ source, folder, identity, origin, encryption }: CloneBlueprint): ClonePlan {
  const overlays: ImagePlan[] = []
  const copies: ImagePlan[] = []
  const disks = source.disks.map((disk) => {
    if (disk.readOnly && disk.image.kind === 'external') return disk
    const to = ownDiskPath(`${disk.id}.qcow2`)
    const image: ImagePlan = { key: disk.id, label: `disk “${disk.id}”`, from: imagePath(folder, disk.image), format: disk.format, encrypted: disk.encrypted, encryption: encryption ?? 'keep', to }
    if (origin.kind === 'linked' && canStandOn(disk, image.from)) overlays.push(image)
    else copies.push(image)
    return { ...disk, image: { kind: 'own' as const, path: to }, format: 'qcow2' as const, encrypted: encryption === undefined ? disk.encrypted : encryption === 'new' }
  })
  if (encryption === 'new' && copies.length === 0) throw new RingsideError('INVALID_INPUT', `“${identity.name}” would have no disk of its own that could be encrypted.`, { hint: 'Leave the encryption out.' })
  const { firmware, boot: { kernel } } = source
  const tpmState = source.tpm === null ? null : tpmStatePath(tpmLine(source.tpm.state))
  if (firmware.type === 'uefi') {
    // Small, and so not worth reading from another machine for.
    copies.push({ key: nvramLayer, label: 'store of UEFI variables', from: imagePath(folder, { kind: 'own', path: firmware.nvram }), format: 'qcow2', encrypted: false, encryption: 'keep', to: firstNvramPath })
  }
  const others = [...source.cdroms.map(({ image }) => image), kernel?.kernel ?? null, kernel?.initrd ?? null]
  return {
    definition: {
      ...withTpmState(source, tpmState), ...origins(identity, origin), disks,
      firmware: firmware.type === 'uefi' ? { ...firmware, nvram: firstNvramPath } : firmware,
      nics: source.nics.map((nic, index) => ({ ...nic, macAddress: identity.macAddresses[index] ?? nic.macAddress })),
    },
    overlays, copies, files: ownFiles(folder, others),
    tpm: source.tpm === null || tpmState === null ? null : { from: imagePath(folder, { kind: 'own', path: source.tpm.state }), to: tpmState },
  }
}

/**
 * The definition that a warm clone's guest goes on with: the hardware that is in its memory, on the clone's own images. Its network cards
 * keep the addresses that the guest knows until it is started cold.
 * @param running the one that the guest ran with when its memory was written
 * @param clone of the clone, from `planClone`
 */
export function warmDefinition(running: MachineDefinition, clone: MachineDefinition): MachineDefinition {
  const imageOf = (disk: Disk): Disk => {
    const own = clone.disks.find(({ id }) => id === disk.id)
    if (own === undefined) throw new RingsideError('INTERNAL', `The clone has no disk “${disk.id}”, which its guest has in its memory.`)
    return { ...disk, image: own.image, format: own.format, encrypted: own.encrypted }
  }
  const { id, name, notes, createdAt, createdBy, origin } = clone
  return {
    ...withTpmState(running, clone.tpm?.state ?? null), id, name, notes, createdAt, createdBy, origin, snapshotParentId: null, template: false, snapshotPolicy: null, backupPolicy: null,
    disks: running.disks.map(imageOf),
    firmware: running.firmware.type === 'uefi' ? { ...running.firmware, nvram: firstNvramPath } : running.firmware,
  }
}

/** The clone's own network addresses, by card, of those that its guest knows by its original's. */
export function ownAddresses(running: Pick<MachineDefinition, 'nics'>, clone: Pick<MachineDefinition, 'nics'>): Record<string, string> {
  return Object.fromEntries(clone.nics.filter((nic) => running.nics.some(({ id, macAddress }) => id === nic.id && macAddress !== nic.macAddress)).map(({ id, macAddress }) => [id, macAddress]))
}

/** A new machine has no past of its own, and nothing is taken of it by itself that nobody has asked for. */
function origins({ id, name, createdAt, createdBy }: CloneIdentity, origin: MachineOrigin): Pick<MachineDefinition, 'id' | 'name' | 'createdAt' | 'createdBy' | 'origin' | 'snapshotParentId' | 'template' | 'snapshotPolicy' | 'backupPolicy'> {
  return { id, name, createdAt, createdBy, origin, snapshotParentId: null, template: false, snapshotPolicy: null, backupPolicy: null }
}

/** Whether a layer can be put upon a disk; false: a copy does as well, since nothing is written to it. */
function canStandOn(disk: Disk, path: string): boolean {
  const isLayer = disk.format === 'qcow2' || disk.format === 'raw'
  if (disk.image.kind === 'own' && isLayer) return true
  if (disk.readOnly) return false
  const why = disk.image.kind === 'external' ? 'lies outside the machine’s folder, where nothing keeps it from being changed' : `is a ${disk.format} image`
  throw new RingsideError('IMAGE_UNSUPPORTED', `The disk “${disk.id}” ${why}, so no linked clone can stand on it: ${path}`, {
    path, hint: 'Make a full clone, or convert the machine’s disks first.',
  })
}

function ownFiles(folder: string, images: readonly (ImageLocation | null)[]): ClonePlan['files'] {
  const paths = new Set(images.flatMap((image) => (image?.kind === 'own' ? [image.path] : [])))
  return [...paths].map((path) => ({ from: imagePath(folder, { kind: 'own', path }), to: path }))
}
