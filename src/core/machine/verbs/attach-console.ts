import type { ConsoleChannel } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import type { ConsoleTransfer } from '../../app/services'
import type { MachineSlot } from '../machine-slot'

/** Hands a console's transport to the worker. When that can't be, the transport is closed and the reason thrown. */
export function attachConsole(slot: MachineSlot, channel: ConsoleChannel, transfer: ConsoleTransfer): void {
  const endpoint = transfer.kind === 'webSocketUpgrade' ? transfer.socket : transfer.port
  try {
    slot.require('openConsole')
    if (slot.link === null) {
      throw new RingsideError('WORKER_DIED', `The process that looks after “${slot.name}” is being replaced.`, { hint: 'Open the console again in a moment.' })
    }
  } catch (error) {
    closeEndpoint(endpoint)
    throw error
  }
  const transport = transfer.kind === 'webSocketUpgrade' ? { kind: transfer.kind, headers: transfer.headers, head: transfer.head } : { kind: transfer.kind }
  slot.link.tell({ type: 'attachConsole', channel, transport }, endpoint)
}

/** A socket is destroyed, a port closed. */
function closeEndpoint(endpoint: unknown): void {
  const { destroy, close } = endpoint as { destroy?: () => void; close?: () => void }
  if (destroy !== undefined) destroy.call(endpoint)
  else close?.call(endpoint)
}
