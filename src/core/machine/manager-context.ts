import type { LibraryProblem, QemuReport } from '@shared/model'
import type { MachineLibrary, Probe } from '../app/services'
import type { LaunchPlan } from '../engine/engine'
import type { QemuImg } from '../engine/qemu'
import type { MetricsHub } from '../metrics/metrics-hub'
import type { MachineSlot } from './machine-slot'
import type { WorkerPool } from './worker-pool'

/** Lengths of time, in milliseconds. */
export interface Timings {
  /** How long a guest may ignore the power button before the machine counts as running again. */
  powerButtonPatience: number
  /** Pauses before a dead worker is replaced, by the number of deaths in a row; after the last the supervisor gives up. */
  workerRestarts: readonly number[]
  /** A worker that lived as long is no longer counted as dying again and again. */
  workerSettled: number
  /** The longest that taking over a running machine may take. */
  adoption: number
  /** The longest that an ordinary command may take. */
  command: number
  /** How often a machine without a worker is looked at. */
  unattendedLook: number
}

export const defaultTimings: Timings = {
  powerButtonPatience: 60_000,
  workerRestarts: [0, 250, 1000, 4000, 15_000],
  workerSettled: 60_000,
  adoption: 20_000,
  command: 30_000,
  unattendedLook: 5000,
}

/** What all verbs need. */
export interface ManagerContext {
  readonly library: MachineLibrary
  readonly probe: Probe
  readonly workers: WorkerPool
  readonly metrics: MetricsHub
  readonly libraryFolder: string
  readonly runtimeRoot: string
  readonly timings: Timings
  /** The key of a machine's encrypted disks. Throws `KEY_REQUIRED`. */
  readonly diskKey: (machineId: string) => Promise<string>
  readonly imageTool: (qemu: QemuReport) => QemuImg
  readonly commandLine: (plan: LaunchPlan) => Promise<string[]>
  /** Memory that could be had now without swapping, MiB. */
  readonly freeMemoryMiB: () => number
  slots(): readonly MachineSlot[]
  addProblem(problem: LibraryProblem): void
}
