import { randomBytes } from 'node:crypto'
import { RingsideError } from '@shared/errors'
import type { Disk, ImageLocation, MachineDefinition } from '@shared/model'
import { tabletId } from '../../empty-places'
import { type Departure, type LiveChange, withLiveChange } from '../../live-change'
import { keyOfNode, pluggedDiskDevice, pluggedMemoryId, queueService, type BlockNode, takesPort, vsockId } from '../argv'
import { ArgumentList } from '../argv/argument-list'
import { addDiskNodes, cdromNodes } from '../argv/block-nodes'
import { driveNode } from '../argv/node-names'
import { checkImage } from '../image/check-image'
import { QmpCommandError, QmpTimeoutError, type QmpClient } from '../qmp'
import type { JsonObject } from '../qmp/qmp-types'
import { limitDisk } from './disk-limits'
import { limitTime, prioritise, setLink, setMemoryTarget } from './first-settings'
import { blockCommandMs, closeNodes, nodeFiles } from './layers'
import { plugConsole, recoverConsoles, unplugConsole } from './live-consoles'
import { deviceIds, explained, hasDevice, letGo, type LiveMachine, placeOf, requireNoDevice, unplug } from './live-devices'
import { plugFolder, removeFolderParts } from './live-folders'
import { plugPci, plugVsock, vsockLabel } from './live-host-devices'
import { plugNic } from './live-nics'
import { idOfPart, partWithId, plugChannels, plugSystem, recoverSystem, removeSystemParts, setWatchdogAction, unplugSystem } from './live-system-devices'
import { plugTablet, plugUsb, recoverTablet, unplugTablet, unplugUsb } from './live-usb'
import { lastProcessor, plugProcessor, pluggedProcessors } from './processors'
import { imagePath } from './run-files'

/** How long a guest may take to unlock a CD drive after its button was pressed. */
const trayPatienceMs = 5000

/** Processors have no ids, and go by how many there are. */
type DepartedDevice = Exclude<Departure, { kind: 'unplugProcessor' }>

/** Makes one change. See `EngineHardware`. */
export async function makeLiveChange(machine: LiveMachine, change: LiveChange): Promise<void> {
  switch (change.kind) {
    case 'plugDisk':
      return plugDisk(machine, change.disk)
    case 'unplugDisk':
      if (machine.definition.disks.find(({ id }) => id === change.id)?.bus === 'usb') await unplugUsb(machine.qmp, change.id)
      else await unplug(machine, change.id)
      return removeParts(machine, change)
    case 'limitDisk':
      return limitDisk(machine.qmp, machine.definition, change.id, change.limits)
    case 'plugNic':
      return plugNic(machine, change.nic)
    case 'unplugNic':
    case 'unplugFolder':
    case 'unplugPci':
      await unplug(machine, change.id)
      return removeParts(machine, change)
    case 'setLink':
      requireDevice(machine.definition.nics, change.id)
      return setLink(machine.qmp, change.id, change.up)
    case 'plugUsb':
      return plugUsb(machine.qmp, change.device)
    case 'unplugUsb':
      return unplugUsb(machine.qmp, change.id)
    case 'plugTablet':
      return plugTablet(machine.qmp, change.port)
    case 'unplugTablet':
      return unplugTablet(machine.qmp)
    case 'plugFolder':
      return plugFolder(machine, change.folder)
    case 'plugVsock':
      return plugVsock(machine, change.vsock)
    case 'unplugVsock':
      return unplug(machine, vsockId, vsockLabel)
    case 'plugPci':
      return plugPci(machine, change.device)
    case 'changeMedium':
      requireDevice(machine.definition.cdroms, change.id)
      return changeMedium(machine, change.id, change.image, change.force)
    case 'plugMemory':
      return plugMemory(machine.qmp, change.pluggedMiB)
    case 'setMemoryTarget':
      return setMemoryTarget(machine.qmp, withLiveChange(machine.definition, change)).catch((error: unknown) => {
        throw explained(error, 'The memory balloon can’t be set')
      })
    case 'plugSystem':
      return plugSystem(machine, change.part)
    case 'unplugSystem':
      return unplugSystem(machine, change.part)
    case 'plugChannels':
      return plugChannels(machine)
    case 'plugConsole':
      return plugConsole(machine, change.consoles)
    case 'unplugConsole':
      return unplugConsole(machine, change.consoles)
    case 'setWatchdogAction':
      return setWatchdogAction(machine.qmp, change.action)
    case 'plugProcessor':
      return plugProcessor(machine.qmp, machine.definition, change.plugged).catch((error: unknown) => {
        throw explained(error, 'The processor can’t be put in')
      })
    case 'unplugProcessor':
      return unplugProcessor(machine, change.plugged)
    case 'limitProcessorTime': {
      const [obstacle] = await limitTime(withLiveChange(machine.definition, change), machine.pid)
      if (obstacle !== undefined) throw new RingsideError('CAPABILITY_MISSING', obstacle)
      return
    }
    case 'prioritise':
      return changePriority(machine.pid, change.priority)
  }
}

