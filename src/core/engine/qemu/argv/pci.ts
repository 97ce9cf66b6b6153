import { RingsideError } from '@shared/errors'
import { spareRootPorts } from '../../engine'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import type { Board } from './board'

const firstPortSlot = 0x2
const firstPlainSlot = 0x10
/** Up to where the USB controllers of the old kind are. */
export const plainSlots = 13
const oldUsbSlot = '0x1d'

/** Devices of the machine itself, whose ports are there whether they are or not. */
const systemDevices = ['usb', 'channels', 'balloon', 'random'] as const
export type SystemDevice = (typeof systemDevices)[number]

/** Nothing behind a root port needs I/O ports, which would run out at some fourteen ports: firmware reserves 4 KiB for each. */
const withoutIoPorts = { 'io-reserve': 0 }

/**
 * Hands out places on the PCI bus. PCI Express devices get a root port each, as on real boards, eight ports to a slot; old PCI devices
 * are put on the root bus. All addresses are explicit, and network cards come before disks, because guests name cards by the number of
 * the bus behind the port (`enp5s0`), and firmware counts those in order: a disk more must not rename a card.
 */
export class PciBus {
  #ports = 0
  #plain = 0
  #firstSpare: number | null = null
  readonly #taken = new Set<number>()

  constructor(private readonly list: ArgumentList, private readonly board: Board) {
    if (board.pcie) for (const _ of systemDevices) this.#rootPort(withoutIoPorts)
  }

  /** The display adapter: first, where firmware looks for it. */
  displayPlace(): JsonObject {
    return this.board.pcie ? { bus: 'pcie.0', addr: '0x1' } : { bus: 'pci.0' }
  }

  systemPlace(device: SystemDevice): JsonObject {
    return systemPlace(this.board, device)
  }

  /** A place for a PCI Express or virtio device. Adds the root port. */
  expressPlace(): JsonObject {
    return { bus: this.board.pcie ? this.#rootPort(withoutIoPorts) : 'pci.0' }
  }

  /** A place for a device of the host, whose own drivers may want I/O ports. Adds the root port. */
  passedPlace(): JsonObject {
    return { bus: this.board.pcie ? this.#rootPort({}) : 'pci.0' }
  }

  /** A place for a device of the old PCI kind. */
  plainPlace(): JsonObject {
    if (!this.board.pcie) return { bus: 'pci.0' }
    if (this.#plain >= plainSlots) throw new RingsideError('INVALID_INPUT', `The machine's board takes at most ${String(plainSlots)} devices of the old PCI kind.`, { hint: 'Choose newer models for some of its devices, such as VirtIO.' })
    return { bus: 'pcie.0', addr: `0x${(firstPlainSlot + this.#plain++).toString(16)}` }
  }

  /** Where USB controllers of the old kind are on real boards too. */
  oldUsbPlace(part: number): JsonObject {
    return { bus: this.board.rootBus, addr: `${oldUsbSlot}.0x${String(part)}` }
  }

  addSparePorts(): void {
    if (!this.board.pcie) return
    this.#firstSpare = this.#ports
    for (let n = 0; n < spareRootPorts; n++) this.#rootPort({})
  }

  get hasSparePorts(): boolean {
    return this.#firstSpare !== null
  }

  /** Whether a device has a spare port of its own. Only a board with ports has any. */
  isPlugged<T extends { slot: number | null }>(device: T, express: boolean): device is T & { slot: number } {
    return device.slot !== null && express && this.board.pcie
  }

  /** The spare port that a device was plugged into while the machine ran. Only once they are there. Throws `INVALID_INPUT` for one that is not, or is taken. */
  sparePlace(slot: number): JsonObject {
    if (this.#firstSpare === null) throw new RingsideError('INTERNAL', 'The board has no spare ports (yet).')
    if (slot >= spareRootPorts) throw new RingsideError('INVALID_INPUT', `A device is on port ${String(slot)}, and the board's spare ports are 0 to ${String(spareRootPorts - 1)}.`)
    if (this.#taken.has(slot)) throw new RingsideError('INVALID_INPUT', `Two devices are on the spare port ${String(slot)} of the board; each needs its own.`)
    this.#taken.add(slot)
    return { bus: portId(this.#firstSpare + slot) }
  }

  #rootPort(properties: JsonObject): string {
    const index = this.#ports++
    const id = portId(index)
    const slot = (firstPortSlot + Math.floor(index / 8)).toString(16)
    const multifunction = index % 8 === 0 ? { multifunction: true } : {}
    const addr = `0x${slot}.0x${String(index % 8)}`
    this.list.device({ driver: 'pcie-root-port', id, bus: 'pcie.0', addr, ...multifunction, port: index, chassis: index + 1, ...properties })
    return id
  }
}

/** The port of one of the machine’s own devices, as `-device` and `device_add` take it. */
export function systemPlace(board: Board, device: SystemDevice): JsonObject {
  return { bus: board.pcie ? portId(systemDevices.indexOf(device)) : 'pci.0' }
}

function portId(index: number): string {
  return `sys-port${String(index)}`
}
