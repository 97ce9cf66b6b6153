import { type AcceleratorName, freshNvram, type HardwareDifference, type MachineDefinition, type MachineHardware } from '@shared/model'
import { type LiveChange, withLiveChange, withoutDevice } from '../engine/live-change'
import type { HeldMachine } from '../machine/held-machine'
import { compareDefinitions } from '../snapshot/compare'
import type { ChangeOptions } from '../app/services'
import type { HardwareWork } from './context'
import { hardwareOf, inPresentLayers, isSameHardware, withHardware, withOwnAddresses } from './hardware'
import { rememberDefinition } from './history'
import { pathOf } from './live-path'
import { type LivePlan, planLive } from './live-plan'
import { goesAlong, isGuestsRefusal, makeAllLive } from './make-live'
import { withNvramPlace } from './nvram'
import { keptSlot } from './places'
import { planSaved, planWaiting } from './saved-plan'
import { makeTpmFolder, removeUnusedTpm } from './tpm'

/** What a change would do to a machine. @param present what its guest has; null: none runs or is saved */
export function planChange(present: PresentHardware | null, stored: MachineDefinition, wanted: MachineHardware): LivePlan {
  if (present?.isSaved === true) return planSaved(present, stored, inStoredPlaces(wanted, stored))
  if (present !== null) return planLive(present.definition, stored, wanted, present.accelerator)
  const hardware = inStoredPlaces(inPresentLayers(wanted, stored), stored)
  const differences = compareDefinitions(stored, withHardware(stored, hardware)).map((difference) => ({ ...difference, when: 'now' as const, reason: null }))
  return { hardware, changes: [], differences: [...differences, ...newVariables(hardware, stored)] }
}

/** What a guest has, and how it runs, or ran when it was saved to disk. */
export interface PresentHardware {
  definition: MachineDefinition
  accelerator: AcceleratorName
  isSaved: boolean
}

/** null: no guest runs or is saved. Throws what speaks against the record of saved state, past which nothing may be changed. */
export async function presentOf(held: Pick<HeldMachine, 'live' | 'run' | 'state' | 'savedGuest'>): Promise<PresentHardware | null> {
  const isSaved = held.state === 'saved'
  const guest = isSaved ? await held.savedGuest() : held.live ? held.run : null
  return guest === null ? null : { definition: withOwnAddresses(guest), accelerator: guest.accelerator, isSaved }
}

/** UEFI variables that begin anew are a difference of their own where nothing else about the firmware is one. */
function newVariables({ firmware }: MachineHardware, { firmware: now }: MachineDefinition): HardwareDifference[] {
  if (firmware.type === 'bios' || now.type === 'bios' || firmware.nvram !== freshNvram || firmware.secureBoot !== now.secureBoot) return []
  return [{ path: 'firmware.nvram', label: 'UEFI variables', then: 'As they are', now: 'New', when: 'now', reason: null }]
}

/** Places are given while a machine runs, and are nobody's to choose. */
function inStoredPlaces(hardware: MachineHardware, stored: MachineDefinition): MachineHardware {
  const placed = <T extends { id: string; slot: number | null }>(devices: T[], known: readonly T[]): T[] => devices.map((device) => ({ ...device, slot: known.find(({ id }) => id === device.id)?.slot ?? null }))
  const disks = hardware.disks.map((disk) => ({ ...disk, slot: keptSlot(disk, stored.disks.find(({ id }) => id === disk.id)) }))
  const vsock = hardware.vsock === null ? null : { ...hardware.vsock, slot: stored.vsock?.slot ?? null }
  return { ...hardware, disks, nics: placed(hardware.nics, stored.nics), usbDevices: placed(hardware.usbDevices, stored.usbDevices), sharedFolders: placed(hardware.sharedFolders, stored.sharedFolders), pciDevices: placed(hardware.pciDevices, stored.pciDevices), vsock }
}

/**
 * Changes a machine that the caller holds. `machine.json` first, whole, with everything that is wanted; then what can be live, one by one, each noted in the record of the run. Cut off
 * anywhere, the stored definition is what is wanted, and QEMU is asked what it has by whoever takes the machine over: what it has not got waits for the next start.
 * A guest that does not let go of a device is no error: the change then waits too. Throws what else keeps a device from being plugged in; it is then not in `machine.json` either.
 */
