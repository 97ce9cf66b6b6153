import { type Cdrom, type Disk, type DisplayModel, Firmware, type MainDiskBus, type NicModel, type SoundModel, Tpm, type UsbController } from './devices'
import type { HardwareOverrides, MachineSource } from './create-machine'
import type { HardwareProperty, MachineHardware } from './hardware'
import type { AcceleratorName } from './machine'
import type { OsEntry } from './os-catalog'

/** Whether a property can be a value on this computer, e.g. `('nics.*.model', 'virtio-net')`. */
export type Has = (path: string, value: string) => boolean

/** What a system runs best on, of what there is on this computer: what the wizard makes a machine of, and what the hardware editor suggests. */
export interface BestHardware {
  readonly board: 'q35' | 'pc'
  readonly firmware: 'bios' | 'uefi'
  readonly secureBoot: boolean
  readonly tpm: boolean
  readonly diskBus: MainDiskBus
  readonly cdromBus: Cdrom['bus']
  readonly nicModel: NicModel
  readonly display: DisplayModel
  readonly sound: SoundModel | null
  readonly usbController: UsbController
  readonly clock: MachineHardware['clock']
  readonly pointer: MachineHardware['pointer']
  readonly guestAgent: boolean
  readonly clipboard: boolean
  readonly randomNumbers: boolean
  readonly balloon: boolean
}

/** Systems that know no disk but IDE get the board of their time; every other one the modern board, where IDE is an extra controller. */
export function boardFor({ defaults }: OsEntry): 'q35' | 'pc' {
  return defaults.diskBus === 'ide' ? 'pc' : 'q35'
}

/** Whether a new machine’s system comes from its own medium onto an emulated processor. @param best the accelerator that `auto` means on this computer; null: none works */
export function isEmulatedInstall({ source, hardware }: { source: Pick<MachineSource, 'type'>; hardware: Pick<HardwareOverrides, 'accelerator'> }, best: AcceleratorName | null): boolean {
  const { accelerator = 'auto' } = hardware
  return (accelerator === 'auto' ? best : accelerator) === 'tcg' && (source.type === 'cdrom' || source.type === 'blank')
}

/** The catalogue’s choice; where this QEMU lacks a device, one that every QEMU has. Pure. @param emulatedInstall see `isEmulatedInstall` */
export function bestHardware(os: OsEntry, has: Has, emulatedInstall = false): BestHardware {
  const { defaults } = os
  const or = <T extends string>(path: string, wanted: T, instead: T): T => (has(path, wanted) ? wanted : instead)
  const board = boardFor(os)
  return {
    board,
    firmware: os.requiresUefi === true ? 'uefi' : board === 'pc' ? 'bios' : or('firmware.type', defaults.firmware, 'bios'),
    secureBoot: defaults.secureBoot && has('firmware.secureBoot', 'true'),
    tpm: defaults.tpm && has('tpm.version', '2.0'),
    diskBus: or('disks.*.bus', defaults.diskBus, 'sata'),
    cdromBus: board === 'pc' ? 'ide' : 'sata',
    nicModel: or('nics.*.model', usualNicModel(os, emulatedInstall), or('nics.*.model', defaults.nicModel, 'e1000')),
    display: or('display.model', defaults.display, 'vga'),
    sound: defaults.sound !== null && has('sound.model', defaults.sound) ? defaults.sound : null,
    usbController: or('usbController', defaults.usbController, 'xhci'),
    clock: defaults.clock,
    pointer: defaults.pointer,
    guestAgent: defaults.guestAgent,
    clipboard: defaults.clipboard,
    randomNumbers: defaults.randomNumbers,
    balloon: defaults.balloon,
  }
}

/** The catalogue’s choice of a network card. */
export function usualNicModel({ defaults }: OsEntry, emulatedInstall: boolean): NicModel {
  return emulatedInstall ? (defaults.emulatedNicModel ?? defaults.nicModel) : defaults.nicModel
}

