import { setTimeout as delay } from 'node:timers/promises'
import { RingsideError } from '@shared/errors'
import type { MemoryFile } from '../../engine'
import type { MigrationInfo, QmpClient } from '../qmp'

/** Far above any disk: QEMU's default of 128 MiB/s would only make a save slow. Bytes per second. */
const unlimited = 2 ** 40
const pollMs = 50

/** How memory goes into or comes out of a file. */
export interface TransferKind {
  format: MemoryFile['format']
  /** `out`: the guest stands still meanwhile. `background`: it goes on. */
  way: 'in' | 'out' | 'background'
}

/**
 * The capabilities of a transfer, those that it must not have among them: QEMU keeps them from one to the next. Several threads (`multifd`) only read: QEMU 10 crashed now and
 * then, and the guest with it, when a transfer of theirs was cancelled or its file was removed (`multifd_device_state_send_cleanup`; 5 of 160 cancelled, 31 of 60 removed),
 * and one thread wrote no slower.
 */
export function capabilitiesFor({ format, way }: TransferKind, features: Record<string, boolean>): { capability: string; state: boolean }[] {
  const wanted = [
    { capability: 'background-snapshot', feature: 'backgroundSnapshot', state: way === 'background' },
    { capability: 'mapped-ram', feature: 'mappedRam', state: format === 'mapped-ram' },
    { capability: 'multifd', feature: 'multifd', state: format === 'mapped-ram' && way === 'in' },
  ]
  return wanted.filter(({ feature }) => features[feature] === true).map(({ capability, state }) => ({ capability, state }))
}

/** Sets everything that a transfer into or out of a file needs. */
export async function configureMigration(qmp: QmpClient, kind: TransferKind, features: Record<string, boolean>): Promise<void> {
  const capabilities = capabilitiesFor(kind, features)
  if (capabilities.length > 0) await qmp.execute('migrate-set-capabilities', { capabilities })
  if (kind.format === 'mapped-ram' && kind.way === 'in') await qmp.execute('migrate-set-parameters', { 'multifd-channels': 2 })
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': unlimited })
}

/**
 * Waits until the transfer has ended well. Throws `QEMU_FAILED` with QEMU's reason, or `CANCELLED`.
 * @param onProgress 0..1, or null while the size is unknown
 */
export async function waitForMigration(qmp: QmpClient, onProgress: (fraction: number | null) => void, signal?: AbortSignal): Promise<void> {
  for (;;) {
    const info = await qmp.execute('query-migrate')
    if (info.status === 'completed') {
      onProgress(1)
      return
    }
    throwIfOver(info)
    onProgress(fractionOf(info))
    if (signal?.aborted === true) throw cancelled()
    await delay(pollMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
  }
}

/**
 * Waits until QEMU has kept the state of all devices and holds the guest's memory as it is now, so that the guest can go on while the memory is
 * written: the first pages are, which comes after both [migration/migration.c: bg_migration_thread].
 */
export async function waitUntilHeld(qmp: QmpClient): Promise<void> {
  for (;;) {
    const info = await qmp.execute('query-migrate')
    if (info.status === 'completed' || pagesOf(info) > 0) return
    throwIfOver(info)
  }
}

/** Waits until no transfer goes on any more, however it ended. */
async function waitUntilIdle(qmp: QmpClient): Promise<void> {
  const idle = ['none', 'completed', 'failed', 'cancelled', undefined]
  while (!idle.includes((await qmp.execute('query-migrate')).status)) await delay(pollMs)
}

/**
 * Whether a transfer in the background can be stopped or break off. QEMU before 8.1 then leaves the guest's memory write-protected, and its processors wait for
 * ever [“migration: stop tracking ram writes when cancelling background migration”, 2023]. Those that can write a file by themselves (8.2) are later.
 */
export function breaksUnharmed(features: Record<string, boolean>): boolean {
  return features['fileMigration'] === true
}

/** Sees to it that no transfer is under way any more: stopped, or where that would do harm, come to its end. */
export async function endMigration(qmp: QmpClient, features: Record<string, boolean>): Promise<void> {
  const isBackground = (await qmp.execute('query-migrate-capabilities')).some(({ capability, state }) => capability === 'background-snapshot' && state)
  if (!isBackground || breaksUnharmed(features)) await qmp.execute('migrate_cancel').catch(() => undefined)
  await waitUntilIdle(qmp)
}

export function cancelled(): RingsideError {
  return new RingsideError('CANCELLED', 'Writing the machine\'s memory was cancelled.')
}

function throwIfOver(info: MigrationInfo): void {
  if (info.status === 'failed') throw new RingsideError('QEMU_FAILED', `QEMU could not transfer the machine's state: ${info['error-desc'] ?? 'it gives no reason'}.`)
  if (info.status === 'cancelled' || info.status === 'cancelling') throw cancelled()
}

function pagesOf({ ram }: MigrationInfo): number {
  return ram === undefined ? 0 : ram.normal + ram.duplicate
}

/** In the background QEMU knows nothing of what remains but counts what is done. */
function fractionOf(info: MigrationInfo): number | null {
  const { ram } = info
  if (ram === undefined || ram.total === 0) return null
  const done = ram.remaining > 0 ? 1 - ram.remaining / ram.total : (pagesOf(info) * ram['page-size']) / ram.total
  return Math.min(1, Math.max(0, done))
}
