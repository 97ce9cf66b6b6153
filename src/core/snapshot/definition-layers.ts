import type { Disk, MachineDefinition } from '@shared/model'
import { nvramLayer } from '../engine/engine'

/** Layers by the id of their disk, or `nvramLayer`. Paths from the machine's folder. */
export type Tops = Readonly<Record<string, string>>

type Layered = Pick<MachineDefinition, 'disks' | 'firmware'>

/** A disk that the guest writes to and that lies as qcow2 in the machine's own `disks/`. */
export function hasLayers(disk: Disk): disk is Disk & { image: { kind: 'own'; path: string } } {
  return !disk.readOnly && disk.format === 'qcow2' && disk.image.kind === 'own' && /^disks\/[^/]+$/u.test(disk.image.path)
}

/** The layers that a definition names as what the guest writes to. */
export function topsOf(definition: Layered): Tops {
  const disks = definition.disks.filter(hasLayers).map((disk) => [disk.id, disk.image.path] as const)
  const { firmware } = definition
  return Object.fromEntries([...disks, ...(firmware.type === 'uefi' ? [[nvramLayer, firmware.nvram] as const] : [])])
}

/** The definition with other layers in place of those that it names. */
export function withTops<T extends Layered>(definition: T, tops: Tops): T {
  const { firmware } = definition
  const nvram = tops[nvramLayer]
  return {
    ...definition,
    disks: definition.disks.map((disk) => {
      const path = hasLayers(disk) ? tops[disk.id] : undefined
      return path === undefined ? disk : { ...disk, image: { kind: 'own' as const, path } }
    }),
    firmware: firmware.type === 'uefi' && nvram !== undefined ? { ...firmware, nvram } : firmware,
  }
}

/** The definition with its TPM, if it has one, in another state. */
export function withTpmState<T extends Pick<MachineDefinition, 'tpm'>>(definition: T, state: string | null): T {
  return definition.tpm === null || state === null ? definition : { ...definition, tpm: { ...definition.tpm, state } }
}

/** Keys that only one of both has. */
export function differingKeys(one: Tops, other: Tops): string[] {
  return [...Object.keys(one).filter((key) => !(key in other)), ...Object.keys(other).filter((key) => !(key in one))]
}

/** Every file of the machine's own folder that a definition names, and the folder of its TPM's state. */
export function filesOf(definition: MachineDefinition): string[] {
  const { boot: { kernel }, firmware, tpm } = definition
  const images = [...definition.disks.map(({ image }) => image), ...definition.cdroms.map(({ image }) => image), kernel?.kernel ?? null, kernel?.initrd ?? null]
  return [...images.flatMap((image) => (image?.kind === 'own' ? [image.path] : [])), ...(firmware.type === 'uefi' ? [firmware.nvram] : []), ...(tpm === null ? [] : [tpm.state])]
}
