import { z } from 'zod'
import { ConsoleChannel } from '@shared/contract'
import { ErrorShape, ProcessFailure } from '@shared/errors'
import { AcceleratorName, Disk, DiskFormat, GuestCommand, GuestCommandResult, GuestInfo, MacAddress, MachineDefinition, MemoryMethod, MetricsSample, OwnPath, QemuReport } from '@shared/model'
import { savedRamPath } from '../library/paths'
import { StoredDefinition } from '../config/formats'
import type { EngineEvent } from '../engine/engine'
import { Departure, LiveChange } from '../engine/live-change'

/*
 * What the host and the worker of one machine say to each other. Plain data, parsed by its schema on the side that receives it.
 * Both sides are of the same build, so the protocol has no version: a worker ends with its host.
 */

export const SavedRunSchema = z.object({
  schemaVersion: z.literal(1),
  savedAt: z.string(),
  qemuVersion: z.string(),
  accelerator: AcceleratorName,
  definition: StoredDefinition,
  ownAddresses: z.record(z.string(), MacAddress).optional(),
  ramFormat: z.enum(['stream', 'mapped-ram']),
  // Absent in records that were written before there were snapshots.
  ramCompression: z.enum(['none', 'zstd']).default('none'),
  ramFile: OwnPath.default(savedRamPath),
})

export const LaunchPlanSchema = z.object({
  definition: MachineDefinition,
  qemu: QemuReport,
  accelerator: AcceleratorName,
  machineFolder: z.string(),
  runtimeFolder: z.string(),
  baseFolders: z.array(z.string()),
  baseFiles: z.array(z.string()),
  restore: SavedRunSchema.nullable(),
  diskKey: z.string().nullish(),
})

const EngineEventSchema: z.ZodType<EngineEvent> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('paused'), why: z.enum(['asked', 'io-error', 'watchdog', 'other']) }),
  z.object({ type: z.literal('resumed') }),
  z.object({ type: z.literal('reset') }),
  z.object({ type: z.literal('shuttingDown'), by: z.enum(['guest', 'host']) }),
  z.object({ type: z.literal('ended'), clean: z.boolean(), reason: z.string(), failure: ProcessFailure.nullable() }),
  z.object({ type: z.literal('unplugged'), change: Departure }),
  z.object({ type: z.literal('note'), message: z.string() }),
])

const Bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'Bytes were expected.')
const Nothing = z.object({})
/** What is known of a machine once a worker has it. */
const Held = z.object({ qemuPid: z.number(), paused: z.boolean(), notes: z.array(z.string()), definition: MachineDefinition })

