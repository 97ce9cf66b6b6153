import { isDeepStrictEqual } from 'node:util'
import type { MachineHardware } from '@shared/model'
import type { LiveChange } from '../engine/live-change'

/** Devices that come and go as they are, and do not change while the machine runs. */
interface Kind<Device> {
  /** Where one that comes is put, or why it has to wait, a sentence. */
  place(device: Device): { slot: number } | string
  /** Why one has to stay, a sentence; null: it can go. */
  stays(device: Device): string | null
  plug(device: Device): LiveChange
  unplug(id: string): LiveChange
  /** What of it the guest or QEMU is told. */
  told(device: Device): Device
  /** Why a change of that waits, a sentence. */
  keeps: string
}

/** What is to be done with a machine that runs. */
export interface Planned {
  /** In the order in which they are made. */
  changes: LiveChange[]
  /** Why something has to wait, by its path. */
  waits: Map<string, string>
}

interface PlannedDevices<Device> extends Planned {
  /** As they are to be, with their places. */
  devices: Device[]
}

interface Lists<Device> {
  /** What runs. */
  running: readonly Device[]
  /** What was to be at the next start before this change. */
  stored: readonly Device[]
  wanted: readonly Device[]
}

/**
 * Tells what of a list of devices comes and goes while the machine runs.
 * @param path of the list
 */
export function planDevices<Device extends { id: string; slot: number | null }>(path: string, { running, stored, wanted }: Lists<Device>, kind: Kind<Device>): PlannedDevices<Device> {
  const changes: LiveChange[] = []
  const waits = new Map<string, string>()
  for (const device of running) {
    const { id } = device
    // One that was to go before waits already, or is being let go of.
    if (wanted.some((other) => other.id === id) || !stored.some((other) => other.id === id)) continue
    const obstacle = kind.stays(device)
    if (obstacle === null) changes.push(kind.unplug(id))
    else waits.set(`${path}.${id}`, obstacle)
  }
  const devices = wanted.map((device): Device => {
    const now = running.find(({ id }) => id === device.id)
    if (now === undefined) {
      const place = kind.place(device)
      if (typeof place === 'string') {
        waits.set(`${path}.${device.id}`, place)
        return { ...device, slot: null }
      }
      const plugged = { ...device, slot: place.slot }
      changes.push(kind.plug(plugged))
      return plugged
    }
    if (!isDeepStrictEqual(kind.told(now), kind.told({ ...device, slot: now.slot }))) waits.set(`${path}.${device.id}`, kind.keeps)
    return { ...device, slot: now.slot }
  })
  return { devices, changes, waits }
}

/** The same for the one device of sockets between guest and host. */
export function planVsock(
  running: Pick<MachineHardware, 'vsock'>, stored: Pick<MachineHardware, 'vsock'>, wanted: MachineHardware['vsock'], { place, stays }: { place: () => { slot: number } | string; stays: () => string | null },
): Planned & { vsock: MachineHardware['vsock'] } {
  const waiting = (vsock: MachineHardware['vsock'], reason: string): ReturnType<typeof planVsock> => ({ vsock, changes: [], waits: new Map([['vsock', reason]]) })
  if (wanted === null) {
    if (running.vsock === null || stored.vsock === null) return { vsock: null, changes: [], waits: new Map() }
    const obstacle = stays()
    return obstacle === null ? { vsock: null, changes: [{ kind: 'unplugVsock' }], waits: new Map() } : waiting(null, obstacle)
  }
  if (running.vsock === null) {
    const found = place()
    if (typeof found === 'string') return waiting({ ...wanted, slot: null }, found)
    const vsock = { ...wanted, slot: found.slot }
    return { vsock, changes: [{ kind: 'plugVsock', vsock }], waits: new Map() }
  }
  const vsock = { ...wanted, slot: running.vsock.slot }
  return wanted.cid === running.vsock.cid ? { vsock, changes: [], waits: new Map() } : waiting(vsock, 'The guest has its number until the next start; switch the sockets off and on again to change it now.')
}
