import type { ErrorCode, Issue } from '@shared/errors'
import { type HardwareProperty, type MachineDefinition, processorCount } from '@shared/model'
import { boardOf, deviceIds, isExpressNic, maximumFault, plainSlots, rawArgumentFaults, severalHeads } from '../argv'
import { folderObstacle, virtiofsObstacle } from '../virtiofs'
import { maxProcessors } from './choices'
import { hardwareProperties } from './hardware-properties'
import type { HardwareSurroundings } from './surroundings'

/** All that speaks against hardware on this computer and with this QEMU, by the path in the definition. Pure. What no QEMU takes is said by the definition's schema. */
export function hardwareIssues(definition: MachineDefinition, surroundings: HardwareSurroundings): Issue[] {
  const properties = hardwareProperties(definition, surroundings)
  return [
    ...properties.flatMap((property) => valuesAt(definition, property.path.split('.')).flatMap(({ path, value }) => issuesOfValue(property, path, value))),
    ...processorIssues(definition, surroundings), ...memoryIssues(definition, surroundings), ...diskIssues(definition), ...placeIssues(definition), ...displayIssues(definition), ...secureBootIssues(definition), ...folderIssues(definition, surroundings), ...passedIssues(definition, surroundings),
    ...rawArgumentFaults(definition.rawArguments, deviceIds(definition)).map(({ index, message }) => error(`rawArguments.${String(index)}`, message)),
    ...placeWarnings(definition),
  ]
}

function error(path: string, message: string, more: { code?: ErrorCode; received?: string | number | boolean } = {}): Issue {
  return { path, message, severity: 'error', ...(more.code === undefined ? {} : { code: more.code }), ...(more.received === undefined ? {} : { received: String(more.received) }) }
}

function warning(path: string, message: string): Issue {
  return { path, message, severity: 'warning' }
}

/** Every value that a property has in a definition; none where something on the way is not there. */
function valuesAt(from: unknown, names: readonly string[], at: readonly string[] = []): { path: string; value: unknown }[] {
  const [name, ...rest] = names
  if (name === undefined) return [{ path: at.join('.'), value: from }]
  if (typeof from !== 'object' || from === null) return []
  if (name === '*') return Object.values(from).flatMap((value, index) => valuesAt(value, rest, [...at, String(index)]))
  return name in from ? valuesAt((from as Record<string, unknown>)[name], rest, [...at, name]) : []
}

/** An obstacle is one for what is asked for, and none for what is not. */
const notAskedFor = new Set<unknown>([null, false, 0, ''])

function issuesOfValue({ path: of, label, choices, minimum, maximum, unit, kind, obstacle }: HardwareProperty, path: string, value: unknown): Issue[] {
  if (notAskedFor.has(value) && kind !== 'number') return []
  if (kind === 'choice') {
    const choice = choices.find((known) => known.value === value)
    if (choice === undefined) return [error(path, `${label}: “${String(value)}” is not known to QEMU on this computer.`, { code: 'CAPABILITY_MISSING', received: inWords(value) })]
    return choice.obstacle === null ? [] : [error(path, `${label}: ${choice.obstacle}`, { code: 'CAPABILITY_MISSING', received: inWords(value) })]
  }
  if (kind === 'number' && typeof value === 'number') {
    if (of.endsWith('.slot') || (value === 0 && minimum !== null && minimum <= 0)) return []
    if ((minimum !== null && value < minimum) || (maximum !== null && value > maximum)) return [error(path, `${label}: ${rangeInWords(minimum, maximum, unit)}; this is ${String(value)}.`, { received: value })]
  }
  const kept = of === 'firmware.nvram' || of === 'tpm.state' || of === 'disks.*.image' || of === 'disks.*.format' || of === 'display.heads' || of.startsWith('display.resolution')
  if (obstacle === null || kept || value === null) return []
  // One sentence for a device, not one for each of its properties.
  if (of.includes('*') && !of.endsWith('.id')) return []
  return [error(path, `${label}: ${obstacle}`, { code: 'CAPABILITY_MISSING', received: inWords(value) })]
}

