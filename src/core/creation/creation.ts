import { randomBytes, randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Issue, RingsideError, invalidInput } from '@shared/errors'
import {
  type CreateMachineRequest,
  type HostLimits,
  type MachineDefinition,
  MachineName,
  type NewEncryption,
  type OsCatalog,
  type OsEntry,
  type QemuReport,
} from '@shared/model'
import type { JobReporter, MachineCreation, MachineLibrary, Probe } from '../app/services'
import { osEntry, sampleOsId } from '../catalog'
import { fileError, isDiskFull } from '../config'
import type { DiskKeys } from '../encryption'
import { makeTpmState } from '../engine/qemu/tpm'
import { imagePath, noteHelper, sameName, shortId } from '../library'
import type { HostStorage, ImageTool } from '../storage'
import { type Checked, checkRequest } from './check-request'
import { copyLargeFile, throwIfCancelled } from './copy-file'
import { type DiskPlan, type MachineBlueprint, type MachinePlan, defineMachine } from './define-machine'

export interface CreationOptions {
  readonly library: MachineLibrary
  readonly libraryFolder: string
  readonly storage: HostStorage
  readonly catalog: OsCatalog
  readonly probe: Probe
  readonly imageTool: (qemu: QemuReport) => ImageTool
  /** Makes the store of UEFI variables from the firmware's template; nothing for a BIOS machine. */
  readonly prepareNvram: (definition: MachineDefinition, qemu: QemuReport, machineFolder: string) => Promise<void>
  /** This computer's limits; the names are the library's. */
  readonly limits: () => Promise<Omit<HostLimits, 'takenNames'>>
  /** Bytes of the sample guest's disk, a multiple of 512. */
  readonly sampleDisk: () => Uint8Array
  /** Program and version, for `createdBy`. */
  readonly createdBy: string
  /** Locks of machines with encrypted disks; absent: none can be made. */
  readonly diskKeys?: Pick<DiskKeys, 'lockNew' | 'hold' | 'remember'>
}

/**
 * Clusters of 128 KiB in 32 parts (`extended_l2`): small writes to fresh space are quicker and take a fraction of the room.
 * `lazy_refcounts`: reference counts are written when the image is closed, not on every allocation; after a crash QEMU mends them.
 * No preallocation: the file starts small and grows. Measured in docs/decisions/023-new-disks.md.
 */
export const newDiskOptions: readonly string[] = ['cluster_size=128k', 'extended_l2=on', 'lazy_refcounts=on']

/**
 * The same for a layer that others may be merged into while a guest runs. Clusters in parts are not for that: QEMU before 8.1 aborts, and the guest with it, when it
 * streams into one of which only some parts were written (`bdrv_co_do_copy_on_readv: Assertion 'skip_bytes < pnum'`).
 */
export const layerOptions: readonly string[] = ['cluster_size=32k', 'lazy_refcounts=on']

/** Makes new machines: whole, or not at all. */
export class MachineMaker implements MachineCreation {
  constructor(private readonly options: CreationOptions) {}

