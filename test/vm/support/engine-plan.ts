import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { z } from 'zod'
import type { EngineEvent, LaunchPlan, RunningMachine } from '@core/engine/engine'
import { createProbe, createQemuEngine } from '@core/engine/qemu'
import { machinePaths } from '@core/library/paths'
import { MachineDefinition, machineSchemaVersion, Settings, type ProbeReport, type QemuReport } from '@shared/model'
import { TemporaryFolder } from './temporary-folder'

let report: Promise<ProbeReport> | undefined

/** The QEMU under test, probed once per file. */
export async function probedQemu(): Promise<QemuReport> {
  const { qemu, qemuProblem } = await probeReport()
  if (qemu === null) throw new Error(qemuProblem?.message)
  return qemu
}

export function probeReport(): Promise<ProbeReport> {
  report ??= probeInto()
  return report
}

async function probeInto(): Promise<ProbeReport> {
  await using folder = await TemporaryFolder.make('rs-probe-')
  using probe = createProbe({ cacheFolder: inject('probeFolder') ?? folder.path, settings: fixedSettings(null) })
  return await probe.current()
}

/** Settings that never change. */
export function fixedSettings(qemuPath: string | null): { get: () => Settings; onChange: () => () => void } {
  return { get: () => Settings.parse({ schemaVersion: 1, qemuPath }), onChange: () => () => undefined }
}

type Changes = Partial<z.input<typeof MachineDefinition>>

/** A plan for a small BIOS machine in the folder, with what a test changes. */
export async function launchPlan(folder: string, changes: Changes = {}): Promise<LaunchPlan> {
  const qemu = await probedQemu()
  const id = randomUUID()
  const machineType = qemu.machineTypes.filter((type) => /^pc-q35-\d/u.test(type.name) && !type.deprecated).at(-1)?.name ?? 'q35'
  const definition = MachineDefinition.parse({
    schemaVersion: machineSchemaVersion,
    createdBy: 'test',
    id,
    name: 'Test, "quoted"',
    createdAt: '2026-01-01T00:00:00.000Z',
    osId: 'linux',
    machineType,
    firmware: { type: 'bios' },
    processors: { sockets: 1, cores: 1, threads: 1 },
    memoryMiB: 64,
    boot: {},
    display: { model: 'vga' },
    // As with hardware assistance, which most people have.
    ioThread: 'on',
    ...changes,
  })
  const machineFolder = join(folder, `machine-${id.slice(0, 8)}`)
  await mkdir(join(machineFolder, 'disks'), { recursive: true })
  await mkdir(join(machineFolder, 'saved'), { recursive: true })
  return { definition, qemu, accelerator: 'tcg', machineFolder, runtimeFolder: join(folder, id.slice(0, 8)), baseFolders: [], baseFiles: [], restore: null }
}

export function filesOf(plan: LaunchPlan): ReturnType<typeof machinePaths> {
  return machinePaths(plan.machineFolder, join(plan.runtimeFolder, '..'), plan.definition.id)
}

/**
 * A boot sector that prints a counter of four letters (A for 0 to P for 15) on the first serial port, a line per timer tick:
 * whoever reads it sees time pass in the guest.
 */
const counterSector = Buffer.from('31c08ed831db43b9040089d8c1c00450240f0441baf803ee58e2f1b00aeefbf4ebe4', 'hex')

export const counterDisk = {
  id: 'disk0',
  image: { kind: 'own' as const, path: 'disks/disk0.img' },
  format: 'raw' as const,
  bus: 'virtio-blk' as const,
}

/** A plan for a machine that counts on its serial port. */
export async function counterPlan(folder: string, changes: Changes = {}): Promise<LaunchPlan> {
  const plan = await launchPlan(folder, { disks: [counterDisk], boot: { order: ['disk0'] }, ...changes })
  const image = Buffer.alloc(1024 * 1024)
  counterSector.copy(image)
  image.writeUInt16LE(0xaa55, 510)
  await writeFile(join(plan.machineFolder, 'disks/disk0.img'), image)
  return plan
}

/** The number of a line of the counter. */
export function countOf(line: string): number {
  return [...line.trim()].reduce((sum, letter) => sum * 16 + letter.charCodeAt(0) - 65, 0)
}

/** The next whole line of the counter, from a fresh connection to the serial port. */
export async function nextCount(machine: RunningMachine, above = -1): Promise<number> {
  const serial = await machine.openSerial(0)
  try {
    let text = ''
    for await (const chunk of serial as AsyncIterable<Buffer>) {
      text += chunk.toString('latin1')
      const lines = text
        .split('\n')
        .slice(1, -1)
        .filter((line) => /^[A-P]{4}\r?$/u.test(line))
      const count = lines.map(countOf).find((value) => value > above)
      if (count !== undefined) return count
    }
    throw new Error(`The serial port closed after ${JSON.stringify(text.slice(-200))}`)
  } finally {
    serial.destroy()
  }
}

/** A machine that ends with the test, however the test ends. */
export class TestMachine implements AsyncDisposable {
  readonly events: EngineEvent[] = []

  private constructor(readonly machine: RunningMachine) {
    machine.onEvent((event) => this.events.push(event))
  }

  static async start(plan: LaunchPlan, platform?: NodeJS.Platform): Promise<TestMachine> {
    return new TestMachine(await createQemuEngine(platform).start(plan))
  }

  static async adopt(plan: LaunchPlan, platform?: NodeJS.Platform): Promise<TestMachine> {
    return new TestMachine(await createQemuEngine(platform).adopt(plan))
  }

  get ended(): Extract<EngineEvent, { type: 'ended' }> | undefined {
    return this.events.find((event) => event.type === 'ended')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended === undefined) await this.machine.powerOff()
    await this.machine.release()
  }
}
