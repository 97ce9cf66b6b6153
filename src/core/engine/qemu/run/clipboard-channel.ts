import type { MachineDefinition, QemuReport } from '@shared/model'
import { channelBus, clipboardChannelNumber } from '../argv'
import { QmpCommandError, type QmpClient } from '../qmp'
import { removeChardev, removePort } from './live-devices'

export const clipboardChardev = 'sys-vdagent'
export const clipboardPortId = 'sys-vdagent-port'
export const clipboardLabel = 'the channel of the shared clipboard'

/** Why this QEMU can't share the clipboard, a sentence; null when it can. */
export function clipboardObstacle(qemu: Pick<QemuReport, 'features' | 'version'>): string | null {
  if (qemu.features['vdagent'] === true) return null
  return `The clipboard is not shared: QEMU ${qemu.version} has no channel for it.`
}

export function wantsClipboard({ clipboard, display }: MachineDefinition): boolean {
  return clipboard && display.model !== 'none'
}

/**
 * Plugs the channel that shares the clipboard with spice-vdagent in the guest. It blocks migration, so it is no part of the command line but
 * comes after the start and goes before a save. A channel that is there already (a machine taken over) is fine.
 */
export async function addClipboardChannel(qmp: QmpClient): Promise<void> {
  // Pipelined: the second needs the first, and QEMU takes them in order.
  const results = await Promise.allSettled([
    qmp.execute('chardev-add', { id: clipboardChardev, backend: { type: 'qemu-vdagent', data: { mouse: false, clipboard: true } } }),
    qmp.execute('device_add', { driver: 'virtserialport', id: clipboardPortId, bus: channelBus, nr: clipboardChannelNumber, chardev: clipboardChardev, name: 'com.redhat.spice.0' }),
  ])
  for (const result of results) {
    if (result.status === 'fulfilled') continue
    const error: unknown = result.reason
    if (error instanceof QmpCommandError && /already exists|duplicate/iu.test(error.description)) continue
    throw error
  }
}

/** Takes the channel out, and what is left of one without its port, where somebody was cut off in between: it blocks the memory from being written. Nothing happens when there is none. */
export async function removeClipboardChannel(qmp: QmpClient): Promise<void> {
  await removePort(qmp, clipboardPortId, clipboardLabel)
  await removeChardev(qmp, clipboardChardev)
}
