import type { HardwareProperty, MachineHardware } from '@shared/model'
import type { PlacedProperty } from './device-tree'
import { patternOf, valueAt } from './hardware-edits'

/** Parts that one field shows as a whole, and what that is called. */
const wholes: Readonly<Record<string, Partial<Pick<HardwareProperty, 'label' | 'term' | 'help'>>>> = {
  'boot.kernel': { label: 'Kernel of its own', term: '-kernel, -initrd, -append', help: 'A Linux kernel that is started directly, without what the firmware would find.' },
  'display.resolution': { label: 'Resolution', term: 'xres, yres', help: 'What the guest is offered first.' },
  'disks.*.limits': { label: 'Limits', term: 'throttling.bps, iops', help: 'How much it may do in a second. Empty: as much as it can.' },
  'cdroms.*.image': {},
}

/** The properties with those of one part brought together in one. */
export function withoutParts(placed: readonly PlacedProperty[]): PlacedProperty[] {
  const shown = new Map<string, PlacedProperty>()
  for (const each of placed) {
    const pattern = patternOf(each.path)
    const whole = Object.keys(wholes).find((path) => pattern === path || pattern.startsWith(`${path}.`))
    const path = whole === undefined ? each.path : each.path.split('.').slice(0, whole.split('.').length).join('.')
    if (!shown.has(path)) shown.set(path, { path, property: { ...each.property, ...(whole === undefined ? {} : wholes[whole]) } })
  }
  return [...shown.values()]
}

/** Settings that only mean something beside another one. */
export function isShown(path: string, hardware: MachineHardware): boolean {
  switch (patternOf(path)) {
    case 'firmware.secureBoot':
    case 'firmware.nvram':
      return hardware.firmware.type === 'uefi'
    case 'processors.plugged':
      return hardware.processors.maximum !== null || hardware.processors.plugged > 0
    case 'tpm.model': case 'tpm.state':
      return hardware.tpm !== null
    case 'watchdog.action':
      return hardware.watchdog !== null
    // Places and names that come of themselves.
    case 'disks.*.image': case 'disks.*.format': case 'disks.*.slot': case 'nics.*.slot': case 'disks.*.id': case 'cdroms.*.id': case 'nics.*.id': case 'usbDevices.*.id': case 'sharedFolders.*.id':
    case 'usbDevices.*.slot': case 'sharedFolders.*.slot': case 'pciDevices.*.id': case 'pciDevices.*.slot': case 'vsock.slot':
      return false
    default:
      return path.split('.').length < 3 || valueAt(hardware, path.split('.').slice(0, 2).join('.')) !== undefined
  }
}