/** One thing that would be better for the system that runs in the machine. */
export interface Suggestion {
  /** Where it is in the hardware, dotted; devices by their ids, as in `disks.disk0.bus`. */
  readonly path: string
  readonly value: unknown
  /** What it is good for, a sentence. */
  readonly why: string
  /** What a system that is installed already may make of it, a sentence; null: nothing. What has one is only done where it was chosen by itself. */
  readonly caution: string | null
  /** Without it the guest does something wrong: said unasked. */
  readonly isNeeded: boolean
}

const hardwareAccelerators: readonly AcceleratorName[] = ['kvm', 'hvf', 'whpx']

/** What an earlier choice is never held against: cards and cartridges that are something of their own. */
const ownBuses: readonly Disk['bus'][] = ['usb', 'sd', 'floppy']

/**
 * Every difference between a machine’s hardware and what suits a system best. Contents of disks, their files, addresses and serial numbers are never part of it, and neither is how much the
 * machine has. Pure.
 * @param boards the versioned machine types that there are
 */
export function suggestionsFor(os: OsEntry, hardware: MachineHardware, has: Has, boards: readonly string[]): Suggestion[] {
  const best = bestHardware(os, has)
  const found: Suggestion[] = []
  const suggest = (path: string, now: unknown, value: unknown, why: string, more: Partial<Pick<Suggestion, 'caution' | 'isNeeded'>> = {}): void => {
    if (now !== value) found.push({ path, value, why, caution: null, isNeeded: false, ...more })
  }
  suggest('osId', hardware.osId, os.id, 'Some hardware is set up in a way of its own for each system.')
  const board = newestBoard(boards, best.board)
  if (board !== null && isOnBoard(hardware.machineType, best.board === 'q35' ? 'pc' : 'q35')) {
    suggest('machineType', hardware.machineType, board, best.board === 'pc' ? 'The board of the system’s time, whose parts it has drivers for.' : 'The modern board, with PCI Express and SATA.', {
      caution: 'A system that is installed already may not start on another board.',
    })
  }
  if (hardware.firmware.type !== best.firmware) {
    const needed = os.requiresUefi === true
    found.push({
      path: 'firmware', value: Firmware.parse({ type: best.firmware, ...(best.secureBoot ? { secureBoot: true } : {}) }), why: needed ? 'Its installer refuses to begin without UEFI.' : best.firmware === 'uefi' ? 'What the system is installed with today.' : 'What the system starts with everywhere.',
      caution: 'A system that is installed already starts only with the firmware that it was installed with.', isNeeded: needed,
    })
  }
  if (hardware.firmware.type === 'uefi' && best.secureBoot && best.firmware === 'uefi') {
    suggest('firmware.secureBoot', hardware.firmware.secureBoot, true, 'Its installer asks for it.', { caution: 'The machine gets a new store of UEFI variables.' })
  }
  if (best.tpm && hardware.tpm === null) found.push({ path: 'tpm', value: Tpm.parse({}), why: 'Its installer asks for a TPM 2.0.', caution: null, isNeeded: false })
  suggest('clock', hardware.clock, best.clock, best.clock === 'localtime' ? `${familyOf(os)} takes the hardware clock for local time.` : `${familyOf(os)} takes the hardware clock for universal time (UTC).`, { isNeeded: true })
  for (const disk of hardware.disks) {
    if (ownBuses.includes(disk.bus) || (disk.readOnly && (best.diskBus === 'sata' || best.diskBus === 'ide'))) continue
    suggest(`disks.${disk.id}.bus`, disk.bus, best.diskBus, isVirtual(best.diskBus) ? 'VirtIO is the fastest, and the system has drivers for it.' : 'The system has drivers for it without any that are added.', {
      caution: isVirtual(disk.bus) ? 'VirtIO is faster once its drivers are in the guest; and a system that is installed already may not find its disk.' : 'A system that is installed already may not find its disk on another bus.',
    })
  }
  for (const drive of hardware.cdroms) {
    if (best.board === 'pc') suggest(`cdroms.${drive.id}.bus`, drive.bus, best.cdromBus, 'The system knows drives on IDE only.')
  }
  const isEmulated = hardware.accelerator === 'tcg' || !hardwareAccelerators.some((name) => has('accelerator', name))
  for (const nic of hardware.nics) {
    if (isEmulated && nic.model === os.defaults.emulatedNicModel) continue
    suggest(`nics.${nic.id}.model`, nic.model, best.nicModel, isVirtual(best.nicModel) ? 'VirtIO is the fastest, and the system has drivers for it.' : 'The system has drivers for it without any that are added.', {
      caution: isVirtual(nic.model) ? 'VirtIO is faster once its drivers are in the guest.' : null,
    })
  }
  if (hardware.display.model !== 'none') {
    suggest('display.model', hardware.display.model, best.display, isVirtual(best.display) ? 'VirtIO graphics follow the size of the window.' : 'Works with the drivers that the system has.', {
      caution: best.display !== 'virtio-vga' && best.display !== 'qxl-vga' && hardware.display.heads > 1 ? 'It has one screen only, and the machine has more.' : null,
    })
  }
  if (best.sound !== null && hardware.sound?.model !== best.sound) {
    found.push({ path: 'sound', value: { model: best.sound }, why: hardware.sound === null ? 'So that the system can be heard.' : 'The system has drivers for it without any that are added.', caution: null, isNeeded: false })
  }
  const older = best.usbController !== 'xhci' && hardware.usbController === 'xhci'
  suggest('usbController', hardware.usbController, best.usbController, older ? `${familyOf(os)} has no drivers for USB 3: its USB devices, the pointer among them, would not work.` : best.usbController === 'xhci' ? 'USB 3 is the fastest, and the system has drivers for it.' : 'The newest that the system has drivers for.', { isNeeded: older })
  suggest('pointer', hardware.pointer, best.pointer, best.pointer === 'tablet' ? 'The guest’s pointer follows that of this computer.' : 'The system knows no other.')
  for (const [path, what] of extras) suggest(path, hardware[path], best[path], best[path] ? what : 'The system has no driver for it.')
  return found
}

