import { z } from 'zod'
import type { Issue } from '../errors'
import { DiskFormat, DisplayModel, MainDiskBus, NicModel } from './devices'
import { NewEncryption } from './encryption'
import { AcceptedFiles, ImagePassphrase } from './image'
import { AcceleratorName, MachineName } from './machine'

const FilePath = z.string().trim().min(1, 'Choose a file.').max(4096, 'A path has at most 4,096 characters.')

/** Where the new machine boots from. */
export const MachineSource = z.discriminatedUnion('type', [
  z.object({ type: z.literal('cdrom'), path: FilePath }),
  z.object({
    type: z.literal('disk'),
    path: FilePath,
    /** Format of the file, as the person confirmed it; never guessed at start. */
    format: DiskFormat,
    /** `inPlace`: use this very file. `copy`: same format into the machine's folder. `convert`: into a qcow2 there. */
    mode: z.enum(['inPlace', 'copy', 'convert']),
    /** With `convert` alone. */
    acceptedFiles: AcceptedFiles.optional(),
    /** Of an image that is encrypted with a passphrase of its own; with `convert` alone. The new disk is encrypted as `encryption` says. */
    passphrase: ImagePassphrase.optional(),
  }),
  z.object({ type: z.literal('kernel'), kernel: FilePath, initrd: FilePath.nullable(), commandLine: z.string().max(4096, 'A kernel command line has at most 4,096 characters.') }),
  z.object({ type: z.literal('blank') }),
  z.object({ type: z.literal('network') }),
])
export type MachineSource = z.infer<typeof MachineSource>

/** Hardware that the person changed in the summary before the first start; what is absent follows the operating system's defaults. */
export const HardwareOverrides = z.object({
  accelerator: z.union([z.literal('auto'), AcceleratorName]).optional(),
  firmware: z.enum(['bios', 'uefi']).optional(),
  /** With UEFI only. */
  secureBoot: z.enum(['on', 'off']).optional(),
  tpm: z.enum(['on', 'off']).optional(),
  diskBus: MainDiskBus.optional(),
  nicModel: NicModel.optional(),
  display: DisplayModel.optional(),
  cpuModel: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/u, 'A processor model has letters, digits, dots, dashes and underscores only.').optional(),
})
export type HardwareOverrides = z.infer<typeof HardwareOverrides>

export const CreateMachineRequest = z.object({
  name: MachineName,
  osId: z.string().min(1, 'Choose an operating system.').max(64),
  source: MachineSource,
  processors: z.int('Processors are a whole number.').min(1, 'A machine needs at least one processor.').max(256, 'A machine has at most 256 processors.'),
  memoryMiB: z.int('Memory is a whole number of MiB.').min(4, 'A machine needs at least 4 MiB of memory.').max(16_777_216, 'A machine has at most 16 TiB of memory.'),
  /** Size of the new, empty disk; null for no new disk. GiB = 2^30 bytes. */
  newDiskGiB: z.number().positive('A disk has a size above zero.').max(65_536, 'A disk has at most 64 TiB; choose a smaller size.').nullable(),
  network: z.enum(['user', 'none']),
  /** Encrypts all disks that are made for the machine; null or absent: none. */
  encryption: NewEncryption.nullable().optional(),
  hardware: HardwareOverrides.default({}),
})
export type CreateMachineRequest = z.infer<typeof CreateMachineRequest>

/** A request without its passphrases, which are nobody’s business while it is only looked at. The length of the new one stays, so that it is judged the same. */
export function withoutPassphrases(request: CreateMachineRequest): CreateMachineRequest {
  const { source, encryption } = request
  return {
    ...request,
    ...(source.type === 'disk' && source.passphrase !== undefined ? { source: { ...source, passphrase: source.passphrase === '' ? '' : '*' } } : {}),
    ...(encryption == null ? {} : { encryption: { ...encryption, passphrase: '*'.repeat(encryption.passphrase.length) } }),
  }
}

/** Limits of this computer that a definition is held against. */
export interface HostLimits {
  logicalProcessors: number
  memoryMiB: number
  freeDiskBytes: number
  /** Names in use, as they are shown. */
  takenNames: readonly string[]
}

/** Every fault of the request at once: the schema's, and those against the host. Pure, so the window and the host use the same. */
export function checkCreateMachine(request: unknown, limits: HostLimits): Issue[] {
  const issues: Issue[] = []
  const parsed = CreateMachineRequest.safeParse(request)
  if (!parsed.success) {
    for (const fault of parsed.error.issues) issues.push({ path: fault.path.join('.'), message: fault.message, severity: 'error' })
  }
  const fields = (typeof request === 'object' && request !== null ? request : {}) as Record<string, unknown>
  const { name, memoryMiB, processors, newDiskGiB } = fields
  if (typeof name === 'string') {
    const wanted = name.trim().toLocaleLowerCase()
    if (limits.takenNames.some((taken) => taken.toLocaleLowerCase() === wanted)) {
      issues.push({ path: 'name', message: `A machine named “${name.trim()}” exists already; choose another name.`, received: name, severity: 'error', code: 'NAME_TAKEN' })
    }
  }
  if (typeof memoryMiB === 'number' && memoryMiB > limits.memoryMiB) {
    issues.push({
      path: 'memoryMiB',
      message: `This computer has ${String(limits.memoryMiB)} MiB of memory; ${String(memoryMiB)} MiB is more than that. Give the machine less.`,
      received: String(memoryMiB),
      severity: 'error',
    })
  }
  if (typeof processors === 'number' && processors > limits.logicalProcessors) {
    issues.push({
      path: 'processors',
      message: `This computer has ${String(limits.logicalProcessors)} logical processors; a guest with ${String(processors)} will be slow.`,
      received: String(processors),
      severity: 'warning',
    })
  }
  if (typeof newDiskGiB === 'number' && newDiskGiB * 2 ** 30 > limits.freeDiskBytes) {
    issues.push({
      path: 'newDiskGiB',
      message: `Only ${(limits.freeDiskBytes / 2 ** 30).toFixed(1)} GiB is free where the library lies; the disk grows as the guest writes and could fill it.`,
      received: String(newDiskGiB),
      severity: 'warning',
    })
  }
  return issues
}
