import type { HardwareProperty, MachineHardware } from '@shared/model'
import { countOf } from '../../lib/format'
import * as words from './device-words'
import { type Change, type DeviceList, isDeviceList, patternOf, touches, valueAt } from './hardware-edits'

/** A row of the tree: a part of the machine, or one of several devices of a kind. */
export interface HardwareNode {
  /** The part’s name, or the path of the device, such as `disks.disk0`. */
  readonly id: string
  readonly parentId: string | null
  readonly label: string
  /** What it is now, in a few words. */
  readonly summary: string
  /** QEMU’s word for it. */
  readonly term: string
  readonly icon: string
  /** It runs now and is not there any more from the next start on. */
  readonly going: boolean
  /** An encrypted disk. */
  readonly encrypted: boolean
}

/** A node as a row: what ARIA tells of its place. */
export interface HardwareRow extends HardwareNode {
  readonly level: number
  readonly position: number
  readonly siblings: number
  readonly expanded: boolean | null
}

interface Part {
  readonly id: string
  readonly label: string
  readonly icon: string
  readonly term: string
  /** Beginnings of the paths that belong to it. */
  readonly paths: readonly string[]
  readonly list?: DeviceList
  readonly summary: (hardware: MachineHardware, osName: string) => string
}

const listed = (list: DeviceList, one: string) => (hardware: MachineHardware): string => (hardware[list].length === 0 ? 'None' : countOf(hardware[list].length, one))

/** The parts of a machine in the order in which a person looks for them. What belongs to none is an expert’s. */
const parts: readonly Part[] = [
  { id: 'system', label: 'System', icon: 'i-lucide-circuit-board', term: '-machine', paths: ['osId', 'accelerator', 'machineType', 'clock', 'engine'], summary: words.systemWords },
  { id: 'processors', label: 'Processors', icon: 'i-lucide-cpu', term: '-smp', paths: ['processors'], summary: words.processorWords },
  { id: 'memory', label: 'Memory', icon: 'i-lucide-memory-stick', term: '-m', paths: ['memoryMiB', 'memory', 'balloon'], summary: words.memoryWords },
  { id: 'firmware', label: 'Firmware & boot', icon: 'i-lucide-power', term: '-boot', paths: ['firmware', 'boot'], summary: words.firmwareWords },
  { id: 'tpm', label: 'TPM', icon: 'i-lucide-key-round', term: '-tpmdev', paths: ['tpm'], summary: words.tpmWords },
  { id: 'disks', label: 'Disks', icon: 'i-lucide-hard-drive', term: '-blockdev', paths: ['disks', 'ioThread'], list: 'disks', summary: listed('disks', 'disk') },
  { id: 'cdroms', label: 'CD drives', icon: 'i-lucide-disc-3', term: '-blockdev', paths: ['cdroms'], list: 'cdroms', summary: listed('cdroms', 'drive') },
  { id: 'nics', label: 'Network', icon: 'i-lucide-network', term: '-netdev', paths: ['nics'], list: 'nics', summary: listed('nics', 'card') },
  { id: 'display', label: 'Display & input', icon: 'i-lucide-monitor', term: '-display', paths: ['display', 'pointer'], summary: words.displayWords },
  { id: 'sound', label: 'Sound', icon: 'i-lucide-volume-2', term: '-audiodev', paths: ['sound'], summary: words.soundWords },
  { id: 'usbDevices', label: 'USB', icon: 'i-lucide-usb', term: 'usb-host', paths: ['usbController', 'usbDevices'], list: 'usbDevices', summary: listed('usbDevices', 'device') },
  { id: 'pciDevices', label: 'PCI devices', icon: 'i-lucide-microchip', term: 'vfio-pci', paths: ['pciDevices'], list: 'pciDevices', summary: listed('pciDevices', 'device') },
  { id: 'serial', label: 'Serial & consoles', icon: 'i-lucide-square-terminal', term: '-serial', paths: ['serialPorts', 'virtioConsoles'], summary: words.serialWords },
  { id: 'sharedFolders', label: 'Shared folders', icon: 'i-lucide-folder-symlink', term: 'virtiofs, virtio-9p', paths: ['sharedFolders'], list: 'sharedFolders', summary: listed('sharedFolders', 'folder') },
  { id: 'guest', label: 'Guest integration', icon: 'i-lucide-arrow-left-right', term: 'virtio-serial', paths: ['guestAgent', 'clipboard', 'randomNumbers', 'vsock'], summary: words.guestWords },
  { id: 'watchdog', label: 'Watchdog & panic', icon: 'i-lucide-shield-alert', term: '-watchdog', paths: ['watchdog', 'panicDevice'], summary: words.watchdogWords },
  {
    id: 'expert', label: 'Expert', icon: 'i-lucide-flask-conical', term: 'argv', paths: ['rawArguments'],
    summary: ({ rawArguments }) => (rawArguments.length === 0 ? 'No arguments of your own' : countOf(rawArguments.length, 'argument')),
  },
]

