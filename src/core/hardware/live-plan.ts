import { isDeepStrictEqual } from 'node:util'
import type { AcceleratorName, Disk, HardwareDifference, MachineDefinition, MachineHardware, Nic, PciDevice, SharedFolder, UsbDevice } from '@shared/model'
import { hasUsbController, usbPorts } from '../engine/empty-places'
import { boardOf, isExpressNic, takesPort } from '../engine/qemu/argv'
import { type LiveChange, withLiveChange } from '../engine/live-change'
import { plugProcessorObstacle, unplugProcessorObstacle } from '../engine/qemu/limits'
import { compareDefinitions } from '../snapshot/compare'
import { inPresentLayers, withHardware } from './hardware'
import { Places, staysOnBoard } from './places'
import { planConsoles, withController } from './plan-channels'
import { planDevices, planVsock } from './plan-devices'
import { planSystem, planWatchdog } from './plan-system'

/** What happens to a machine that runs. */
export interface LivePlan {
  /** The hardware as it is to be, with the places of what is plugged in. */
  hardware: MachineHardware
  /** In the order in which they are made. */
  changes: LiveChange[]
  differences: HardwareDifference[]
}

const noKeyYet = 'The machine was started without the key for encrypted disks; it gets this one at the next start.'
const needsStart = 'QEMU can’t change this while the machine runs.'

/**
 * Tells what of a change can be made while the machine runs, and makes places for what is plugged in.
 * @param running what runs
 * @param stored what was to be at the next start before this change
 */
export function planLive(running: MachineDefinition, stored: MachineDefinition, wantedNow: MachineHardware, accelerator: AcceleratorName): LivePlan {
  const places = new Places(running, wantedNow)
  const hardware = inPresentLayers(wantedNow, running)
  const changes: LiveChange[] = []
  const waits = new Map<string, string>()

  const before = byId(running.disks)
  const after = byId(hardware.disks)
  for (const [id, disk] of before) {
    // One that was to go before waits already, or is being let go of.
    if (after.has(id) || !stored.disks.some((other) => other.id === id)) continue
    const obstacle = unplugDiskObstacle(running, disk)
    if (obstacle === null) changes.push({ kind: 'unplugDisk', id })
    else waits.set(`disks.${id}`, obstacle)
  }
  const cards = byId(running.nics)
  const wantedCards = byId(hardware.nics)
  for (const [id, nic] of cards) {
    if (wantedCards.has(id) || !stored.nics.some((other) => other.id === id)) continue
    const obstacle = unplugNicObstacle(running, nic)
    if (obstacle === null) changes.push({ kind: 'unplugNic', id })
    else waits.set(`nics.${id}`, obstacle)
  }
  const disks = hardware.disks.map((disk) => {
    const now = before.get(disk.id)
    if (now === undefined) {
      const place = disk.encrypted && !running.disks.some(({ encrypted }) => encrypted) ? noKeyYet : places.forDisk(disk)
      if (typeof place === 'string') {
        waits.set(`disks.${disk.id}`, place)
        return { ...disk, slot: null }
      }
      const plugged = { ...disk, slot: place.slot }
      changes.push({ kind: 'plugDisk', disk: plugged })
      return plugged
    }
    if (isDeepStrictEqual({ ...now, limits: null }, { ...disk, limits: null, slot: now.slot }) && !isDeepStrictEqual(now.limits, disk.limits)) {
      changes.push({ kind: 'limitDisk', id: disk.id, limits: disk.limits })
    } else if (!isDeepStrictEqual({ ...now, limits: null }, { ...disk, limits: null, slot: now.slot })) {
      waits.set(`disks.${disk.id}`, 'A disk that is in use keeps what it is like until the next start.')
    }
    return { ...disk, slot: keptSlot(disk, now) }
  })
  const nics = hardware.nics.map((nic) => {
    const now = cards.get(nic.id)
    if (now === undefined) {
      const place = places.forNic(nic)
      if (typeof place === 'string') {
        waits.set(`nics.${nic.id}`, place)
        return { ...nic, slot: null }
      }
      const plugged = { ...nic, slot: place.slot }
      changes.push({ kind: 'plugNic', nic: plugged })
      return plugged
    }
    if (isDeepStrictEqual({ ...now, linkUp: true }, { ...nic, linkUp: true, slot: now.slot })) {
      if (now.linkUp !== nic.linkUp) changes.push({ kind: 'setLink', id: nic.id, up: nic.linkUp })
    } else waits.set(`nics.${nic.id}`, 'A network card keeps its model, address and network until the next start.')
    return { ...nic, slot: now.slot }
  })
  const staysBecauseOfBoard = (): string | null => (boardOf(running.machineType).pcie ? null : staysOnBoard)
  const usb = planDevices<UsbDevice>('usbDevices', { running: running.usbDevices, stored: stored.usbDevices, wanted: hardware.usbDevices }, {
    place: () => places.forUsb(), stays: (device) => unplugUsbObstacle(running, device), plug: (device) => ({ kind: 'plugUsb', device }), unplug: (id) => ({ kind: 'unplugUsb', id }),
    told: (device) => ({ ...device, name: '' }), keeps: 'The rule by which the guest gets a device is that of the start until the next one; take the device out and add it anew to change it now.',
  })
  const folders = planDevices<SharedFolder>('sharedFolders', { running: running.sharedFolders, stored: stored.sharedFolders, wanted: hardware.sharedFolders }, {
    place: (folder) => places.forFolder(folder), stays: staysBecauseOfBoard, plug: (folder) => ({ kind: 'plugFolder', folder }), unplug: (id) => ({ kind: 'unplugFolder', id }),
    told: (folder) => folder, keeps: 'A folder that is shared stays as it is until the next start; remove it and share it anew to change it now.',
  })
  const passed = planDevices<PciDevice>('pciDevices', { running: running.pciDevices, stored: stored.pciDevices, wanted: hardware.pciDevices }, {
    place: () => places.forPassed(accelerator), stays: staysBecauseOfBoard, plug: (device) => ({ kind: 'plugPci', device }), unplug: (id) => ({ kind: 'unplugPci', id }),
    told: (device) => ({ ...device, name: '' }), keeps: 'The guest has the device of the start until the next one; take it out and add the other anew to change it now.',
  })
  const vsock = planVsock(running, stored, hardware.vsock, { place: () => places.forVsock(), stays: staysBecauseOfBoard })
  for (const planned of [usb, folders, passed, vsock]) {
    changes.push(...planned.changes)
    for (const [path, reason] of planned.waits) waits.set(path, reason)
  }
  const drives = byId(running.cdroms)
  for (const cdrom of hardware.cdroms) {
    const now = drives.get(cdrom.id)
    if (now === undefined) continue
    if (now.bus === cdrom.bus && !isDeepStrictEqual(now.image, cdrom.image)) changes.push({ kind: 'changeMedium', id: cdrom.id, image: cdrom.image })
  }
  const { maximumMiB, pluggedMiB } = running.memory
  if (maximumMiB !== null && maximumMiB === hardware.memory.maximumMiB && running.memoryMiB === hardware.memoryMiB && pluggedMiB !== hardware.memory.pluggedMiB) {
    changes.push({ kind: 'plugMemory', pluggedMiB: hardware.memory.pluggedMiB })
  } else if (maximumMiB !== null && pluggedMiB !== hardware.memory.pluggedMiB) waits.set('memory.pluggedMiB', 'It comes with what else changes about the memory.')
  const system = planSystem(running, stored, hardware)
  const consoles = planConsoles(running, hardware)
  changes.push(...withController(running, [...system.changes, ...consoles.changes]), ...planWatchdog(running, hardware))
  for (const [path, reason] of [...system.waits, ...consoles.waits]) waits.set(path, reason)
  const processors = planProcessors(running, hardware, accelerator)
  if (typeof processors === 'string') waits.set('processors.plugged', processors)
  else changes.push(...processors)
  if (running.processors.limitPercent !== hardware.processors.limitPercent) changes.push({ kind: 'limitProcessorTime', percent: hardware.processors.limitPercent })
  if (running.processors.priority !== hardware.processors.priority) changes.push({ kind: 'prioritise', priority: hardware.processors.priority })
  const wanted = { ...hardware, disks, nics, usbDevices: usb.devices, sharedFolders: folders.devices, pciDevices: passed.devices, vsock: vsock.vsock }
  return { hardware: wanted, changes, differences: whenOf(running, stored, wanted, changes, (device) => waits.get(device) ?? needsStart) }
}

