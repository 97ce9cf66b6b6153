import { z } from 'zod'
import { AcceleratorName } from './machine'

/** One accelerator, proved or not. `works` is only true after the self-test guest ran on it. */
export const AcceleratorReport = z.object({
  name: AcceleratorName,
  works: z.boolean(),
  /** How long the self-test guest took, from spawn to power off. null when it never answered. */
  selfTestMs: z.number().nullable(),
  /** Machine-readable reason; `ok` when it works. */
  reason: z.enum([
    'ok', 'not-built-in', 'no-device', 'no-permission', 'disabled-in-firmware', 'module-not-loaded', 'feature-off',
    'guest-never-answered', 'guest-answered-wrong', 'failed-to-start', 'wrong-system',
  ]),
  /** What was found, a sentence. */
  message: z.string(),
  /** What to do, a sentence with the exact command where there is one; null when nothing helps or nothing is needed. */
  remedy: z.string().nullable(),
  /** The end of QEMU's own words, when there were any. */
  detail: z.string().default(''),
})
export type AcceleratorReport = z.infer<typeof AcceleratorReport>

export const CpuModelInfo = z.object({ name: z.string(), migrationSafe: z.boolean().nullable(), deprecated: z.boolean(), unavailableFeatures: z.array(z.string()) })
export type CpuModelInfo = z.infer<typeof CpuModelInfo>

export const MachineTypeInfo = z.object({ name: z.string(), alias: z.string().nullable(), isDefault: z.boolean(), maxCpus: z.number(), deprecated: z.boolean() })
export type MachineTypeInfo = z.infer<typeof MachineTypeInfo>

export const FirmwareImage = z.object({
  /** Read-only code. */
  codePath: z.string(),
  codeFormat: z.enum(['raw', 'qcow2']),
  /** Template for the machine's own variable store. */
  varsTemplatePath: z.string(),
  varsFormat: z.enum(['raw', 'qcow2']),
  secureBoot: z.boolean(),
  enrolledKeys: z.boolean(),
  requiresSmm: z.boolean(),
  description: z.string(),
})
export type FirmwareImage = z.infer<typeof FirmwareImage>

/** What plays the TPM of machines on this computer. */
export const TpmSupport = z.object({
  /** The program, swtpm; null: there is none that works. */
  program: z.object({
    path: z.string(),
    version: z.string(),
    /** Versions of TPM that it plays, such as `2.0`. */
    versions: z.array(z.string()),
  }).nullable(),
  /** Why machines can have no TPM here, a sentence; null: they can. */
  obstacle: z.string().nullable(),
  /** What to do about it, with the exact command; null when nothing helps or nothing is needed. */
  remedy: z.string().nullable(),
})
export type TpmSupport = z.infer<typeof TpmSupport>

/** The fast way to shared folders on this computer, virtiofs; without it they go by 9p. */
export const VirtiofsSupport = z.object({
  /** The program, virtiofsd; null: there is none that works. */
  path: z.string().nullable(),
  /** Why it can't be had, a sentence; null: it can. */
  obstacle: z.string().nullable(),
  /** What to do about it, with the exact command; null when nothing helps or nothing is needed. */
  remedy: z.string().nullable(),
})
export type VirtiofsSupport = z.infer<typeof VirtiofsSupport>

/** What was asked of one QEMU binary. Never derived from its version number. */
export const QemuReport = z.object({
  systemPath: z.string(),
  imgPath: z.string(),
  version: z.string(),
  /** Distribution's package suffix, e.g. `Debian 1:7.2+dfsg-7`. */
  package: z.string(),
  machineTypes: z.array(MachineTypeInfo),
  cpuModels: z.array(CpuModelInfo),
  /** Names that `-device` takes. */
  devices: z.array(z.string()),
  /** Accelerators built into the binary, as it names them. */
  builtInAccelerators: z.array(z.string()),
  firmware: z.array(FirmwareImage),
  /** Absent: not looked for. */
  tpm: TpmSupport.optional(),
  /** Absent: not looked for. */
  virtiofs: VirtiofsSupport.optional(),
  /** Ways to the host's sound that are built in, as `-audiodev` names them. Absent: not asked. */
  audioDrivers: z.array(z.string()).optional(),
  /** Names of features that `-cpu` takes for the model `max`. Absent: not asked. */
  cpuFeatures: z.array(z.string()).optional(),
  /** What the QMP schema and options have. One name each, see the probe. */
  features: z.record(z.string(), z.boolean()),
})
export type QemuReport = z.infer<typeof QemuReport>

export const ProbeReport = z.object({
  /** ISO 8601, UTC. */
  probedAt: z.string(),
  /** null: no usable QEMU; `qemuProblem` says why. */
  qemu: QemuReport.nullable(),
  qemuProblem: z.object({ code: z.enum(['QEMU_NOT_FOUND', 'QEMU_TOO_OLD', 'QEMU_FAILED']).optional(), message: z.string(), remedy: z.string(), searched: z.array(z.string()) }).nullable(),
  accelerators: z.array(AcceleratorReport),
  /** The accelerator that `auto` means here. null without QEMU. */
  bestAccelerator: AcceleratorName.nullable(),
})
export type ProbeReport = z.infer<typeof ProbeReport>

export const HostInfo = z.object({
  version: z.string(),
  shell: z.enum(['electron', 'server', 'cli', 'test']),
  platform: z.string(),
  arch: z.string(),
  hostName: z.string(),
  osName: z.string(),
  processorModel: z.string(),
  logicalProcessors: z.number(),
  memoryMiB: z.number(),
  freeMemoryMiB: z.number(),
  dataFolder: z.string(),
  libraryFolder: z.string(),
  /** Free bytes of the file system that holds the library. */
  libraryFreeBytes: z.number(),
})
export type HostInfo = z.infer<typeof HostInfo>

export const settingsSchemaVersion = 1
export const Settings = z.object({
  schemaVersion: z.literal(settingsSchemaVersion),
  /** Path of qemu-system-x86_64, or the folder that holds it; null: search. */
  qemuPath: z.string().max(4096).nullable().default(null),
  /** What becomes of running machines when the window quits; `ask` asks. */
  onQuit: z.enum(['ask', 'keepRunning', 'save', 'shutDown']).default('ask'),
  /** Folders whose disk images are listed beside those of the library; absolute. They need not be there, such as those on a drive that is unplugged. */
  storageFolders: z.array(z.string().min(1).max(4096)).max(64).default([]),
})
export type Settings = z.infer<typeof Settings>
