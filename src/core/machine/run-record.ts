import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { AcceleratorName, MacAddress, type MachineDefinition, QemuReport } from '@shared/model'
import { StoredDefinition } from '../config'
import type { LaunchPlan } from '../engine/engine'
import { isRepeatable, SystemPart } from '../engine/live-change'
import { endLeftoverTpm } from '../engine/qemu/tpm'
import { endLeftoverVirtiofsds } from '../engine/qemu/virtiofs'
import type { MachineFiles } from '../library/paths'

export const runRecordVersion = 1

/**
 * What a later host needs to take a running machine over, in the run's folder. Written before QEMU is started, so that no process is
 * ever without one, and again once its process is known.
 */
export const RunRecord = z.object({
  schemaVersion: z.literal(runRecordVersion),
  /** The library that the machine belongs to; a host leaves the runs of others alone. */
  libraryFolder: z.string(),
  machineFolder: z.string(),
  startedAt: z.string(),
  /** As it was at the start; the stored one may have changed since. */
  definition: StoredDefinition,
  /** The machine's own network addresses, by card, where its guest goes on from another machine's memory and has that one's until it is started cold. */
  ownAddresses: z.record(z.string(), MacAddress).default({}),
  accelerator: AcceleratorName,
  acceleratorNote: z.string().nullable(),
  notes: z.array(z.string()),
  /** Its changes are thrown away: it writes to layers that the machine's stored definition does not name. */
  disposable: z.boolean().default(false),
  /** Its hardware was changed while it was saved to disk, and what of that can be made while it runs is still to be made. */
  changesDue: z.boolean().default(false),
  baseFolders: z.array(z.string()).default([]),
  baseFiles: z.array(z.string()).default([]),
  qemu: QemuReport,
  /** null until QEMU runs. `startedAt` tells the process from a later one with the same number. */
  process: z.object({ pid: z.number(), startedAt: z.string().nullable() }).nullable(),
})
export type RunRecord = z.infer<typeof RunRecord>

/** The record of a run that has other hardware now. An address of its own is one of a card, and goes with that. */
export function withDefinition(record: RunRecord, definition: MachineDefinition): RunRecord {
  const ownAddresses = Object.fromEntries(Object.entries(record.ownAddresses).filter(([card]) => definition.nics.some(({ id }) => id === card)))
  return { ...record, definition, ownAddresses }
}

/** The write of each record that was begun last. */
const turns = new Map<string, Promise<void>>()

/** Replaced whole, one write after the other, but not forced to the disk: after a power cut there is no run to take over. */
export async function writeRunRecord(path: string, record: RunRecord): Promise<void> {
  const before = turns.get(path) ?? Promise.resolve()
  const turn = before.catch(() => undefined).then(() => replace(path, record))
  turns.set(path, turn)
  try {
    await turn
  } finally {
    if (turns.get(path) === turn) turns.delete(path)
  }
}

async function replace(path: string, record: RunRecord): Promise<void> {
  const temporary = `${path}.new`
  await writeFile(temporary, JSON.stringify(record), { mode: 0o600 })
  await rename(temporary, path)
}

/** null when there is none, or none that this version understands. */
export async function readRunRecord(path: string): Promise<RunRecord | null> {
  try {
    const parsed = RunRecord.safeParse(JSON.parse(await readFile(path, 'utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

/** Removes the folder of a run that is over. What played its TPM and served its folders has ended then: as a rule by itself, when QEMU did. */
export async function removeRunFolder(folder: string): Promise<void> {
  await endLeftoverTpm(folder)
  await endLeftoverVirtiofsds(folder)
  // Something that was about to be put there when the run ended may come meanwhile.
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

/**
 * The definition of a run, with the devices that `machine.json` names besides: one may have been plugged in just before the host was cut off. Whoever takes the machine over asks QEMU
 * which are there.
 */
export function withCandidates({ definition: recorded, disposable }: RunRecord, stored: MachineDefinition): MachineDefinition {
  if (disposable) return recorded
  const missing = <T extends { id: string; slot: number | null }>(known: readonly T[], devices: readonly T[]): T[] => devices.filter(({ id, slot }) => slot !== null && !known.some((device) => device.id === id))
  return {
    ...recorded, disks: [...recorded.disks, ...missing(recorded.disks, stored.disks)], nics: [...recorded.nics, ...missing(recorded.nics, stored.nics)],
    usbDevices: [...recorded.usbDevices, ...missing(recorded.usbDevices, stored.usbDevices)], sharedFolders: [...recorded.sharedFolders, ...missing(recorded.sharedFolders, stored.sharedFolders)],
    pciDevices: [...recorded.pciDevices, ...missing(recorded.pciDevices, stored.pciDevices)],
    ...Object.fromEntries(SystemPart.options.filter((part) => !isRepeatable({ kind: 'plugSystem', part })).map((part) => [part, recorded[part] || stored[part]])),
    vsock: recorded.vsock ?? (stored.vsock?.slot == null ? null : stored.vsock),
  }
}

/** The plan by which a worker takes the machine of a record over, from where its folder is now. */
export function adoptionPlan({ definition, qemu, accelerator, baseFolders, baseFiles }: RunRecord, paths: MachineFiles): LaunchPlan {
  return { definition, qemu, accelerator, machineFolder: paths.folder, runtimeFolder: paths.runtime, baseFolders, baseFiles, restore: null }
}