/**
 * What a change makes different from what is stored, and what of that is so at once.
 * @param present what the guest has
 * @param whyNot why the rest waits, by the path of its device and its own
 */
export function whenOf(present: MachineDefinition, stored: MachineDefinition, wanted: MachineHardware, changes: readonly LiveChange[], whyNot: (device: string, path: string) => string): HardwareDifference[] {
  const live = new Set(changes.map(pathOf))
  const then = changes.reduce(withLiveChange, present)
  return compareDefinitions(stored, withHardware(stored, inPresentLayers(wanted, stored)))
    .filter((difference) => difference.then !== difference.now)
    .map((difference) => {
      const device = difference.path.split('.').slice(0, 2).join('.')
      if (isLive(difference.path, device, live)) return { ...difference, when: 'now' as const, reason: null }
      // It was to come at the next start, and now is as it is already.
      if (isAsItRuns(then, wanted, difference.path, difference.now)) return { ...difference, when: 'now' as const, reason: null }
      return { ...difference, when: 'nextStart' as const, reason: whyNot(device, difference.path) }
    })
}

/** Where in the hardware a live change shows. */
export function pathOf(change: LiveChange): string {
  switch (change.kind) {
    case 'plugDisk':
      return `disks.${change.disk.id}`
    case 'unplugDisk':
      return `disks.${change.id}`
    case 'limitDisk':
      return `disks.${change.id}.limits`
    case 'plugNic':
      return `nics.${change.nic.id}`
    case 'unplugNic':
      return `nics.${change.id}`
    case 'setLink':
      return `nics.${change.id}.linkUp`
    case 'plugUsb':
      return `usbDevices.${change.device.id}`
    case 'unplugUsb':
      return `usbDevices.${change.id}`
    case 'plugFolder':
      return `sharedFolders.${change.folder.id}`
    case 'unplugFolder':
      return `sharedFolders.${change.id}`
    case 'plugVsock':
    case 'unplugVsock':
      return 'vsock'
    case 'plugPci':
      return `pciDevices.${change.device.id}`
    case 'unplugPci':
      return `pciDevices.${change.id}`
    case 'changeMedium':
      return `cdroms.${change.id}.image`
    case 'plugMemory':
      return 'memory.pluggedMiB'
    case 'setMemoryTarget':
      return 'memory.targetMiB'
    case 'plugSystem':
    case 'unplugSystem':
      return change.part
    case 'plugChannels':
      // Nobody asks for it but what is on it.
      return 'channelController'
    case 'plugConsole':
    case 'unplugConsole':
      return 'virtioConsoles'
    case 'setWatchdogAction':
      return 'watchdog'
    case 'plugProcessor':
    case 'unplugProcessor':
      return 'processors.plugged'
    case 'limitProcessorTime':
      return 'processors.limitPercent'
    case 'prioritise':
      return 'processors.priority'
  }
}