export async function applyHardware({ context, held }: HardwareWork, wanted: MachineHardware, { forceDiscs = false, again = false }: ChangeOptions = {}): Promise<HardwareDifference[]> {
  const { library } = context.snapshots
  const stored = held.stored.definition
  const present = await presentOf(held)
  const planned = again && present?.isSaved === false ? planWaiting(present, withHardware(stored, wanted)) : planChange(present, stored, wanted)
  const plan = { ...planned, hardware: withNvramPlace(planned.hardware) }
  const anew = planned.hardware.firmware === plan.hardware.firmware ? null : plan.hardware.firmware
  if (plan.changes.length === 0 && anew === null && isSameHardware(plan.hardware, hardwareOf(stored))) return again ? plan.differences : []
  await held.requireFreeImages(withHardware(stored, plan.hardware))
  if (!again) await rememberDefinition(held.stored)
  await context.atStep('hardware:remembered')
  await makeTpmFolder(plan.hardware, held.stored.paths)
  await library.update(held.id, (now) => withNvram(withHardware(now, inPresentLayers(plan.hardware, now)), anew))
  await removeUnusedTpm(stored, plan.hardware, held.stored.paths)
  held.log('hardware.changed', { differences: plan.differences.map(({ path, when }) => ({ path, when })) })
  await context.atStep('hardware:definition-changed')
  if (held.state === 'saved') {
    if (plan.changes.length > 0) await held.noteSaved((saved) => plan.changes.reduce(withLiveChange, saved))
    await context.atStep('hardware:saved-noted')
    return plan.differences
  }
  const waits = new Map<string, string>()
  const failures: unknown[] = []
  for (const { change, error } of await makeAllLive({ context, held }, plan.changes.map((change) => (forceDiscs && change.kind === 'changeMedium' ? { ...change, force: true } : change)))) {
    if (isGuestsRefusal(error)) {
      waits.set(pathOf(change), error.message)
      for (const path of goesAlong(change)) waits.set(path, error.message)
    } else {
      failures.push(error)
      await takeBack({ context, held }, change, stored)
    }
  }
  if (failures.length > 0) throw failures[0]
  return plan.differences.map((difference) => {
    const reason = [...waits].find(([path]) => difference.path === path || difference.path.startsWith(`${path}.`))?.[1]
    return reason === undefined ? difference : { ...difference, when: 'nextStart', reason }
  })
}

/** @param firmware with variables that begin anew, which nothing that lies there now is a layer of; null: they stay */
function withNvram(definition: MachineDefinition, firmware: MachineHardware['firmware'] | null): MachineDefinition {
  return firmware === null ? definition : { ...definition, firmware }
}

/** What could not be made live is as it was in `machine.json` too: at the next start it would fail as well. */
async function takeBack({ context, held }: HardwareWork, change: LiveChange, before: MachineDefinition): Promise<void> {
  await context.snapshots.library.update(held.id, (now): MachineDefinition => {
    switch (change.kind) {
      case 'plugDisk':
        return withoutDevice(now, change.disk.id)
      case 'plugNic':
        return withoutDevice(now, change.nic.id)
      case 'plugUsb':
      case 'plugPci':
        return withoutDevice(now, change.device.id)
      case 'plugFolder':
        return withoutDevice(now, change.folder.id)
      case 'plugVsock':
        return { ...now, vsock: null }
      case 'limitDisk':
        return withLiveChange(now, { ...change, limits: before.disks.find(({ id }) => id === change.id)?.limits ?? null })
      case 'setLink':
        return withLiveChange(now, { ...change, up: before.nics.find(({ id }) => id === change.id)?.linkUp ?? true })
      case 'changeMedium':
        return withLiveChange(now, { ...change, image: before.cdroms.find(({ id }) => id === change.id)?.image ?? null })
      case 'plugMemory':
        return withLiveChange(now, { ...change, pluggedMiB: before.memory.pluggedMiB })
      case 'setMemoryTarget':
        return withLiveChange(now, { ...change, targetMiB: before.memory.targetMiB })
      case 'plugSystem':
        return { ...now, [change.part]: before[change.part] }
      case 'plugTablet':
        return { ...now, pointer: before.pointer }
      case 'plugConsole':
        return { ...now, virtioConsoles: held.run?.definition.virtioConsoles ?? before.virtioConsoles }
      case 'setWatchdogAction':
        return withLiveChange(now, { ...change, action: before.watchdog?.action ?? change.action })
      case 'plugProcessor':
        return withLiveChange(now, { ...change, plugged: held.run?.definition.processors.plugged ?? before.processors.plugged })
      case 'limitProcessorTime':
        return withLiveChange(now, { ...change, percent: before.processors.limitPercent })
      case 'prioritise':
        return withLiveChange(now, { ...change, priority: before.processors.priority })
      case 'unplugDisk':
      case 'unplugNic':
      case 'unplugProcessor':
      case 'unplugUsb':
      case 'unplugTablet':
      case 'unplugFolder':
      case 'unplugVsock':
      case 'unplugPci':
      case 'unplugSystem':
      case 'plugChannels':
      case 'unplugConsole':
        // It goes at the next start.
        return now
    }
  })
}
