import { RingsideError } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import type { ArgumentList } from './argument-list'

/** Options that Ringside itself gives or lives by, and what speaks for leaving them to it. */
const reserved: ReadonlyMap<string, string> = new Map([
  ...grouped('Ringside talks to QEMU by it.', 'qmp', 'qmp-pretty', 'mon', 'monitor', 'pidfile', 'daemonize', 'display', 'vnc', 'nographic', 'curses', 'spice', 'sdl', 'gtk', 'msg', 'D'),
  ...grouped('Ringside decides when the guest runs and from what.', 'S', 'incoming', 'loadvm', 'preconfig', 'no-shutdown', 'no-reboot', 'action', 'watchdog-action', 'run-with', 'no-exit', 'icount', 'replay'),
  ...grouped('It would take the cage away that keeps a guest from this computer.', 'sandbox', 'runas', 'user', 'chroot', 'nodefaults', 'no-user-config', 'readconfig', 'writeconfig', 'plugin', 'L', 'enable-sync-profile'),
  ...grouped('The machine’s hardware has it.', 'name', 'uuid', 'machine', 'M', 'accel', 'enable-kvm', 'cpu', 'smp', 'm', 'rtc', 'boot', 'kernel', 'initrd', 'append', 'bios', 'pflash', 'vga', 'mem-path', 'mem-prealloc', 'localtime'),
  ...grouped('Disks are added as disks, so that their format is never guessed and snapshots hold them.', 'hda', 'hdb', 'hdc', 'hdd', 'fda', 'fdb', 'cdrom', 'sd', 'mtdblock', 'drive', 'snapshot'),
  ...grouped('QEMU would end at once.', 'h', 'help', 'version', 'version-full'),
])

/** Options that take no argument [qemu-options.hx]: what follows one is the next option, or a file that QEMU would take for a disk of a format that it guesses. */
const withoutValue = new Set(['s', 'full-screen', 'usb', 'win2k-hack', 'no-fd-bootchk', 'no-acpi', 'no-hpet', 'singlestep', 'only-migratable', 'show-cursor', 'alt-grab', 'ctrl-grab', 'no-quit', 'xen-attach', 'nodefconfig', 'semihosting'])

/** Options that mean nothing without what follows them. */
const withValue = new Set(['device', 'netdev', 'nic', 'net', 'chardev', 'object', 'global', 'blockdev', 'fsdev', 'virtfs', 'fw_cfg', 'smbios', 'acpitable', 'serial', 'parallel', 'tpmdev', 'audiodev', 'usbdevice', 'numa', 'set', 'trace', 'd', 'dfilter', 'add-fd', 'g', 'k', 'prom-env', 'option-rom'])

function grouped(why: string, ...names: string[]): [string, string][] {
  return names.map((name) => [name, why])
}

/** Everything that speaks against arguments of a person's own, by number. @param ids those of the machine's devices */
export function rawArgumentFaults(rawArguments: readonly string[], ids: ReadonlySet<string>): { index: number; message: string }[] {
  const faults: { index: number; message: string }[] = []
  let takesValue = false
  for (const [index, argument] of rawArguments.entries()) {
    const isOption = argument.startsWith('-')
    const fault = isOption ? (optionFault(argument) ?? missingValue(argument, rawArguments[index + 1])) : takesValue ? valueFault(argument, ids) : `“${argument}” belongs to no option: QEMU would take it for the file of a disk, and guess its format.`
    if (fault !== null) faults.push({ index, message: fault })
    takesValue = isOption && !withoutValue.has(nameOf(argument))
  }
  return faults
}

/** QEMU takes one dash and two for the same. */
function nameOf(argument: string): string {
  return argument.replace(/^--?/u, '')
}

function optionFault(argument: string): string | null {
  const name = nameOf(argument)
  if (name === '') return `“${argument}” is no option.`
  const why = reserved.get(name)
  return why === undefined ? null : `“${argument}” can’t be given by hand. ${why}`
}

function missingValue(argument: string, next: string | undefined): string | null {
  return withValue.has(nameOf(argument)) && (next === undefined || next.startsWith('-')) ? `“${argument}” has nothing after it: what it is given stands on the line below.` : null
}

/** Names that are taken, in either of QEMU's two ways to write options. */
function valueFault(value: string, ids: ReadonlySet<string>): string | null {
  if (value.includes('\0')) return 'An argument can’t have a zero byte in it.'
  for (const [, id = ''] of value.matchAll(/(?:^|[,{\s])"?(?:id|node-name|driver-id)"?\s*[=:]\s*"?([^",}\s]+)/gu)) {
    if (id.startsWith('sys-')) return `The id “${id}” is not free: those that start with “sys-” are Ringside’s own.`
    if (ids.has(id)) return `The id “${id}” is not free: a device of the machine has it.`
  }
  return null
}

/** The ids that the machine's own devices have. */
export function deviceIds({ disks, cdroms, nics, usbDevices, sharedFolders, pciDevices }: Pick<MachineDefinition, 'disks' | 'cdroms' | 'nics' | 'usbDevices' | 'sharedFolders' | 'pciDevices'>): Set<string> {
  return new Set([...disks, ...cdroms, ...nics, ...usbDevices, ...sharedFolders, ...pciDevices].map(({ id }) => id))
}

/** Last, as they are. Throws `INVALID_INPUT` with the first that does not go with what Ringside gives. */
export function addRawArguments(list: ArgumentList, definition: MachineDefinition): void {
  const [fault] = rawArgumentFaults(definition.rawArguments, deviceIds(definition))
  if (fault !== undefined) throw new RingsideError('INVALID_INPUT', fault.message, { hint: 'Correct the arguments of your own in the machine’s hardware.' })
  list.add(...definition.rawArguments)
}
