import { z } from 'zod'
import { DeviceId, Disk, DiskLimits, type EmptyPlace, ImageLocation, MachineDefinition, mostVirtioConsoles, Nic, PciDevice, SharedFolder, UsbDevice, Vsock, Watchdog } from '@shared/model'
import { hasChannels, leftBehind, leftByTablet, usbPortCount, withoutTablet, withTablet } from './empty-places'

/** A device of the machine itself that is there or is not, each in a place of its own. The names are those of the definition. */
export const SystemPart = z.enum(['balloon', 'randomNumbers', 'guestAgent', 'clipboard'])
export type SystemPart = z.infer<typeof SystemPart>

/** Whether it is a channel to a program in the guest, which is plugged into the controller of channels and taken away without asking. */
export function isChannel(part: SystemPart): boolean {
  return part === 'guestAgent' || part === 'clipboard'
}

/** A device goes, and the guest lets go of it: when it is asked for it, later, or of its own will. */
export const Departure = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('unplugDisk'), id: DeviceId }),
  z.object({ kind: z.literal('unplugNic'), id: DeviceId }),
  z.object({ kind: z.literal('unplugFolder'), id: DeviceId }),
  z.object({ kind: z.literal('unplugVsock') }),
  z.object({ kind: z.literal('unplugPci'), id: DeviceId }),
  z.object({ kind: z.literal('unplugSystem'), part: SystemPart }),
  /** The last one that was put in, so that as many as that stay. */
  z.object({ kind: z.literal('unplugProcessor'), plugged: z.int().min(0) }),
])
export type Departure = z.infer<typeof Departure>

/** A change of a machine that runs. Plain data, so that it crosses the process boundary. */
export const LiveChange = z.discriminatedUnion('kind', [
  Departure,
  /** A new disk, in the place that its `slot` names. */
  z.object({ kind: z.literal('plugDisk'), disk: Disk }),
  z.object({ kind: z.literal('limitDisk'), id: DeviceId, limits: DiskLimits.nullable() }),
  z.object({ kind: z.literal('plugNic'), nic: Nic }),
  z.object({ kind: z.literal('setLink'), id: DeviceId, up: z.boolean() }),
  /** A device of the host’s, on the port of the controller that its `slot` names. */
  z.object({ kind: z.literal('plugUsb'), device: UsbDevice }),
  z.object({ kind: z.literal('unplugUsb'), id: DeviceId }),
  /** The pointer is a tablet, on a port of the controller that nothing is on. */
  z.object({ kind: z.literal('plugTablet'), port: z.int().min(1).max(usbPortCount) }),
  /** The pointer is the PS/2 mouse. */
  z.object({ kind: z.literal('unplugTablet') }),
  /** A folder of the host’s, on the port that its `slot` names. */
  z.object({ kind: z.literal('plugFolder'), folder: SharedFolder }),
  /** Sockets between guest and host, on the port that their `slot` names. A guest has one device of them at most. */
  z.object({ kind: z.literal('plugVsock'), vsock: Vsock }),
  /** A device of the host’s PCI buses, on the port that its `slot` names. */
  z.object({ kind: z.literal('plugPci'), device: PciDevice }),
  /** Another disc in a CD drive; null: none. `force`: also where the guest keeps the drive locked. */
  z.object({ kind: z.literal('changeMedium'), id: DeviceId, image: ImageLocation.nullable(), force: z.boolean().optional() }),
  /** What the guest is given of the memory that can be plugged in, MiB; it takes and gives back in its own time. */
  z.object({ kind: z.literal('plugMemory'), pluggedMiB: z.int().min(0) }),
  /** What the balloon is to leave the guest of its memory at start, MiB; null: all of it. */
  z.object({ kind: z.literal('setMemoryTarget'), targetMiB: z.int().min(1).nullable() }),
  z.object({ kind: z.literal('plugSystem'), part: SystemPart }),
  /** The controller that channels and consoles over VirtIO are on. It stays, whatever is on it. */
  z.object({ kind: z.literal('plugChannels') }),
  /** One console over VirtIO more, so that there are as many as that. */
  z.object({ kind: z.literal('plugConsole'), consoles: z.int().min(1).max(mostVirtioConsoles) }),
  /** The last one, so that as many as that stay. */
  z.object({ kind: z.literal('unplugConsole'), consoles: z.int().min(0).max(mostVirtioConsoles) }),
  z.object({ kind: z.literal('setWatchdogAction'), action: Watchdog.shape.action.unwrap() }),
  /** One processor more, so that as many as that are put in. */
  z.object({ kind: z.literal('plugProcessor'), plugged: z.int().min(1) }),
  /** Of the host's processor time, percent of one processor; null: no limit. */
  z.object({ kind: z.literal('limitProcessorTime'), percent: z.int().min(1).nullable() }),
  z.object({ kind: z.literal('prioritise'), priority: MachineDefinition.shape.processors.shape.priority }),
])
export type LiveChange = z.infer<typeof LiveChange>

/** The definition without a device that comes and goes, also among what is booted from. */
export function withoutDevice(definition: MachineDefinition, id: string): MachineDefinition {
  const others = <T extends { id: string }>(devices: readonly T[]): T[] => devices.filter((device) => device.id !== id)
  const { boot } = definition
  return {
    ...definition, disks: others(definition.disks), nics: others(definition.nics), usbDevices: others(definition.usbDevices), sharedFolders: others(definition.sharedFolders), pciDevices: others(definition.pciDevices),
    boot: boot.order.includes(id) ? { ...boot, order: boot.order.filter((other) => other !== id) } : boot,
  }
}

