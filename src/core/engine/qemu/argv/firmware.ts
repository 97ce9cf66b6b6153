import { RingsideError } from '@shared/errors'
import type { Firmware, FirmwareImage } from '@shared/model'
import type { ArgumentList } from './argument-list'
import { addNvramNodes } from './block-nodes'
import type { ArgvInput } from './input'
import { codeNode, fileNode, nvramNode } from './node-names'

export interface ChosenFirmware {
  image: FirmwareImage
}

/**
 * The UEFI build for a machine, or null for BIOS. Secure boot takes one with the usual keys enrolled; without it, one that has no secure
 * boot at all comes first, since that needs no system management mode.
 * Throws `CAPABILITY_MISSING` when the computer has none that fits.
 */
export function chooseFirmware(firmware: Firmware, images: readonly FirmwareImage[]): ChosenFirmware | null {
  if (firmware.type === 'bios') return null
  const wanted = firmware.secureBoot
    ? images.filter((image) => image.secureBoot && image.enrolledKeys)
    : [...images.filter((image) => !image.requiresSmm && !image.enrolledKeys), ...images.filter((image) => image.requiresSmm && !image.enrolledKeys)]
  const image = wanted[0]
  if (image !== undefined) return { image }
  throw new RingsideError('CAPABILITY_MISSING', firmware.secureBoot
    ? 'The machine wants UEFI with secure boot, and no such firmware was found on this computer.'
    : 'The machine wants UEFI, and no UEFI firmware for it was found on this computer.', {
    hint: 'Install the firmware (package “ovmf” on Debian and Ubuntu, “edk2-ovmf” on Fedora and Arch; QEMU from Homebrew and for Windows brings it), then probe again.',
  })
}

/** Parts of `-machine` that put the firmware into its flash chips. */
export function pflashMachineOptions(firmware: ChosenFirmware | null): string[] {
  if (firmware === null) return []
  return [...(firmware.image.requiresSmm ? ['smm=on'] : []), `pflash0=${codeNode}`, `pflash1=${nvramNode}`]
}

/** The flash chips: code for all machines alike, variables for this one. */
export function addFirmware(list: ArgumentList, input: ArgvInput, firmware: ChosenFirmware | null): void {
  if (firmware === null) return
  const { codePath, codeFormat, requiresSmm } = firmware.image
  // Only code in system management mode may write the variables, or secure boot means nothing.
  if (requiresSmm) list.add('-global', 'driver=cfi.pflash01,property=secure,value=on')
  list.blockdev({ driver: 'file', 'node-name': fileNode(codeNode), filename: codePath, 'read-only': true })
  list.blockdev({ driver: codeFormat, 'node-name': codeNode, file: fileNode(codeNode), 'read-only': true, ...(codeFormat === 'qcow2' ? { backing: null } : {}) })
  if (input.nvram === null) throw new RingsideError('INTERNAL', 'Nothing is known about the image of the UEFI variables.')
  addNvramNodes(list, input.nvram)
}

/** What is booted: a kernel directly, or the devices in their order. */
export function addBoot(list: ArgumentList, { definition, kernel }: ArgvInput): void {
  // `strict`: firmware tries no device that the definition does not name.
  list.add('-boot', `menu=${definition.boot.menu ? 'on' : 'off'},strict=on`)
  if (kernel === null) return
  list.add('-kernel', kernel.kernel)
  if (kernel.initrd !== null) list.add('-initrd', kernel.initrd)
  const { commandLine } = definition.boot.kernel ?? { commandLine: '' }
  if (commandLine !== '') list.add('-append', commandLine)
}

/** The device's place in the boot order; empty for a device that is not booted from. */
export function bootProperties(id: string, order: readonly string[]): { bootindex: number } | Record<string, never> {
  const index = order.indexOf(id)
  return index === -1 ? {} : { bootindex: index + 1 }
}
