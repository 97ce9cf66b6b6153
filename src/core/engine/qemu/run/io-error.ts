import type { MachineDefinition } from '@shared/model'
import { nvramLayer } from '../../engine'
import { keyOfNode } from '../argv'
import type { QmpEvents } from '../qmp'

/** What people are told when the guest was stopped because one of its disks could not be read or written. */
export function ioErrorNote(definition: MachineDefinition, { 'node-name': node, device, operation, nospace, reason }: QmpEvents['BLOCK_IO_ERROR']): string {
  const key = keyOfNode(definition, node ?? '')
  const what = key === nvramLayer ? 'its UEFI variables' : `its disk “${key ?? node ?? device}”`
  const why = nospace === true ? 'the computer’s disk is full' : reason
  return `The machine was paused: it could not ${operation} ${what} (${why}). Resume it when that is mended.`
}