/** What a running machine has after a live change. */
export function withLiveChange(definition: MachineDefinition, change: LiveChange): MachineDefinition {
  switch (change.kind) {
    case 'plugDisk':
      return { ...definition, disks: [...definition.disks.filter(({ id }) => id !== change.disk.id), change.disk] }
    case 'limitDisk':
      return { ...definition, disks: definition.disks.map((disk) => (disk.id === change.id ? { ...disk, limits: change.limits } : disk)) }
    case 'plugNic':
      return { ...definition, nics: [...definition.nics.filter(({ id }) => id !== change.nic.id), change.nic] }
    case 'setLink':
      return { ...definition, nics: definition.nics.map((nic) => (nic.id === change.id ? { ...nic, linkUp: change.up } : nic)) }
    case 'plugUsb':
      return { ...definition, usbDevices: [...definition.usbDevices.filter(({ id }) => id !== change.device.id), change.device] }
    case 'plugTablet':
      return withTablet(definition, change.port)
    case 'unplugTablet':
      return leaving(withoutTablet(definition), leftByTablet(definition))
    case 'plugFolder':
      return { ...definition, sharedFolders: [...definition.sharedFolders.filter(({ id }) => id !== change.folder.id), change.folder] }
    case 'plugVsock':
      return { ...definition, vsock: change.vsock }
    case 'unplugVsock':
      return leaving({ ...definition, vsock: null }, definition.vsock?.slot === null ? [{ kind: 'vsock' }] : [])
    case 'plugPci':
      return { ...definition, pciDevices: [...definition.pciDevices.filter(({ id }) => id !== change.device.id), change.device] }
    case 'unplugDisk':
    case 'unplugNic':
    case 'unplugFolder':
    case 'unplugPci':
    case 'unplugUsb':
      return leaving(withoutDevice(definition, change.id), leftBehind(definition, change.id))
    case 'changeMedium':
      return { ...definition, cdroms: definition.cdroms.map((cdrom) => (cdrom.id === change.id ? { ...cdrom, image: change.image } : cdrom)) }
    case 'plugMemory':
      return { ...definition, memory: { ...definition.memory, pluggedMiB: change.pluggedMiB } }
    case 'setMemoryTarget':
      return { ...definition, memory: { ...definition.memory, targetMiB: change.targetMiB } }
    case 'plugSystem':
      return { ...definition, [change.part]: true }
    case 'unplugSystem':
      return withChannels({ ...definition, [change.part]: false, ...(change.part === 'balloon' ? { memory: { ...definition.memory, targetMiB: null } } : {}) }, hasChannels(definition))
    case 'plugChannels':
      return withChannels(definition, true)
    case 'plugConsole':
      return { ...definition, virtioConsoles: change.consoles }
    case 'unplugConsole':
      return withChannels({ ...definition, virtioConsoles: change.consoles }, hasChannels(definition))
    case 'setWatchdogAction':
      return { ...definition, watchdog: definition.watchdog === null ? null : { ...definition.watchdog, action: change.action } }
    case 'plugProcessor':
    case 'unplugProcessor':
      return { ...definition, processors: { ...definition.processors, plugged: change.plugged } }
    case 'limitProcessorTime':
      return { ...definition, processors: { ...definition.processors, limitPercent: change.percent } }
    case 'prioritise':
      return { ...definition, processors: { ...definition.processors, priority: change.priority } }
  }
}

/** The definition of what runs, with the controller of channels there or not. One that the definition needs is there. */
export function withChannels(definition: MachineDefinition, isThere: boolean): MachineDefinition {
  if (isThere) return hasChannels(definition) ? definition : leaving(definition, [{ kind: 'channelController' }])
  const { emptyPlaces } = definition
  return emptyPlaces === undefined ? definition : { ...definition, emptyPlaces: emptyPlaces.filter(({ kind }) => kind !== 'channelController') }
}

function leaving(definition: MachineDefinition, left: readonly EmptyPlace[]): MachineDefinition {
  return left.length === 0 ? definition : { ...definition, emptyPlaces: [...(definition.emptyPlaces ?? []), ...left] }
}

/** What comes to the same when it is made twice. The others are known by whether the device is there, of which QEMU is asked. */
export function isRepeatable(change: LiveChange): boolean {
  // The clipboard’s channel is away while memory is written, so that QEMU does not know whether the machine has it.
  if ((change.kind === 'plugSystem' || change.kind === 'unplugSystem') && change.part === 'clipboard') return true
  return !asked.includes(change.kind)
}

const asked: readonly LiveChange['kind'][] = ['plugDisk', 'unplugDisk', 'plugNic', 'unplugNic', 'plugUsb', 'unplugUsb', 'plugTablet', 'unplugTablet', 'plugFolder', 'unplugFolder', 'plugVsock', 'unplugVsock', 'plugPci', 'unplugPci', 'plugSystem', 'unplugSystem', 'plugChannels', 'plugConsole', 'unplugConsole', 'plugProcessor', 'unplugProcessor']