/** What a device is called: by its place among its kind, as people count. */
export function deviceLabel(hardware: MachineHardware, list: DeviceList, id: string): string {
  const place = hardware[list].findIndex((device) => device.id === id) + 1
  switch (list) {
    case 'disks': return `Disk ${String(place)}`
    case 'cdroms': return hardware.cdroms.length === 1 ? 'CD drive' : `CD drive ${String(place)}`
    case 'nics': return hardware.nics.length === 1 ? 'Network card' : `Network card ${String(place)}`
    case 'usbDevices': return hardware.usbDevices.find((device) => device.id === id)?.name || 'USB device'
    case 'sharedFolders': return hardware.sharedFolders.find((folder) => folder.id === id)?.tag || 'Shared folder'
    case 'pciDevices': return hardware.pciDevices.find((device) => device.id === id)?.name || 'PCI device'
  }
}
const icons: Readonly<Record<DeviceList, string>> = { disks: 'i-lucide-hard-drive', cdroms: 'i-lucide-disc-3', nics: 'i-lucide-ethernet-port', usbDevices: 'i-lucide-usb', sharedFolders: 'i-lucide-folder', pciDevices: 'i-lucide-microchip' }

function deviceSummary(hardware: MachineHardware, list: DeviceList, index: number): string {
  const [disk, cdrom, nic, usb, folder, passed] = [hardware.disks[index], hardware.cdroms[index], hardware.nics[index], hardware.usbDevices[index], hardware.sharedFolders[index], hardware.pciDevices[index]]
  switch (list) {
    case 'disks': return disk ? words.diskFileWords(disk) : ''
    case 'cdroms': return cdrom ? words.cdromWords(cdrom) : ''
    case 'nics': return nic ? words.nicWords(nic) : ''
    case 'usbDevices': return usb ? words.usbWords(usb) : ''
    case 'sharedFolders': return folder ? words.folderWords(folder) : ''
    case 'pciDevices': return passed ? passed.address || 'Not chosen yet' : ''
  }
}

/** All nodes of the machine as it is edited. `running`: what runs now, whose devices that are to go are shown as going. Pure. */
export function nodesOf(hardware: MachineHardware, running: MachineHardware, osName: string): HardwareNode[] {
  return parts.flatMap(({ id, label, icon, term, list, summary }): HardwareNode[] => {
    const part: HardwareNode = { id, parentId: null, label, summary: summary(hardware, osName), term, icon, going: false, encrypted: false }
    if (list === undefined) return [part]
    const node = (of: MachineHardware, device: { id: string }, index: number, going: boolean): HardwareNode => ({
      id: `${list}.${device.id}`, parentId: id, label: deviceLabel(of, list, device.id), summary: deviceSummary(of, list, index), term: device.id, icon: icons[list], going, encrypted: list === 'disks' && of.disks[index]?.encrypted === true,
    })
    const there = new Set(hardware[list].map((device) => device.id))
    const labels = new Set(hardware[list].map((device) => deviceLabel(hardware, list, device.id)))
    // Those that stay are numbered anew.
    const told = (leaving: HardwareNode): HardwareNode => (labels.has(leaving.label) ? { ...leaving, label: `${leaving.label} (${leaving.term})` } : leaving)
    return [
      part,
      ...hardware[list].map((device, index) => node(hardware, device, index, false)),
      ...running[list].flatMap((device, index) => (there.has(device.id) ? [] : [told(node(running, device, index, true))])),
    ]
  })
}

