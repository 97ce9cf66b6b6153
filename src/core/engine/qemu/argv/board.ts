import type { MachineDefinition } from '@shared/model'

/** What the machine type means for where devices go. Decided by name: QEMU tells no more about a board. */
export interface Board {
  /** PCI Express with root ports; otherwise one flat PCI bus. */
  pcie: boolean
  rootBus: 'pcie.0' | 'pci.0'
  /** Names of the built-in buses for disks: six SATA ports, or two IDE channels. */
  builtIn: 'ahci' | 'ide'
}

export function boardOf(machineType: string): Board {
  return /q35/u.test(machineType) ? { pcie: true, rootBus: 'pcie.0', builtIn: 'ahci' } : { pcie: false, rootBus: 'pci.0', builtIn: 'ide' }
}

/** The guest is of the Windows family. Ids of the operating-system catalogue start with the family's name there. */
export function isWindowsGuest(definition: Pick<MachineDefinition, 'osId'>): boolean {
  return /^win/u.test(definition.osId)
}
