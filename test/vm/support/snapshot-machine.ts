import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import type { Duplex } from 'node:stream'
import { layerOptions, newDiskOptions } from '@core/creation'
import { nvramLayer, type LaunchPlan, type RunningMachine, type SnapshotTaken } from '@core/engine/engine'
import { createImageTool } from '@core/engine/qemu'
import { imagePath } from '@core/library/paths'
import type { MachineDefinition } from '@shared/model'
import { launchPlan } from './engine-plan'
import { assembleLedgerDisk, emptyLedgerDisk, readLedger, type Ledger } from './ledger-guest'
import { LedgerConsole } from './ledger-machines'
import { qemuImg } from './storage-host'

type Changes = Parameters<typeof launchPlan>[1]

/** Never aborted. */
export const never = new AbortController().signal

/** A plan for a machine that keeps a ledger on two qcow2 disks. */
export async function ledgerPlan(folder: string, changes: Changes = {}): Promise<LaunchPlan> {
  const disks = ['disk0', 'disk1'].map((id) => ({ id, image: { kind: 'own' as const, path: `disks/${id}.qcow2` }, format: 'qcow2' as const, bus: 'sata' as const }))
  const plan = await launchPlan(folder, { disks, boot: { order: ['disk0', 'disk1'] }, ...changes })
  await makeDisk(plan, 'disk0', assembleLedgerDisk())
  await makeDisk(plan, 'disk1', emptyLedgerDisk())
  return plan
}

/** A disk of the machine's own with that content, as qcow2. */
export async function makeDisk(plan: LaunchPlan, id: string, content: Uint8Array): Promise<void> {
  const raw = join(plan.machineFolder, 'content')
  await writeFile(raw, content)
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', '-o', newDiskOptions.join(','), raw, join(plan.machineFolder, `disks/${id}.qcow2`))
  await rm(raw)
}

/** Empty overlays of layers, beside them, by the same keys. Absolute paths in and out. */
export async function overlaysOf(plan: Pick<LaunchPlan, 'qemu'>, layers: Readonly<Record<string, string>>, options = layerOptions): Promise<Record<string, string>> {
  const tool = createImageTool(plan.qemu.imgPath)
  const layer = randomBytes(4).toString('hex')
  const made = await Promise.all(Object.entries(layers).map(async ([key, below]) => {
    const path = join(dirname(below), `${key}.${layer}.qcow2`)
    const { virtualBytes } = await tool.info(below, 'qcow2')
    await tool.createOverlay({ path, backing: basename(below), backingFormat: 'qcow2', virtualBytes, options })
    return [key, path] as const
  }))
  return Object.fromEntries(made)
}

/** The definition with its disks and UEFI variables in other layers, absolute paths in the machine's folder. */
export function inLayers(definition: MachineDefinition, folder: string, layers: Readonly<Record<string, string>>): MachineDefinition {
  const own = (path: string): string => relative(folder, path).split('\\').join('/')
  const { firmware } = definition
  const nvram = layers[nvramLayer]
  return {
    ...definition,
    disks: definition.disks.map((disk) => { const layer = layers[disk.id]; return layer === undefined ? disk : { ...disk, image: { kind: 'own', path: own(layer) } } }),
    firmware: firmware.type === 'uefi' && nvram !== undefined ? { ...firmware, nvram: own(nvram) } : firmware,
  }
}

/** What a snapshot froze and how. */
export interface Taken extends SnapshotTaken { frozen: Record<string, string>; ramFile: string }

/** A snapshot with memory, in the machine's folder. */
export async function take(machine: RunningMachine, plan: LaunchPlan, options: { memory?: boolean; freezeMs?: number | null; signal?: AbortSignal; onProgress?: (fraction: number | null) => void } = {}): Promise<Taken> {
  const frozen = await machine.topLayers()
  const overlays = await overlaysOf(plan, frozen)
  const ramFile = join(plan.machineFolder, 'snapshots', randomBytes(4).toString('hex'), 'ram.state')
  await mkdir(dirname(ramFile), { recursive: true })
  const order = { overlays, ramFile: options.memory === false ? null : ramFile, freezeMs: options.freezeMs ?? null }
  return { ...(await machine.takeSnapshot(order, options.onProgress ?? (() => undefined), options.signal ?? never)), frozen, ramFile }
}

/** A plan that goes on from a snapshot's memory in new overlays of its layers, beside the machine that it was taken of. */
export async function goingOn(plan: LaunchPlan, { frozen, memory, ramFile }: Taken): Promise<LaunchPlan> {
  const definition = inLayers(plan.definition, plan.machineFolder, await overlaysOf(plan, frozen))
  const { format = 'stream', compression = 'none' } = memory ?? {}
  return {
    ...plan, definition, runtimeFolder: `${plan.runtimeFolder}-${randomBytes(2).toString('hex')}`,
    restore: {
      schemaVersion: 1, savedAt: new Date().toISOString(), qemuVersion: plan.qemu.version, accelerator: plan.accelerator, definition, ramFormat: format, ramCompression: compression,
      ramFile: relative(plan.machineFolder, ramFile).split('\\').join('/'),
    },
  }
}

/** The ledger on a layer that nobody writes to, and on all that it reads from. */
export async function ledgerOf(layer: string): Promise<Ledger> {
  const raw = `${layer}.${randomBytes(2).toString('hex')}.raw`
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', layer, raw)
  try {
    return readLedger(await readFile(raw))
  } finally {
    await rm(raw)
  }
}

/** The first layers of the machine's disks, as its definition names them. */
export function layersIn({ definition, machineFolder }: LaunchPlan): Record<string, string> {
  return Object.fromEntries(definition.disks.map(({ id, image }) => [id, imagePath(machineFolder, image)]))
}

/** A person at the serial port of a running machine. */
export function ledgerConsole(machine: RunningMachine, plan: LaunchPlan): Promise<LedgerConsole> {
  return LedgerConsole.open({ openConsole: (): Promise<Duplex> => machine.openSerial(0) }, plan.runtimeFolder)
}
