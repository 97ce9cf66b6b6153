import type { ArgumentList } from './argument-list'
import { listenOptions } from '../endpoint'
import type { ArgvInput } from './input'
import { option, options } from './options'
import type { PciBus } from './pci'

/** Bus on which channels to programs in the guest sit. */
export const channelBus = 'sys-channels.0'

/** The chardev of qemu-guest-agent's channel. */
export const agentChardev = 'sys-agent'

/** Place of spice-vdagent's channel, which comes after start and goes before a save (it blocks migration). */
export const clipboardChannelNumber = 2

/** The controller is there for channels that come later too. */
export function hasChannels({ guestAgent, clipboard, virtioConsoles }: { guestAgent: boolean; clipboard: boolean; virtioConsoles: number }): boolean {
  return guestAgent || clipboard || virtioConsoles > 0
}

/** Serial ports: a socket for the console, and a log that is written whether or not one is open. */
export function addSerialPorts(list: ArgumentList, { definition, endpoints, files }: ArgvInput): void {
  for (let index = 0; index < definition.serialPorts; index++) {
    const id = addPort(list, { endpoints, files }, index)
    if (id !== null) list.device({ driver: 'isa-serial', id: `${id}-port`, chardev: id, index })
  }
}

/** Consoles over VirtIO: to everybody but the guest they are serial ports after the others. */
function addVirtioConsoles(list: ArgumentList, { definition, endpoints, files }: ArgvInput): void {
  for (let index = 0; index < definition.virtioConsoles; index++) {
    const id = addPort(list, { endpoints, files }, definition.serialPorts + index)
    // Number 0 is for a console; 1 and 2 are those of the channels.
    if (id !== null) list.device({ driver: 'virtconsole', id: `${id}-port`, bus: channelBus, nr: index === 0 ? 0 : clipboardChannelNumber + index, chardev: id })
  }
}

function addPort(list: ArgumentList, { endpoints, files }: Pick<ArgvInput, 'endpoints' | 'files'>, index: number): string | null {
  const endpoint = endpoints.serial[index]
  const log = files.serialLogs[index]
  if (endpoint === undefined || log === undefined) return null
  const id = `sys-serial${String(index)}`
  list.chardev(options('socket', option('id', id), ...listenOptions(endpoint), option('logfile', log), 'logappend=on'))
  return id
}

export function addChannels(list: ArgumentList, pci: PciBus, input: ArgvInput): void {
  const { definition, endpoints } = input
  if (!hasChannels(definition)) return
  list.device({ driver: 'virtio-serial-pci', id: 'sys-channels', ...pci.systemPlace('channels') })
  addVirtioConsoles(list, input)
  if (!definition.guestAgent || endpoints.agent === null) return
  list.chardev(options('socket', option('id', agentChardev), ...listenOptions(endpoints.agent)))
  list.device({ driver: 'virtserialport', id: 'sys-agent-port', bus: channelBus, nr: 1, chardev: agentChardev, name: 'org.qemu.guest_agent.0' })
}
