import { z } from 'zod'

/*
 * What a guest tells of itself through qemu-guest-agent, and what it is asked to do. Whatever the guest says is a claim: sizes, counts and lengths are bounded,
 * and texts have no control characters, before they get here.
 */

export const GuestPart = z.enum(['os', 'hostName', 'interfaces', 'fileSystems', 'users', 'timeZone'])
export type GuestPart = z.infer<typeof GuestPart>

/** What can be done through the agent, where its settings allow it. */
export const GuestAbility = z.enum(['run', 'setPassword', 'copy'])
export type GuestAbility = z.infer<typeof GuestAbility>

export const GuestOs = z.object({
  family: z.enum(['linux', 'windows', 'bsd', 'other']),
  /** As the system calls itself, e.g. `Debian GNU/Linux 12 (bookworm)`. */
  name: z.string(),
  version: z.string().nullable(),
  kernel: z.string().nullable(),
  /** The processor's architecture, e.g. `x86_64`. */
  architecture: z.string().nullable(),
})
export type GuestOs = z.infer<typeof GuestOs>

export const GuestInterface = z.object({
  name: z.string(),
  macAddress: z.string().nullable(),
  addresses: z.array(z.object({ address: z.string(), prefix: z.int().min(0).max(128), family: z.enum(['ipv4', 'ipv6']) })),
})
export type GuestInterface = z.infer<typeof GuestInterface>

export const GuestFileSystem = z.object({
  mountPoint: z.string(),
  type: z.string(),
  /** null: the agent does not tell. */
  usedBytes: z.number().min(0).nullable(),
  totalBytes: z.number().min(0).nullable(),
})
export type GuestFileSystem = z.infer<typeof GuestFileSystem>

/** Somebody who is logged in. */
export const GuestUser = z.object({ name: z.string(), domain: z.string().nullable(), since: z.iso.datetime().nullable() })
export type GuestUser = z.infer<typeof GuestUser>

export const GuestInfo = z.object({
  agentVersion: z.string(),
  os: GuestOs.nullable(),
  hostName: z.string().nullable(),
  interfaces: z.array(GuestInterface).nullable(),
  fileSystems: z.array(GuestFileSystem).nullable(),
  users: z.array(GuestUser).nullable(),
  /** Seconds east of Greenwich. */
  timeZone: z.object({ name: z.string().nullable(), offsetSeconds: z.int() }).nullable(),
  /** Why a part is null, a sentence. */
  unknown: z.partialRecord(GuestPart, z.string()),
  /** Why something can't be done, a sentence; what is not named here can. */
  cannot: z.partialRecord(GuestAbility, z.string()),
})
export type GuestInfo = z.infer<typeof GuestInfo>

export const guestLimits = {
  /** Of what a program is given on its standard input, bytes. */
  inputBytes: 384 * 1024,
  /** Of all arguments and variables together, characters. */
  wordsLength: 128 * 1024,
  /** Of each of a program's two streams, bytes. */
  outputBytes: 4 * 2 ** 20,
  runMs: 24 * 3_600_000,
  passwordLength: 512,
} as const

const noNul = (text: string): boolean => !text.includes('\0')
const word = (max: number): z.ZodString => z.string().max(max).refine(noNul, 'No zero bytes; leave them out.')

/** A program with its arguments, as they are: no shell is involved. */
export const GuestCommand = z.object({
  program: word(4096).min(1, 'Name the program to run.'),
  arguments: z.array(word(32_768)).max(256, 'At most 256 arguments.').default([]),
  /** `NAME=value` each; empty: the agent's own. */
  environment: z.array(word(8192).regex(/^[^=\s]+=/u, 'A variable is written NAME=value.')).max(128).default([]),
  inputBase64: z.base64().max(Math.ceil(guestLimits.inputBytes / 3) * 4, 'At most 384 KiB of input.').default(''),
  /** After so long the program is killed. */
  timeoutMs: z.int().min(100).max(guestLimits.runMs, 'At most a day.').default(60_000),
  /** What is kept of each stream. */
  outputLimitBytes: z.int().min(0).max(guestLimits.outputBytes).default(2 ** 20),
})
/** What one message to the host holds. */
export const fitsOneMessage = (command: Pick<GuestCommand, 'arguments' | 'environment'>): boolean => [...command.arguments, ...command.environment].reduce((sum, text) => sum + text.length, 0) <= guestLimits.wordsLength
export type GuestCommand = z.infer<typeof GuestCommand>

export const GuestCommandResult = z.object({
  /** null: ended by a signal, or not known. */
  exitCode: z.int().nullable(),
  signal: z.int().nullable(),
  /** It took longer than allowed and was killed. */
  timedOut: z.boolean(),
  stdoutBase64: z.string(),
  stderrBase64: z.string(),
  stdoutTruncated: z.boolean(),
  stderrTruncated: z.boolean(),
})
export type GuestCommandResult = z.infer<typeof GuestCommandResult>

export const GuestUserName = z.string().min(1, 'Name the user.').max(256).refine((name) => !/[\p{Cc}:]/u.test(name), 'A user’s name has no colons or control characters.')

export const GuestPassword = z
  .string()
  .min(1, 'Give a password.')
  .max(guestLimits.passwordLength, `A password has at most ${String(guestLimits.passwordLength)} characters.`)
  .refine((text) => !/[\0\r\n]/u.test(text), 'A password has no line breaks.')

/** A file on its way between this computer and the guest. Both paths are absolute; one that ends in a separator is a folder, and the file keeps its name. */
export const GuestCopy = z.object({
  hostPath: word(4096).min(1, 'Name a file of this computer.'),
  guestPath: word(4096).min(1, 'Name a file of the guest.'),
  /** Replaces a file that is there; otherwise it is refused. */
  overwrite: z.boolean().default(false),
})
export type GuestCopy = z.infer<typeof GuestCopy>
