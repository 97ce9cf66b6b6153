import { randomBytes } from 'node:crypto'
import type { Issue } from '@shared/errors'
import { freshNvram, type MachineDefinition, type MachineHardware } from '@shared/model'
import { newNvramPath } from '../library'

type WithFirmware = Pick<MachineHardware, 'firmware'>

/** The hardware with UEFI variables that begin anew where they can't stay: Secure Boot wants a store with keys in it, and other firmware than without. */
export function withOwnNvram(hardware: MachineHardware, { firmware: now }: WithFirmware): MachineHardware {
  const { firmware } = hardware
  if (firmware.type === 'bios' || now.type === 'bios' || firmware.secureBoot === now.secureBoot) return hardware
  return { ...hardware, firmware: { ...firmware, nvram: freshNvram } }
}

/** The hardware with a place for variables that begin anew. The old store is left where it is; the first start makes the new one. */
export function withNvramPlace(hardware: MachineHardware): MachineHardware {
  const { firmware } = hardware
  if (firmware.type === 'bios' || firmware.nvram !== freshNvram) return hardware
  return { ...hardware, firmware: { ...firmware, nvram: newNvramPath(randomBytes(4).toString('hex')) } }
}

/**
 * What has to be known of UEFI variables that begin anew, and when that can't be.
 * @param running what QEMU has; null: the machine does not run
 */
export function nvramIssues({ firmware }: WithFirmware, stored: WithFirmware, running: MachineDefinition | null): Issue[] {
  const { firmware: now } = stored
  if (firmware.type === 'bios' || now.type === 'bios' || firmware.nvram !== freshNvram) return []
  const path = firmware.secureBoot === now.secureBoot ? 'firmware.nvram' : 'firmware.secureBoot'
  if (running !== null) return [{ path, message: 'The UEFI variables are in use while the machine runs; shut it down first.', severity: 'error' }]
  const unsigned = firmware.secureBoot && !now.secureBoot ? ' What is not signed for Secure Boot does not start any more.' : ''
  return [{
    path, severity: 'warning',
    message: `The machine gets a new store of UEFI variables: boot entries, keys and settings that were made in its firmware are not in it; systems on its disks are found again as a rule.${unsigned} The old store is kept as ${now.nvram} until you delete it under “left over”.`,
  }]
}