function requireDevice<T extends { id: string }>(devices: readonly T[], id: string): T {
  const device = devices.find((known) => known.id === id)
  if (device === undefined) throw new RingsideError('NOT_FOUND', `The running machine has no device “${id}”.`)
  return device
}

/** Collects nodes for `blockdev-add` in place of arguments. */
class NodeList extends ArgumentList {
  readonly nodes: BlockNode[] = []

  override blockdev(node: BlockNode): void {
    this.nodes.push(node)
  }
}

async function plugDisk({ qmp, plan, definition }: LiveMachine, disk: Disk): Promise<void> {
  await requireNoDevice(qmp, disk.id)
  const facts = await checkImage({ path: imagePath(plan.machineFolder, disk.image), format: disk.format, readOnly: disk.readOnly, label: `disk “${disk.id}”`, encrypted: disk.encrypted }, plan)
  const list = new NodeList()
  addDiskNodes(list, disk, facts, plan)
  const place = disk.slot !== null && takesPort(disk) ? placeOf(plan, definition, disk.slot) : {}
  const opened: string[] = []
  try {
    for (const node of list.nodes) {
      await qmp.executeWithin(blockCommandMs, 'blockdev-add', node)
      opened.unshift(node['node-name'])
    }
    const device = pluggedDiskDevice(disk, queueService(definition, plan.accelerator), place)
    const iothread = device['iothread']
    if (typeof iothread === 'string') await ensureIothread(qmp, iothread)
    await qmp.executeWithin(blockCommandMs, 'device_add', device as JsonObject & { driver: string; id: string })
    if (disk.limits !== null) await limitDisk(qmp, { disks: [disk], cdroms: [] }, disk.id, disk.limits)
  } catch (error) {
    if (!(await hasDevice(qmp, disk.id))) for (const node of opened) await qmp.executeWithin(blockCommandMs, 'blockdev-del', { 'node-name': node }).catch(() => undefined)
    throw explained(error, `The disk “${disk.id}” can’t be plugged in`)
  }
}

async function ensureIothread(qmp: QmpClient, id: string): Promise<void> {
  await qmp.execute('object-add', { 'qom-type': 'iothread', id }).catch((error: unknown) => {
    if (!(error instanceof QmpCommandError) || !/duplicate|already/iu.test(error.description)) throw error
  })
}

/** The guest takes it, or gives it back, as it can. */
async function plugMemory(qmp: QmpClient, pluggedMiB: number): Promise<void> {
  await qmp.execute('qom-set', { path: `/machine/peripheral/${pluggedMemoryId}`, property: 'requested-size', value: pluggedMiB * 2 ** 20 }).catch((error: unknown) => {
    throw explained(error, 'Memory can’t be plugged in')
  })
}

async function changePriority(pid: number, priority: MachineDefinition['processors']['priority']): Promise<void> {
  const [obstacle] = await prioritise(pid, priority)
  if (obstacle !== undefined) throw new RingsideError('CAPABILITY_MISSING', obstacle)
}

/** Asks the guest for the last processor that was put in. Throws `GUEST_FAILED` when it keeps it. */
async function unplugProcessor(machine: LiveMachine, plugged: number): Promise<void> {
  const last = (): Promise<string | null> => lastProcessor(machine.qmp, machine.definition, plugged)
  const path = await last()
  if (path !== null) await letGo(machine, { id: path, label: 'the processor', isThere: async () => (await last()) !== null })
}