function inWords(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function rangeInWords(minimum: number | null, maximum: number | null, unit: string | null): string {
  const of = unit === null ? '' : ` ${unit}`
  if (minimum === null) return `at most ${String(maximum)}${of}`
  return maximum === null ? `at least ${String(minimum)}${of}` : `${String(minimum)} to ${String(maximum)}${of}`
}

function processorIssues(definition: MachineDefinition, surroundings: HardwareSurroundings): Issue[] {
  const { processors, machineType } = definition
  const { qemu, host } = surroundings
  const present = processorCount(processors)
  const count = processors.maximum ?? present
  const fault = maximumFault(processors)
  const most = maxProcessors(definition, surroundings)
  const isKnown = qemu.machineTypes.some(({ name, alias }) => name === machineType || alias === machineType)
  return [
    ...(isKnown && count > most ? [error(processors.maximum === null ? 'processors' : 'processors.maximum', `The machine has ${String(count)} processors, and its board “${machineType}” takes at most ${String(most)}.`, { received: count })] : []),
    ...(fault === null ? [] : [error('processors.maximum', fault, { received: processors.maximum ?? '' })]),
    ...(present > host.logicalProcessors ? [warning('processors', `The machine has ${String(present)} processors, and this computer ${String(host.logicalProcessors)}: it will be slower than with fewer.`)] : []),
    ...processors.features.flatMap((feature, index) => {
      const known = qemu.cpuFeatures
      return known === undefined || known.includes(feature.slice(1)) ? [] : [error(`processors.features.${String(index)}`, `QEMU ${qemu.version} knows no processor feature “${feature.slice(1)}”.`, { code: 'CAPABILITY_MISSING', received: feature })]
    }),
  ]
}

/** With less than that Linux crashes early where memory can be plugged in: 128 MiB did, 256 MiB starts [measured, Linux 6.1]. */
const leastForPluggingMiB = 256

function memoryIssues({ memoryMiB, memory }: MachineDefinition, { host }: HardwareSurroundings): Issue[] {
  const issues: Issue[] = []
  const { maximumMiB, pluggedMiB, targetMiB, hugePages } = memory
  const all = memoryMiB + pluggedMiB
  if (all > host.memoryMiB) issues.push(warning('memoryMiB', `The machine has ${String(all)} MiB of memory, and this computer ${String(host.memoryMiB)} MiB: it may come to a stop.`))
  if (maximumMiB === null && pluggedMiB > 0) issues.push(error('memory.pluggedMiB', 'Memory can only be plugged in where a maximum is set.', { received: pluggedMiB }))
  if (maximumMiB !== null && all > maximumMiB) issues.push(error('memory.pluggedMiB', `The machine may have ${String(maximumMiB)} MiB at most, and would have ${String(all)} MiB.`, { received: pluggedMiB }))
  // The size of the pieces in which virtio-mem gives memory [QEMU: virtio-mem.c, that of transparent huge pages].
  if (maximumMiB !== null && (maximumMiB - memoryMiB) % 2 !== 0) issues.push(error('memory.maximumMiB', 'Memory is plugged in by pieces of 2 MiB: the maximum is an even number of MiB above the memory at start.', { received: maximumMiB }))
  if (pluggedMiB % 2 !== 0) issues.push(error('memory.pluggedMiB', 'Memory is plugged in by pieces of 2 MiB.', { received: pluggedMiB }))
  if (maximumMiB !== null && memoryMiB < leastForPluggingMiB) issues.push(warning('memoryMiB', `Where memory can be plugged in, Linux guests need ${String(leastForPluggingMiB)} MiB from their start; with less they crash as they boot.`))
  if (targetMiB !== null && targetMiB < memoryMiB / 4) issues.push(warning('memory.targetMiB', `The guest is left ${String(targetMiB)} MiB of ${String(memoryMiB)} MiB. With so little it may end programs, or take memory back from the balloon.`))
  if (targetMiB !== null && hugePages) issues.push(warning('memory.targetMiB', 'With huge pages this computer gets hardly any memory back from the balloon.'))
  if (hugePages && host.hugePages !== null) {
    const { pageMiB, free } = host.hugePages
    if (memoryMiB % pageMiB !== 0) issues.push(error('memoryMiB', `With huge pages memory is a multiple of ${String(pageMiB)} MiB.`, { received: memoryMiB }))
    if (all > free * pageMiB) issues.push(warning('memory.hugePages', `${String(free * pageMiB)} MiB of huge pages are free now; the machine needs ${String(all)} MiB of them to start.`))
  }
  return issues
}

function diskIssues({ disks, cdroms }: MachineDefinition): Issue[] {
  const drives = [...disks.map(({ bus }, index) => ({ bus, path: `disks.${String(index)}.bus` })), ...cdroms.map(({ bus }, index) => ({ bus, path: `cdroms.${String(index)}.bus` }))]
  const most: readonly [bus: string, count: number, words: string][] = [
    ['ide', 4, 'A machine takes at most four disks and CD drives on IDE; put the others on SATA.'], ['sd', 1, 'A machine takes one SD card; put the other disks on another bus.'],
    ['floppy', 2, 'A machine takes at most two floppy drives; put the others on another bus.'],
  ]
  return [
    ...most.flatMap(([bus, count, words]) => drives.filter((drive) => drive.bus === bus).slice(count).map(({ path }) => error(path, words, { received: bus }))),
    ...disks.flatMap((disk, index): Issue[] => {
      const path = `disks.${String(index)}`
      const issues: Issue[] = []
      if (disk.readOnly && ['sata', 'ide', 'sd'].includes(disk.bus)) issues.push(error(`${path}.readOnly`, 'QEMU has no read-only disks on SATA, IDE and SD; VirtIO, NVMe and USB can have them.', { received: true }))
      if (disk.detectZeroes === 'unmap' && (!disk.discard || disk.readOnly)) issues.push(warning(`${path}.detectZeroes`, 'Zeroes become holes only where space is given back; they are written quickly instead.'))
      if (disk.aio === 'native' && disk.cache === 'writeback') issues.push(error(`${path}.aio`, 'Linux AIO goes past the host’s cache, and the disk is to go through it.', { received: 'native' }))
      if (disk.bus === 'nvme') issues.push(warning(`${path}.bus`, 'QEMU can’t write the memory of a machine with an NVMe disk: it can’t be saved, and snapshots are of its disks only.'))
      return issues
    }),
  ]
}

/** What finds no place on the board. */
function placeIssues(definition: MachineDefinition): Issue[] {
  if (!boardOf(definition.machineType).pcie) return []
  const { nics, disks, cdroms, sound, watchdog } = definition
  const drives = [...disks, ...cdroms]
  const controllers = Math.max(0, Math.ceil(drives.filter(({ bus }) => bus === 'sata').length / 6) - 1) + (drives.some(({ bus }) => bus === 'ide') ? 1 : 0) + (disks.some(({ bus }) => bus === 'sd') ? 1 : 0)
  const cards = nics.filter((nic) => !isExpressNic(nic)).length
  const oldSound = sound !== null && sound.model !== 'usb-audio' && sound.model !== 'virtio-sound' ? 1 : 0
  const count = controllers + cards + oldSound + (watchdog?.model === 'i6300esb' ? 1 : 0)
  return count <= plainSlots ? [] : [error('nics', `The board takes ${String(plainSlots)} devices of the old PCI kind, and the machine has ${String(count)}. Choose newer models of network cards, such as VirtIO.`, { received: count })]
}

/** QEMU makes devices that are written in its old way before all that Ringside adds: without a place of its own such a one takes that of another. */
function placeWarnings({ rawArguments }: MachineDefinition): Issue[] {
  return rawArguments.flatMap((argument, index) => {
    const isPlaceless = /^--?device$/u.test(rawArguments[index - 1] ?? '') && !argument.startsWith('{') && !/(^|,)bus=/u.test(argument)
    return isPlaceless ? [warning(`rawArguments.${String(index)}`, 'This device takes the first free place on the board, which may be that of the display. Give it a bus and an address, such as “bus=pcie.0,addr=0x1e”.')] : []
  })
}

function displayIssues({ display }: MachineDefinition): Issue[] {
  return display.heads > 1 && !severalHeads.includes(display.model)
    ? [error('display.heads', 'Only VirtIO and QXL displays have more than one screen.', { received: display.heads })]
    : []
}

function passedIssues({ pciDevices, memoryMiB, memory }: MachineDefinition, { host, accelerator }: HardwareSurroundings): Issue[] {
  if (pciDevices.length === 0 || host.pciProblem !== null || accelerator !== 'kvm') return []
  const lacking = host.lockableMiB !== null && host.lockableMiB < memoryMiB + memory.pluggedMiB + 64
  return [
    ...(lacking ? [error('memoryMiB', `With a device of this computer all of the machine’s memory is locked, and you may lock ${String(host.lockableMiB)} MiB. Raise “memlock” for you in /etc/security/limits.conf, and log in again.`, { code: 'CAPABILITY_MISSING', received: memoryMiB })] : []),
    ...pciDevices.flatMap(({ address }, index): Issue[] => {
      const path = `pciDevices.${String(index)}.address`
      if (pciDevices.findIndex((other) => other.address === address) < index) return [error(path, `The machine has the device ${address} twice.`, { received: address })]
      const found = host.pci.find((device) => device.address === address)
      if (found === undefined) return [error(path, `This computer has no device ${address}.`, { code: 'NOT_FOUND', received: address })]
      if (found.obstacle !== null) return [error(path, [found.obstacle.message, found.obstacle.remedy].filter(Boolean).join(' '), { code: 'CAPABILITY_MISSING', received: address })]
      return found.warnings.map((words) => warning(path, words))
    }),
  ]
}

/** Only this board keeps the guest from writing the variables past the firmware (SMM). */
function secureBootIssues({ firmware, machineType }: MachineDefinition): Issue[] {
  return firmware.type === 'uefi' && firmware.secureBoot && !boardOf(machineType).pcie
    ? [error('firmware.secureBoot', 'Secure Boot needs the modern board (Q35).', { received: true })]
    : []
}

function folderIssues({ sharedFolders }: MachineDefinition, { qemu, host }: HardwareSurroundings): Issue[] {
  return sharedFolders.flatMap((folder, index) => {
    const { tag, path, driver } = folder
    const own = driver === 'virtiofs' && virtiofsObstacle(host.virtiofs, qemu, host.platform) === null ? folderObstacle(folder, host.virtiofs, qemu, host.platform) : null
    return [
      ...(sharedFolders.findIndex((folder) => folder.tag === tag) < index ? [error(`sharedFolders.${String(index)}.tag`, `Two shared folders have the tag “${tag}”; each needs its own.`, { received: tag })] : []),
      ...(/^([A-Za-z]:[\\/]|\/)/u.test(path) ? [] : [error(`sharedFolders.${String(index)}.path`, 'Give the folder’s whole path, from the root on.', { received: path })]),
      ...(own === null ? [] : [error(`sharedFolders.${String(index)}.driver`, `Way: ${own}`, { code: 'CAPABILITY_MISSING', received: driver })]),
    ]
  })
}