  async check(request: unknown): Promise<Issue[]> {
    return (await this.#examine(request)).faults.map((fault) => fault.issue)
  }

  /**
   * Throws the fault itself when there is only one and it has a type, else `INVALID_INPUT` with all of them. While it works: `DISK_FULL`,
   * `CANCELLED`, `QEMU_FAILED`, `FILE_UNREADABLE`; nothing is left then, and the source is as it was.
   */
  async create(request: CreateMachineRequest, reporter: JobReporter): Promise<string> {
    reporter.report(null, 'Checking')
    const checked = await this.#examine(request)
    throwFaults(checked)
    const { qemu, bestAccelerator } = await this.options.probe.current()
    if (checked.request === null || checked.os === null || qemu === null)
      throw new RingsideError('INTERNAL', 'A request with faults passed its check.')
    const plan = this.#plan(checked.request, checked.os, { qemu, bestAccelerator }, checked.source?.report.bootable ?? null)
    const { source, encryption = null } = checked.request
    return this.#make(plan, qemu, reporter, { encryption, passphrase: source.type === 'disk' ? (source.passphrase ?? null) : null })
  }

  async createSample(name: string | undefined, reporter: JobReporter): Promise<string> {
    reporter.report(null, 'Checking')
    const { qemu, qemuProblem, bestAccelerator } = await this.options.probe.current()
    if (qemu === null)
      throw new RingsideError(qemuProblem?.code ?? 'QEMU_NOT_FOUND', qemuProblem?.message ?? 'QEMU was not found on this computer.', {
        hint: qemuProblem?.remedy ?? 'Install QEMU, then look again.',
      })
    const os = osEntry(this.options.catalog, sampleOsId)
    const taken = this.options.library.list().map((machine) => machine.definition.name)
    const request: CreateMachineRequest = {
      name: name === undefined ? freeName('Sample', taken) : checkedName(name),
      osId: os.id,
      // Its disk comes from memory; the plan is that of a converted one, so that snapshots can hold it.
      source: { type: 'disk', path: 'sample', format: 'raw', mode: 'convert' },
      processors: os.defaults.processors,
      memoryMiB: os.defaults.memoryMiB,
      newDiskGiB: null,
      network: 'none',
      hardware: {},
    }
    const plan = this.#plan(request, os, { qemu, bestAccelerator }, null)
    throwIfCancelled(reporter.signal)
    return this.#make(plan, qemu, reporter, { sample: this.options.sampleDisk() })
  }

  async #examine(request: unknown): Promise<Checked> {
    const { library, libraryFolder, storage, catalog, probe } = this.options
    const machines = library.list()
    const limits = { ...(await this.options.limits()), takenNames: machines.map((machine) => machine.definition.name) }
    return checkRequest(request, {
      limits,
      catalog,
      probe: await probe.current(),
      machines,
      libraryFolder,
      inspect: (path, acceptedFiles) => storage.examine(path, acceptedFiles),
    })
  }

  #plan(request: CreateMachineRequest, os: OsEntry, host: Pick<MachineBlueprint, 'qemu' | 'bestAccelerator'>, bootable: { bios: boolean; uefi: boolean } | null): MachinePlan {
    const { library, createdBy } = this.options
    return defineMachine({
      request,
      os,
      ...host,
      bootable,
      createdBy,
      id: freeId(library.list().map((machine) => machine.definition.id)),
      macAddress: randomMacAddress(library.list().flatMap((machine) => machine.definition.nics.map((nic) => nic.macAddress))),
      createdAt: new Date().toISOString(),
    })
  }

  async #make(plan: MachinePlan, qemu: QemuReport, reporter: JobReporter, { sample = null, encryption = null, passphrase = null }: { sample?: Uint8Array | null; encryption?: NewEncryption | null; passphrase?: string | null }): Promise<string> {
    let key: string | null = null
    const machine = await this.options.library.add(plan.definition, async (paths) => {
      if (encryption !== null) key = await this.#diskKeys().lockNew(paths.keyFile, encryption.passphrase)
      for (const disk of plan.disks) {
        throwIfCancelled(reporter.signal)
        await this.#makeDisk(disk, paths.folder, qemu, reporter, { sample, key, passphrase })
      }
      throwIfCancelled(reporter.signal)
      reporter.report(null, 'Writing the definition')
      await this.options.prepareNvram(plan.definition, qemu, paths.folder)
      if (plan.definition.tpm !== null) await makeTpmState(imagePath(paths.folder, { kind: 'own', path: plan.definition.tpm.state }))
    })
    const { id } = machine.definition
    if (key !== null) this.#diskKeys().hold(id, key)
    if (encryption?.remember === true) {
      // The machine is there, and its passphrase opens it: that it is asked for is no reason to throw it away.
      await this.#diskKeys().remember(id).catch((error: unknown) => { reporter.note?.((error as Error).message) })
    }
    reporter.report(1, 'Done')
    return id
  }

  #diskKeys(): NonNullable<CreationOptions['diskKeys']> {
    const { diskKeys } = this.options
    if (diskKeys === undefined) throw new RingsideError('CAPABILITY_MISSING', 'Machines with encrypted disks can’t be made here.')
    return diskKeys
  }

  /**
   * @param sample what the disk is made from, in place of the file that the plan names
   * @param passphrase opens that file
   */
  async #makeDisk(disk: DiskPlan, folder: string, qemu: QemuReport, reporter: JobReporter, { sample, key, passphrase }: { sample: Uint8Array | null; key: string | null; passphrase: string | null }): Promise<void> {
    if (disk.how === 'inPlace') return
    const to = join(folder, ...disk.to.split('/'))
    const tool = this.options.imageTool(qemu)
    const progress = (step: string) => (fraction: number) => {
      reporter.report(fraction, step)
    }
    try {
      switch (disk.how) {
        case 'new':
          reporter.report(null, 'Making the disk')
          await tool.create(to, disk.format, disk.bytes, newDiskOptions, undefined, key)
          return
        case 'copy':
          reporter.report(0, 'Copying the disk')
          await copyLargeFile(disk.from, to, progress('Copying the disk'), reporter.signal)
          return
        case 'convert': {
          reporter.report(0, 'Converting the disk')
          const source = sample === null ? disk.from : `${to}.source`
          if (sample !== null) await writeFile(source, sample, { flag: 'wx', mode: 0o600 })
          let noted: Promise<void> = Promise.resolve()
          await tool.convert({
            source,
            sourceFormat: disk.fromFormat,
            target: to,
            targetFormat: 'qcow2',
            options: newDiskOptions,
            onProgress: progress('Converting the disk'),
            onStarted: (pid) => {
              noted = noteHelper(folder, pid).catch(() => undefined)
            },
            signal: reporter.signal,
            passphrase,
            encryption: key === null ? 'none' : { key },
          }).finally(() => noted)
          if (sample !== null) await rm(source)
        }
      }
    } catch (error) {
      if (isDiskFull(error)) throw diskFull(this.options.libraryFolder, error)
      throw fileError(error, to, 'written')
    }
  }
}

