import { isDeepStrictEqual } from 'node:util'
import type { MachineHardware } from '@shared/model'
import type { LiveChange } from '../engine/live-change'

/** How devices of a kind come and go while the machine runs. */
export interface DeviceKind<Device> {
  /** Where one that comes is put, or why it has to wait, a sentence. */
  place(device: Device): { slot: number } | string
  /** Why one has to stay, a sentence; null: it can go. */
  stays(device: Device): string | null
  plug(device: Device): LiveChange
  unplug(id: string): LiveChange
  /** What of it stays as it is: what the guest or QEMU is told as it comes. */
  told(device: Device): Device
  /** Why a change of that waits, a sentence. */
  keeps: string
  /** The change of the rest where it is another now; null: none. Absent: the rest is nobody’s but Ringside’s. */
  adjust?(now: Device, wanted: Device): LiveChange | null
  /** The place of one that is there, as it is wanted. Absent: the one that it has. */
  keptSlot?(wanted: Device, now: Device): number | null
}

/** What of devices changes while the machine runs. */
interface PlannedDevices {
  leaving: LiveChange[]
  /** What comes, and what changes where it is. */
  coming: LiveChange[]
  /** Why something has to wait, by the path of its device. */
  waits: Map<string, string>
}

interface Lists<Device> {
  /** What runs. */
  running: readonly Device[]
  /** What was to be at the next start before this change. */
  stored: readonly Device[]
  wanted: readonly Device[]
}

/**
 * Tells what of a list of devices comes, goes and changes while the machine runs.
 * @param path of the list
 * @returns the devices as they are to be too, with their places
 */
export function planDevices<Device extends { id: string; slot: number | null }>(path: string, { running, stored, wanted }: Lists<Device>, kind: DeviceKind<Device>): PlannedDevices & { devices: Device[] } {
  const waits = new Map<string, string>()
  const leaving: LiveChange[] = []
  for (const device of running) {
    const { id } = device
    // One that was to go before waits already, or is being let go of.
    if (wanted.some((other) => other.id === id) || !stored.some((other) => other.id === id)) continue
    const obstacle = kind.stays(device)
    if (obstacle === null) leaving.push(kind.unplug(id))
    else waits.set(`${path}.${id}`, obstacle)
  }
  const coming: LiveChange[] = []
  const devices = wanted.map((device): Device => {
    const now = running.find(({ id }) => id === device.id)
    if (now === undefined) {
      const place = kind.place(device)
      if (typeof place === 'string') {
        waits.set(`${path}.${device.id}`, place)
        return { ...device, slot: null }
      }
      const plugged = { ...device, slot: place.slot }
      coming.push(kind.plug(plugged))
      return plugged
    }
    if (isDeepStrictEqual(kind.told(now), kind.told({ ...device, slot: now.slot }))) {
      const adjusted = kind.adjust?.(now, device) ?? null
      if (adjusted !== null) coming.push(adjusted)
    } else waits.set(`${path}.${device.id}`, kind.keeps)
    return { ...device, slot: kind.keptSlot === undefined ? now.slot : kind.keptSlot(device, now) }
  })
  return { devices, leaving, coming, waits }
}

/** The same for the one device of sockets between guest and host. */
export function planVsock(
  running: Pick<MachineHardware, 'vsock'>, stored: Pick<MachineHardware, 'vsock'>, wanted: MachineHardware['vsock'], { place, stays }: { place: () => { slot: number } | string; stays: () => string | null },
): PlannedDevices & { vsock: MachineHardware['vsock'] } {
  const staying = (vsock: MachineHardware['vsock']): ReturnType<typeof planVsock> => ({ vsock, leaving: [], coming: [], waits: new Map() })
  const waiting = (vsock: MachineHardware['vsock'], reason: string): ReturnType<typeof planVsock> => ({ ...staying(vsock), waits: new Map([['vsock', reason]]) })
  if (wanted === null) {
    if (running.vsock === null || stored.vsock === null) return staying(null)
    const obstacle = stays()
    return obstacle === null ? { ...staying(null), leaving: [{ kind: 'unplugVsock' }] } : waiting(null, obstacle)
  }
  if (running.vsock === null) {
    const found = place()
    if (typeof found === 'string') return waiting({ ...wanted, slot: null }, found)
    const vsock = { ...wanted, slot: found.slot }
    return { ...staying(vsock), coming: [{ kind: 'plugVsock', vsock }] }
  }
  const vsock = { ...wanted, slot: running.vsock.slot }
  return wanted.cid === running.vsock.cid ? staying(vsock) : waiting(vsock, 'The guest has its number until the next start; switch the sockets off and on again to change it now.')
}