function isLive(path: string, device: string, live: ReadonlySet<string>): boolean {
  return live.has(path) || (device !== path && live.has(device))
}

function isAsItRuns(running: MachineDefinition, wanted: MachineHardware, path: string, now: string | null): boolean {
  const differing = compareDefinitions(running, withHardware(running, wanted)).find((difference) => difference.path === path)
  return differing === undefined || differing.now !== now
}

/** Why a disk stays in the machine as long as it runs, a sentence; null: it can go. */
function unplugDiskObstacle(running: MachineDefinition, disk: Disk): string | null {
  if (disk.bus === 'virtio-scsi') return null
  if (disk.bus === 'usb') return unplugUsbObstacle(running, disk)
  if (!takesPort(disk)) return 'Disks on this bus stay while the machine runs, and go at the next start; VirtIO, NVMe and USB disks can go at once.'
  return boardOf(running.machineType).pcie ? null : staysOnBoard
}

function unplugNicObstacle({ machineType }: MachineDefinition, nic: Nic): string | null {
  if (!isExpressNic(nic)) return 'Network cards of this model stay while the machine runs, and go at the next start; VirtIO cards can go at once. Its cable can be pulled out now.'
  return boardOf(machineType).pcie ? null : staysOnBoard
}

/** The place of a disk is one on its bus. */
export function keptSlot({ bus }: Pick<Disk, 'bus'>, now: Pick<Disk, 'bus' | 'slot'> | undefined): number | null {
  return now !== undefined && placesOf(bus) === placesOf(now.bus) ? now.slot : null
}

function placesOf(bus: Disk['bus']): string {
  return takesPort({ bus }) ? 'port' : bus
}

/** One change for each processor that comes or goes, or why they have to wait, a sentence. */
function planProcessors({ processors: now }: MachineDefinition, { processors: wanted }: MachineHardware, accelerator: AcceleratorName): LiveChange[] | string {
  const more = wanted.plugged - now.plugged
  if (more === 0) return []
  const isSameBoard = now.maximum === wanted.maximum && (['sockets', 'cores', 'threads', 'model'] as const).every((key) => now[key] === wanted[key]) && isDeepStrictEqual(now.features, wanted.features)
  if (!isSameBoard) return 'It comes with what else changes about the processors, at the next start.'
  const obstacle = more > 0 ? plugProcessorObstacle(accelerator) : unplugProcessorObstacle(accelerator)
  if (obstacle !== null) return obstacle
  return Array.from({ length: Math.abs(more) }, (_, index) => (more > 0 ? { kind: 'plugProcessor', plugged: now.plugged + index + 1 } : { kind: 'unplugProcessor', plugged: now.plugged - index - 1 }))
}

/** Ports of the controller are given in order: what comes behind a device that goes keeps its own only where it is known which that is. */
function unplugUsbObstacle(running: MachineDefinition, { id, slot }: { id: string; slot: number | null }): string | null {
  if (running.usbController === 'xhci' && (slot !== null || usbPorts(running).has(id))) return null
  const rest = { ...running, usbDevices: running.usbDevices.filter((device) => device.id !== id), disks: running.disks.filter((disk) => disk.id !== id) }
  if (!hasUsbController(rest)) return 'The USB controller goes with it: both are taken out at the next start.'
  const last = [...running.usbDevices.filter((device) => device.slot === null).map((device) => device.id), ...running.disks.filter(({ bus }) => bus === 'usb').map((disk) => disk.id)].at(-1)
  const isLast = last === id && !running.cdroms.some(({ bus }) => bus === 'usb') && running.sound?.model !== 'usb-audio'
  return isLast ? null : 'Others were plugged in behind it at the start, and would be elsewhere without it: it is taken out at the next start.'
}

function byId<T extends { id: string }>(devices: readonly T[]): Map<string, T> {
  return new Map(devices.map((device) => [device.id, device]))
}
