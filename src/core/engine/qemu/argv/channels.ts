import type { AcceleratorName, MachineDefinition } from '@shared/model'
import { hasChannels } from '../../empty-places'
import { listenOptions } from '../endpoint'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'
import { option, options } from './options'
import type { PciBus } from './pci'
import { channelService } from './queue-service'

export const channelsId = 'sys-channels'

/** Bus on which channels to programs in the guest sit. */
export const channelBus = `${channelsId}.0`

/** The chardev of qemu-guest-agent's channel. */
export const agentChardev = 'sys-agent'
export const agentPortId = 'sys-agent-port'

/** Place of spice-vdagent's channel, which comes after start and goes before a save (it blocks migration). */
export const clipboardChannelNumber = 2

/** Serial ports: a socket for the console, and a log that is written whether or not one is open. */
export function addSerialPorts(list: ArgumentList, { definition, endpoints, files }: ArgvInput): void {
  for (let index = 0; index < definition.serialPorts; index++) {
    if (addPort(list, { endpoints, files }, index)) list.device({ driver: 'isa-serial', id: portDeviceId(index), chardev: portChardev(index), index })
  }
}

/** Consoles over VirtIO: to everybody but the guest they are serial ports after the others. */
function addVirtioConsoles(list: ArgumentList, { definition, endpoints, files }: ArgvInput): void {
  for (let index = 0; index < definition.virtioConsoles; index++) {
    if (addPort(list, { endpoints, files }, definition.serialPorts + index)) list.device(consoleDevice(definition, index))
  }
}

/** The chardev of a port with a console, by the number of the port. */
export function portChardev(port: number): string {
  return `sys-serial${String(port)}`
}

export function portDeviceId(port: number): string {
  return `${portChardev(port)}-port`
}

/** One of the consoles over VirtIO, as `-device` and `device_add` take it. */
export function consoleDevice({ serialPorts }: Pick<MachineDefinition, 'serialPorts'>, index: number): JsonObject & { driver: string; id: string } {
  const port = serialPorts + index
  // Number 0 is for a console; 1 and 2 are those of the channels.
  return { driver: 'virtconsole', id: portDeviceId(port), bus: channelBus, nr: index === 0 ? 0 : clipboardChannelNumber + index, chardev: portChardev(port) }
}

/** @returns whether there is such a port */
function addPort(list: ArgumentList, { endpoints, files }: Pick<ArgvInput, 'endpoints' | 'files'>, port: number): boolean {
  const endpoint = endpoints.serial[port]
  const log = files.serialLogs[port]
  if (endpoint === undefined || log === undefined) return false
  list.chardev(options('socket', option('id', portChardev(port)), ...listenOptions(endpoint), option('logfile', log), 'logappend=on'))
  return true
}

export function addChannels(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { definition, endpoints } = input
  if (!hasChannels(definition)) return
  list.device(channelsDevice(pci.systemPlace('channels'), input.accelerator))
  addVirtioConsoles(list, input)
  if (!definition.guestAgent || endpoints.agent === null) return
  list.chardev(options('socket', option('id', agentChardev), ...listenOptions(endpoints.agent)))
  list.device(agentPort())
}

/** As `-device` and `device_add` take it. */
export function channelsDevice(place: JsonObject, accelerator: AcceleratorName): JsonObject & { driver: string; id: string } {
  return { driver: 'virtio-serial-pci', id: channelsId, ...channelService(accelerator), ...place }
}

/** As `-device` and `device_add` take it. */
export function agentPort(): JsonObject & { driver: string; id: string } {
  return { driver: 'virtserialport', id: agentPortId, bus: channelBus, nr: 1, chardev: agentChardev, name: 'org.qemu.guest_agent.0' }
}