/** Every command with what goes in and what comes back. */
export const workerCommands = {
  /** Starts the machine; replies when the guest runs. */
  launch: { input: LaunchPlanSchema, output: Held },
  /** Takes over a machine that runs already. */
  adopt: { input: LaunchPlanSchema, output: Held },
  pause: { input: Nothing, output: Nothing },
  resume: { input: Nothing, output: Nothing },
  pressPowerButton: { input: Nothing, output: Nothing },
  reset: { input: Nothing, output: Nothing },
  powerOff: { input: Nothing, output: Nothing },
  /** Saves memory and the record beside it, then ends the process. Sends `progress`; `cancel` stops it and the guest goes on. */
  save: { input: z.object({ ramFile: z.string(), recordFile: z.string(), saved: SavedRunSchema }), output: SavedRunSchema },
  screenshot: { input: Nothing, output: z.object({ png: Bytes.nullable() }) },
  snapshotMemory: { input: Nothing, output: z.object({ method: MemoryMethod, reason: z.string().nullable() }) },
  freezeObstacle: { input: Nothing, output: z.object({ obstacle: z.string().nullable() }) },
  topLayers: { input: Nothing, output: z.object({ layers: z.record(z.string(), z.string()) }) },
  /** Sends `progress`; `cancel` stops it. See `EngineSnapshots.takeSnapshot`. */
  takeSnapshot: {
    input: z.object({ overlays: z.record(z.string(), z.string()), ramFile: z.string().nullable(), tpm: z.object({ from: z.string(), to: z.string() }).optional(), freezeMs: z.number().nullable() }),
    output: z.object({
      method: MemoryMethod,
      pauseMs: z.number().nullable(),
      memory: z.object({ format: z.enum(['stream', 'mapped-ram']), compression: z.enum(['none', 'zstd']) }).nullable(),
      quiesced: z.boolean(),
      notes: z.array(z.string()),
    }),
  },
  /** Sends `progress`; `cancel` stops it. See `EngineSnapshots.pullLayer`. */
  pullLayer: { input: z.object({ disk: z.string(), layer: z.string(), base: z.string().nullable(), backingName: z.string().nullable() }), output: Nothing },
  /** See `EngineBackups`. */
  trackedDisks: { input: Nothing, output: z.object({ disks: z.record(z.string(), z.object({ virtualBytes: z.number(), format: z.string(), writable: z.boolean(), marks: z.record(z.string(), z.number()) })) }) },
  /** Sends `progress`; `cancel` stops it. */
  takeBackup: {
    input: z.object({
      disks: z.array(z.object({ key: z.string(), target: z.string(), since: z.string().nullable(), track: z.string().nullable(), compress: z.boolean(), encrypted: z.boolean() })),
      freezeMs: z.number().nullable(),
    }),
    output: z.object({ takenAt: z.string(), pauseMs: z.number().nullable(), quiesced: z.boolean(), notes: z.array(z.string()) }),
  },
  keepMarks: { input: z.object({ marks: z.array(z.string()) }), output: Nothing },
  /** Makes a disk longer. See `EngineSnapshots.resizeDisk`. */
  resizeDisk: { input: z.object({ disk: z.string(), bytes: z.number() }), output: Nothing },
  /** See `EngineMoves`. `copyDisk` sends `progress`; `cancel` stops it. */
  diskFiles: { input: Nothing, output: z.object({ files: z.record(z.string(), z.string()) }) },
  copyDisk: { input: z.object({ disk: z.string(), path: z.string(), format: DiskFormat }), output: Nothing },
  switchDisk: { input: z.object({ keep: z.enum(['source', 'target']), image: Disk.pick({ id: true, image: true, format: true }) }), output: Nothing },
  /** See `EngineGuest`. `cancel` kills the program. */
  guestInfo: { input: Nothing, output: GuestInfo },
  guestRun: { input: GuestCommand, output: GuestCommandResult },
  guestSetPassword: { input: z.object({ user: z.string(), password: z.string() }), output: Nothing },
  /** Both send `progress`; `cancel` stops them. */
  guestCopyIn: { input: z.object({ hostPath: z.string(), guestPath: z.string(), overwrite: z.boolean() }), output: z.object({ notes: z.array(z.string()) }) },
  guestCopyOut: { input: z.object({ guestPath: z.string(), partialPath: z.string() }), output: Nothing },
  /** See `EngineHardware.changeHardware`. */
  changeHardware: { input: LiveChange, output: Nothing },
  /** Lets go of the machine, which goes on, and ends the worker. */
  release: { input: Nothing, output: Nothing },
} as const

export type WorkerCommand = keyof typeof workerCommands
export type CommandInput<C extends WorkerCommand> = z.infer<(typeof workerCommands)[C]['input']>
export type CommandOutput<C extends WorkerCommand> = z.infer<(typeof workerCommands)[C]['output']>
export type Held = z.infer<typeof Held>

/** How a console's bytes reach the worker; the socket or port itself goes beside the message. */
export const ConsoleTransport = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('webSocketUpgrade'), headers: z.record(z.string(), z.string()), head: Bytes }),
  z.object({ kind: z.literal('messagePort') }),
])
export type ConsoleTransport = z.infer<typeof ConsoleTransport>

export const HostMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('command'), id: z.number(), name: z.enum(Object.keys(workerCommands) as [WorkerCommand, ...WorkerCommand[]]), input: z.unknown() }),
  /** Stops the command of that id, where it can be stopped. */
  z.object({ type: z.literal('cancel'), id: z.number() }),
  /** What somebody looks at now. */
  z.object({ type: z.literal('watch'), metrics: z.boolean(), thumbnails: z.boolean() }),
  z.object({ type: z.literal('attachConsole'), channel: ConsoleChannel, transport: ConsoleTransport }),
])
export type HostMessage = z.infer<typeof HostMessage>

export const WorkerMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('reply'), id: z.number(), output: z.unknown() }),
  z.object({ type: z.literal('failure'), id: z.number(), error: ErrorShape }),
  /** 0..1, or null while it can't be known. */
  z.object({ type: z.literal('progress'), id: z.number(), fraction: z.number().nullable() }),
  z.object({ type: z.literal('event'), event: EngineEventSchema }),
  z.object({ type: z.literal('sample'), sample: MetricsSample }),
  /** PNG. null: the guest's display is off. */
  z.object({ type: z.literal('thumbnail'), png: Bytes.nullable() }),
])
export type WorkerMessage = z.infer<typeof WorkerMessage>