/** The node on which a path is shown: of a property (with `*`), a difference or a fault (with ids). */
export function nodeOf(path: string): string {
  const [first = '', id] = path.split('.')
  if (isDeviceList(first) && id !== undefined && id !== '*') return `${first}.${id}`
  return parts.find((part) => part.paths.includes(first))?.id ?? 'expert'
}

/** A property as one node shows it: with the path of its own device. */
export interface PlacedProperty { readonly path: string; readonly property: HardwareProperty }

/** The properties that a node shows, in the host’s order. */
export function propertiesOf(nodeId: string, properties: readonly HardwareProperty[]): PlacedProperty[] {
  const [list = '', id] = nodeId.split('.')
  return properties.flatMap((property): PlacedProperty[] => {
    const [first, second, ...rest] = property.path.split('.')
    if (second === '*') return id !== undefined && first === list ? [{ path: [list, id, ...rest].join('.'), property }] : []
    return id === undefined && nodeOf(property.path) === nodeId ? [{ path: property.path, property }] : []
  })
}

/** Where a fault is, as a person finds it: the node, and its field where the words of the fault don’t name that. null: it is of the whole. */
export function placeInWords({ path, message }: { readonly path: string; readonly message: string }, nodes: readonly HardwareNode[], properties: readonly HardwareProperty[]): string | null {
  if (path === '') return null
  const node = nodes.find(({ id }) => id === nodeOf(path))?.label
  const pattern = patternOf(path)
  const field = properties.find((property) => pattern === property.path || pattern.startsWith(`${property.path}.`))?.label
  const words = [node, field === node || (field !== undefined && message.startsWith(`${field}:`)) ? undefined : field].filter((each) => each !== undefined)
  return words.length === 0 ? null : words.join(', ')
}

/** Whether a node is meant by what is searched for: by its own words, or by one of its properties. */
export function isMeant(node: HardwareNode, properties: readonly HardwareProperty[], search: string): boolean {
  const wanted = search.toLocaleLowerCase()
  const has = (...texts: readonly string[]): boolean => texts.some((text) => text.toLocaleLowerCase().includes(wanted))
  return has(node.label, node.summary, node.term) || propertiesOf(node.id, properties).some(({ property }) => has(property.label, property.term, property.help))
}

/** The rows that are shown. `folded`: parts whose devices are hidden. `meant`: with a search, those that it means; their parents stay. */
export function rowsOf(nodes: readonly HardwareNode[], folded: ReadonlySet<string>, meant: ((node: HardwareNode) => boolean) | null = null): HardwareRow[] {
  const kept = meant === null ? nodes : nodes.filter((node) => meant(node) || nodes.some((child) => child.parentId === node.id && meant(child)))
  const shown = kept.filter((node) => node.parentId === null || !folded.has(node.parentId))
  return shown.map((node) => {
    const siblings = kept.filter((each) => each.parentId === node.parentId)
    const hasChildren = kept.some((each) => each.parentId === node.id)
    return { ...node, level: node.parentId === null ? 1 : 2, position: siblings.indexOf(node) + 1, siblings: siblings.length, expanded: hasChildren ? !folded.has(node.id) : null }
  })
}

/** Changes that a node shows. A part shows those of its devices only where they have no node of their own any more. */
export function changesAt(nodeId: string, changes: readonly Change[], hardware: MachineHardware): Change[] {
  return changes.filter((change) => {
    const at = nodeOf(change.path)
    if (at === nodeId) return true
    return nodeOf(at.split('.')[0] ?? '') === nodeId && at.includes('.') && valueAt(hardware, at) === undefined
  })
}

/** The change that a property’s field shows, if any. */
export function changeOf(path: string, changes: readonly Change[]): Change | undefined {
  return changes.find((change) => touches(change, path))
}
