import { messageOf } from '@shared/errors'
import type { BackupOrder, BackupTaken } from '../../engine'
import { holdFileSystems, type HeldFileSystems, type OpenAgent } from '../agent/file-systems'
import type { QmpClient } from '../qmp'
import { DiskCopies } from './backup-disks'
import type { GuestHold } from './guest-hold'

export interface BackupParts {
  qmp: QmpClient
  drives: ReadonlyMap<string, string>
  hold: GuestHold
  paused: boolean
  /** null: the machine has no channel for an agent. */
  openAgent: OpenAgent | null
  /** Tells people of what they have to look after. */
  tell(sentence: string): void
  /** The instant is over, and the guest does as it likes. */
  released(): void
}

/** Copies a running machine's disks as they are at one instant; see `EngineBackups.takeBackup`. */
export async function takeBackup(parts: BackupParts, order: BackupOrder, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<BackupTaken> {
  const { qmp, hold } = parts
  const copies = new DiskCopies(qmp, parts.drives, order.disks)
  const notes: string[] = []
  let held: HeldFileSystems | null = null
  const thaw = async (): Promise<void> => {
    const holding = held
    held = null
    await holding?.thaw().catch((error: unknown) => { parts.tell(`The guest’s file systems may still be held from a backup: ${messageOf(error)} If the guest hangs, reset it.`) })
  }
  try {
    await copies.open()
    await hold.begin(order.freezeMs !== null)
    if (order.freezeMs !== null) {
      try {
        held = await freeze(parts, order.freezeMs)
      } catch (error) {
        notes.push(`The guest’s file systems were not held still, so the backup is as after a power cut: ${messageOf(error)}`)
      }
    }
    const quiesced = held !== null
    signal.throwIfAborted()
    await hold.stop()
    const takenAt = new Date().toISOString()
    await copies.begin()
    await hold.resume()
    await thaw()
    await hold.end()
    parts.released()
    await copies.finish(onProgress, signal)
    return { takenAt, pauseMs: hold.pauseMs, quiesced, notes }
  } catch (error) {
    await undo(parts, copies, thaw).catch((reason: unknown) => { parts.tell(`A backup that failed could not be undone wholly: ${messageOf(reason)}`) })
    throw error
  }
}

function freeze({ openAgent, paused }: BackupParts, freezeMs: number): Promise<HeldFileSystems> {
  if (openAgent === null) throw new Error('the machine has no channel for a guest agent.')
  if (paused) throw new Error('the guest is paused, and its agent with it.')
  return holdFileSystems(openAgent, freezeMs)
}

async function undo({ qmp, hold, ...parts }: BackupParts, copies: DiskCopies, thaw: () => Promise<void>): Promise<void> {
  // Whoever connects again finds the mark, and lets the guest go on.
  if (qmp.isClosed) return
  try {
    await hold.resume()
    await hold.end()
  } finally {
    await thaw()
    parts.released()
    await copies.undo()
  }
}