/** The temporary name of the file that could not be written says nothing to a person; the drive of the library does. */
function diskFull(libraryFolder: string, cause: unknown): RingsideError {
  return new RingsideError(
    'DISK_FULL',
    `The drive that holds the library is full; the machine was not made and its space is free again: ${libraryFolder}`,
    {
      path: libraryFolder,
      hint: 'Free some space there, use the disk where it is, or move the library with RINGSIDE_DATA.',
    },
    { cause },
  )
}

function throwFaults({ faults }: Checked): void {
  const errors = faults.filter((fault) => fault.issue.severity === 'error')
  const [first] = errors
  if (first === undefined) return
  const issues = errors.map((fault) => fault.issue)
  if (errors.length > 1 || first.error === null) throw invalidInput(issues)
  throw new RingsideError(first.error.code, first.error.message, { ...first.error.data, issues }, { cause: first.error })
}

function checkedName(name: string): string {
  const parsed = MachineName.safeParse(name)
  if (parsed.success) return parsed.data
  throw invalidInput(
    parsed.error.issues.map((issue) => ({
      path: 'name',
      message: issue.message,
      received: name.slice(0, 100),
      severity: 'error' as const,
    })),
  )
}

/** `Sample`, `Sample 2`, `Sample 3`, … */
export function freeName(base: string, taken: readonly string[]): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base} ${String(number)}`
    if (!taken.some((other) => sameName(other, name))) return name
  }
}

/** A new id whose short form, which names folders, is free. */
export function freeId(taken: readonly string[]): string {
  const short = new Set(taken.map(shortId))
  for (;;) {
    const id = randomUUID()
    if (!short.has(shortId(id))) return id
  }
}

/** 52:54:00 is the prefix that QEMU's machines use: locally administered. */
export function randomMacAddress(taken: readonly string[]): string {
  for (;;) {
    const address = ['52', '54', '00', ...[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':')
    if (!taken.includes(address)) return address
  }
}
