import { z } from 'zod'
import { ProcessFailure } from '../errors'
import { MachineHardware } from './hardware'
import { MachineState, MachineTask } from './lifecycle'
import { AcceleratorName, MachineDefinition, MachineId } from './machine'

/** How a machine's last run ended when it did not end cleanly. */
export const CrashReport = z.object({
  /** ISO 8601, UTC. */
  at: z.string(),
  /** A sentence: what died and how. */
  reason: z.string(),
  process: ProcessFailure.nullable(),
})
export type CrashReport = z.infer<typeof CrashReport>

/** The arguments of QEMU, the program first. */
export const CommandLine = z.object({
  /** What QEMU got; of a machine that does not run, what it would get now. */
  argv: z.array(z.string()),
  /** What it got at the last start that was kept: of disposable ones nothing is. null: none yet. `at`: ISO 8601, UTC. */
  last: z.object({ at: z.string(), argv: z.array(z.string()) }).nullable().default(null),
  /** What it would get at the next start; null: that can’t be told now. */
  next: z.array(z.string()).nullable().default(null),
})
export type CommandLine = z.infer<typeof CommandLine>

/** State of a machine saved to disk. */
export const SavedState = z.object({ at: z.string(), sizeBytes: z.number(), qemuVersion: z.string() })
export type SavedState = z.infer<typeof SavedState>

/** What a run of a machine is like, known while it is live. */
export const RunInfo = z.object({
  startedAt: z.string(),
  accelerator: AcceleratorName,
  /** Why a slower accelerator than wished is in use; null when there is nothing to say. */
  acceleratorNote: z.string().nullable(),
  qemuPid: z.number().nullable(),
  workerPid: z.number().nullable(),
  qemuVersion: z.string(),
  /** Things that are less than asked for in this run (e.g. no clipboard channel), each a sentence. */
  notes: z.array(z.string()),
  /** What the guest writes is thrown away when it is off. */
  disposable: z.boolean().default(false),
})
export type RunInfo = z.infer<typeof RunInfo>

/** A machine as the user interface and the CLI see it: what it is, and what it is doing. */
export const MachineView = z.object({
  id: MachineId,
  /** While it runs: what runs. */
  definition: MachineDefinition,
  /** What the hardware will be at the next start, where that differs from what runs; null otherwise. */
  next: MachineHardware.nullable().default(null),
  state: MachineState,
  /** ISO 8601, UTC: when this state began. */
  stateSince: z.string(),
  /** What is being done with it beside its state, such as a snapshot; other actions wait until that has ended. */
  task: MachineTask.nullable(),
  /** Absolute path of the machine's folder. */
  folder: z.string(),
  run: RunInfo.nullable(),
  crash: CrashReport.nullable(),
  saved: SavedState.nullable(),
})
export type MachineView = z.infer<typeof MachineView>

/** Something in the library that can't be opened, which is left as it is; or that should happen by itself and does not. */
export const LibraryProblem = z.object({
  folder: z.string(),
  path: z.string(),
  code: z.enum(['DEFINITION_DAMAGED', 'DEFINITION_NEWER', 'FILE_UNREADABLE', 'RUNS_WITHOUT_DEFINITION', 'AUTOMATIC_SNAPSHOT_FAILED', 'AUTOMATIC_SNAPSHOT_SKIPPED', 'BACKUP_FAILED']),
  message: z.string(),
  hint: z.string(),
  /** The machine that it is about, where there is one that can be used. */
  machineId: z.uuid().optional(),
})
export type LibraryProblem = z.infer<typeof LibraryProblem>