/** What a device that the guest has let go of leaves in QEMU and beside it. */
export async function removeParts(machine: Pick<LiveMachine, 'qmp' | 'definition' | 'folders'>, change: DepartedDevice): Promise<void> {
  switch (change.kind) {
    case 'unplugDisk':
      return removeDiskNodes(machine, change.id)
    case 'unplugFolder':
      return removeFolderParts(machine, change.id)
    case 'unplugSystem':
      return removeSystemParts(machine.qmp, change.part)
    // Its network stays.
    case 'unplugNic':
    case 'unplugVsock':
    case 'unplugPci':
      return
  }
}

/** What a change takes out: a device by its id, or `processor`, which no device is called; null: nothing. */
export function leavingBy(change: LiveChange): string | null {
  switch (change.kind) {
    case 'unplugDisk':
    case 'unplugNic':
    case 'unplugUsb':
    case 'unplugFolder':
    case 'unplugPci':
      return change.id
    case 'unplugVsock':
      return vsockId
    case 'unplugSystem':
      return idOfPart(change.part)
    case 'unplugTablet':
      return tabletId
    case 'unplugProcessor':
      return 'processor'
    default:
      return null
  }
}

/** The change by which a device is gone that the guest let go of; null: it is none of the machine’s, or nobody waits for a guest to let go of such. */
export function departureOf(definition: MachineDefinition, id: string): DepartedDevice | null {
  const { disks, nics, sharedFolders, pciDevices, vsock } = definition
  const lists = [['unplugDisk', disks], ['unplugNic', nics], ['unplugFolder', sharedFolders], ['unplugPci', pciDevices]] as const
  const [kind] = lists.find(([, devices]) => devices.some((device) => device.id === id)) ?? []
  if (kind !== undefined) return { kind, id }
  const part = partWithId(id)
  // The clipboard’s channel is taken out for as long as memory is written, and is never the guest’s to let go of.
  if (part === 'clipboard') return null
  if (part !== null) return definition[part] ? { kind: 'unplugSystem', part } : null
  return id === vsockId && vsock !== null ? { kind: 'unplugVsock' } : null
}

/** Whatever of a disk's files QEMU still has open, newest first: each reads from the next. */
async function removeDiskNodes({ qmp, definition }: Pick<LiveMachine, 'qmp' | 'definition'>, id: string): Promise<void> {
  const known = { disks: definition.disks, cdroms: definition.cdroms }
  const own = { ...known, disks: known.disks.some((disk) => disk.id === id) ? known.disks : [...known.disks, { id } as Disk] }
  await closeNodes(qmp, [...(await nodeFiles(qmp)).keys()].filter((node) => keyOfNode(own, node) === id))
}

/**
 * Another disc, or none. The new one is opened before the old one goes, so that a file that can't be used changes nothing.
 * Throws `GUEST_FAILED` when the guest keeps the tray locked.
 * @param force opens a locked tray too: what the guest reads from the disc then fails
 */
async function changeMedium({ qmp, plan, definition }: LiveMachine, id: string, image: ImageLocation | null, force = false): Promise<void> {
  const before = [...(await nodeFiles(qmp)).keys()].filter((node) => keyOfNode(definition, node) === id)
  const name = `${driveNode(id)}.${randomBytes(4).toString('hex')}`
  if (image !== null) {
    const facts = await checkImage({ path: imagePath(plan.machineFolder, image), format: 'raw', readOnly: true, label: `CD image in “${id}”` }, plan)
    try {
      for (const node of cdromNodes(name, facts)) await qmp.executeWithin(blockCommandMs, 'blockdev-add', node)
    } catch (error) {
      await closeNodes(qmp, [name])
      throw explained(error, `The disc can’t be put into “${id}”`)
    }
  }
  try {
    await openTray(qmp, id, force)
    if ((await driveOf(qmp, id))?.inserted !== undefined) await qmp.executeWithin(blockCommandMs, 'blockdev-remove-medium', { id })
    if (image !== null) await qmp.executeWithin(blockCommandMs, 'blockdev-insert-medium', { id, 'node-name': name })
  } catch (error) {
    await closeNodes(qmp, [name])
    throw explained(error, `The disc in “${id}” can’t be changed`)
  } finally {
    await qmp.execute('blockdev-close-tray', { id }).catch(() => undefined)
  }
  await closeNodes(qmp, before)
}

