import { z } from 'zod'

/**
 * Every error that Ringside reports, as a closed union. The code is for programs (CLI exit codes, tests, the renderer's
 * special cases); people read the message and the hint.
 */
export const ErrorCode = z.enum([
  'INVALID_INPUT',
  'NOT_FOUND',
  'ILLEGAL_STATE',
  'NAME_TAKEN',
  'FILE_NOT_FOUND',
  'FILE_UNREADABLE',
  'NOT_A_FILE',
  'FILE_EMPTY',
  'FILE_EXISTS',
  'IMAGE_DAMAGED',
  'IMAGE_UNSUPPORTED',
  'BACKING_FILE_OUTSIDE',
  'DISK_IN_USE',
  'DISK_FULL',
  'DEFINITION_DAMAGED',
  'DEFINITION_NEWER',
  'QEMU_NOT_FOUND',
  'QEMU_TOO_OLD',
  'QEMU_FAILED',
  'ACCELERATOR_UNAVAILABLE',
  'CAPABILITY_MISSING',
  'GUEST_FAILED',
  'WORKER_DIED',
  'LIBRARY_LOCKED',
  'PORT_IN_USE',
  'UNAUTHORIZED',
  /** A machine with encrypted disks has to be unlocked first; `data.machineId` says which. */
  'KEY_REQUIRED',
  /** The passphrase does not fit. Nothing was changed. */
  'KEY_WRONG',
  'CANCELLED',
  'TIMED_OUT',
  'PROTOCOL',
  'INTERNAL',
])
export type ErrorCode = z.infer<typeof ErrorCode>

/** One fault of an input: which field, what rule it breaks in words, and the value that was received. */
export const Issue = z.object({
  /** Dotted path from the root of the input, e.g. `source.path`; empty for the input as a whole. */
  path: z.string(),
  /** A sentence fit to show beside the field. */
  message: z.string(),
  /** The value received, as short text; absent when it would not help. */
  received: z.string().optional(),
  /** The type of the fault, where it has one of its own. */
  code: ErrorCode.optional(),
  /** `warning` lets the action go on, `error` stops it. */
  severity: z.enum(['error', 'warning']).default('error'),
})
export type Issue = z.infer<typeof Issue>

/** What is left of a process that failed. Secrets are redacted before it is made. */
export const ProcessFailure = z.object({
  command: z.string(),
  argv: z.array(z.string()),
  exitCode: z.number().nullable(),
  signal: z.string().nullable(),
  /** The last lines of standard error. */
  stderrTail: z.string(),
})
export type ProcessFailure = z.infer<typeof ProcessFailure>

/** The part of an error that crosses processes, beside its code and message. */
export const ErrorData = z.object({
  /** What to do next, a sentence. */
  hint: z.string().optional(),
  /** The file or folder that it is about. */
  path: z.string().optional(),
  /** The machine that it is about, where the one who asked has to do something for it: `KEY_REQUIRED`, `KEY_WRONG`. */
  machineId: z.string().optional(),
  /** The machine's state, for `ILLEGAL_STATE`. */
  state: z.string().optional(),
  /** All faults of the input, for `INVALID_INPUT`. */
  issues: z.array(Issue).optional(),
  process: ProcessFailure.optional(),
})
export type ErrorData = z.infer<typeof ErrorData>

/** An error as plain data, as it crosses a process boundary or rests in a job. */
export const ErrorShape = z.object({ code: ErrorCode, message: z.string(), data: ErrorData })
export type ErrorShape = z.infer<typeof ErrorShape>