const extras = [
  ['guestAgent', 'Tells what the guest is doing, and lets snapshots be clean.'], ['clipboard', 'What is copied in the guest can be pasted here, and the other way round.'],
  ['randomNumbers', 'The guest’s secrets are good ones from the first moment on.'], ['balloon', 'Tells how much memory the guest uses, and gives back what it freed.'],
] as const

/** Hardware with what was chosen of its suggestions. */
export function withSuggestions(hardware: MachineHardware, suggestions: readonly Pick<Suggestion, 'path' | 'value'>[]): MachineHardware {
  return suggestions.reduce((now, { path, value }) => put(now, path.split('.'), value) as MachineHardware, hardware)
}

function put(at: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  if (Array.isArray(at)) return at.map((entry: { id?: unknown }) => (entry.id === key ? put(entry, rest, value) : entry))
  return { ...(at as object), [key]: put((at as Record<string, unknown>)[key], rest, value) }
}

/** What the properties of a machine say about this computer. Where nothing is known, everything goes. */
export function hasByProperties(properties: readonly HardwareProperty[]): Has {
  const known = new Map(properties.map((property) => [property.path, property]))
  return (path, value) => {
    const property = known.get(path)
    if (property === undefined) return true
    if (property.choices.length === 0) return property.obstacle === null
    return property.choices.some((choice) => choice.value === value && choice.obstacle === null)
  }
}

/** The boards that the properties offer. */
export function boardsByProperties(properties: readonly HardwareProperty[]): string[] {
  return properties.find(({ path }) => path === 'machineType')?.choices.filter(({ obstacle }) => obstacle === null).map(({ value }) => value) ?? []
}

/** The newest version of a board; null: there is none. */
export function newestBoard(boards: readonly string[], board: 'q35' | 'pc'): string | null {
  const prefix = board === 'q35' ? 'pc-q35-' : 'pc-i440fx-'
  return boards.filter((name) => name.startsWith(prefix)).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))[0] ?? null
}

function isOnBoard(machineType: string, board: 'q35' | 'pc'): boolean {
  return board === 'q35' ? machineType.includes('q35') : machineType === 'pc' || machineType.includes('i440fx')
}

function isVirtual(model: string): boolean {
  return model.startsWith('virtio-')
}

/** How the system is called where a sentence begins with it. */
function familyOf({ family, name }: OsEntry): string {
  return { windows: 'Windows', linux: 'Linux', bsd: 'BSD', other: name }[family]
}