async function openTray(qmp: QmpClient, id: string, force: boolean): Promise<void> {
  const opened = qmp.nextEvent('DEVICE_TRAY_MOVED', (moved) => moved.id === id && moved['tray-open'], trayPatienceMs)
  opened.catch(() => undefined)
  // Where the guest has locked the drive this presses its button, and the guest decides.
  await qmp.execute('blockdev-open-tray', { id, force }).catch((error: unknown) => {
    if (!(error instanceof QmpCommandError) || !/locked/iu.test(error.description)) throw error
  })
  if ((await driveOf(qmp, id))?.tray_open === true) return
  await opened.catch((error: unknown) => {
    if (error instanceof QmpTimeoutError) throw new RingsideError('GUEST_FAILED', `The guest keeps the drive “${id}” locked; the disc is changed at the next start.`, { hint: 'Eject the disc in the guest, then change it again.' })
    throw error
  })
}

async function driveOf(qmp: QmpClient, id: string): Promise<{ inserted?: { file: string; 'node-name'?: string }; tray_open?: boolean } | undefined> {
  const drives = await qmp.executeWithin(blockCommandMs, 'query-block')
  return drives.find(({ qdev }) => qdev === id || qdev?.endsWith(`/${id}`) === true)
}

/**
 * What QEMU has of a definition's devices: asked by whoever takes a machine over, since the one before may have been cut off between a change and its record. What is open
 * and belongs to none of them is closed; limits, links and discs are made as the definition says.
 * `definition` has everything that may be there.
 */
export async function recoverHardware({ qmp, plan, definition, ...machine }: LiveMachine): Promise<MachineDefinition> {
  const { tell } = machine
  const ids = await deviceIds(qmp)
  const gone = (devices: readonly { id: string }[], kind: 'unplugDisk' | 'unplugNic' | 'unplugUsb' | 'unplugFolder' | 'unplugPci'): LiveChange[] => devices.flatMap(({ id }) => (ids.has(id) ? [] : [{ kind, id }]))
  const virtioConsoles = await recoverConsoles(qmp, definition, ids)
  const vsock: LiveChange[] = definition.vsock === null || ids.has(vsockId) ? [] : [{ kind: 'unplugVsock' }]
  const there = [...vsock, ...gone(definition.disks, 'unplugDisk'), ...gone(definition.nics, 'unplugNic'), ...gone(definition.usbDevices, 'unplugUsb'), ...gone(definition.sharedFolders, 'unplugFolder'), ...gone(definition.pciDevices, 'unplugPci')].reduce(withLiveChange, await recoverSystem({ qmp, definition: { ...(await recoverTablet(qmp, definition, ids)), virtioConsoles }, tell }, ids))
  for (const { id } of definition.disks) if (!ids.has(id)) await removeDiskNodes({ qmp, definition }, id)
  for (const { id } of definition.sharedFolders) if (!ids.has(id)) await removeFolderParts({ qmp, folders: machine.folders }, id)
  there.processors = { ...there.processors, plugged: await pluggedProcessors(qmp, there) }
  for (const { id, linkUp } of there.nics) await setLink(qmp, id, linkUp)
  for (const disk of there.disks) {
    await limitDisk(qmp, there, disk.id, disk.limits).catch((error: unknown) => {
      if (disk.limits !== null) tell(`The limits of the disk “${disk.id}” could not be set: ${(error as Error).message}`)
    })
  }
  if (there.memory.maximumMiB !== null) await plugMemory(qmp, there.memory.pluggedMiB).catch((error: unknown) => { tell((error as Error).message) })
  if (there.balloon) await setMemoryTarget(qmp, there).catch((error: unknown) => { tell(`The memory balloon could not be set: ${(error as Error).message}`) })
  // Where these can't be had, the start has said so.
  await limitTime(there, machine.pid)
  await prioritise(machine.pid, there.processors.priority)
  const files = await nodeFiles(qmp)
  for (const { id, image } of there.cdroms) {
    const node = (await driveOf(qmp, id))?.inserted?.['node-name']
    const inDrive = node === undefined ? null : files.get(node)?.file ?? null
    if (inDrive === (image === null ? null : imagePath(plan.machineFolder, image))) continue
    await changeMedium({ ...machine, qmp, plan, definition: there }, id, image).catch((error: unknown) => { tell((error as Error).message) })
  }
  return there
}

