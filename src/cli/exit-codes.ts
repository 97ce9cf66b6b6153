import type { ErrorCode } from '@shared/errors'

/** What the process ends with: part of the command line's interface, documented in docs/cli.md. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  illegalState: 4,
  invalidInput: 5,
  noQemu: 6,
  locked: 7,
  timedOut: 8,
  /** A machine with encrypted disks, and no passphrase that opens them. */
  noKey: 9,
  /** 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const

const byError: Readonly<Record<ErrorCode, number>> = {
  INVALID_INPUT: exitCodes.invalidInput,
  NOT_FOUND: exitCodes.notFound,
  ILLEGAL_STATE: exitCodes.illegalState,
  NAME_TAKEN: exitCodes.invalidInput,
  FILE_NOT_FOUND: exitCodes.invalidInput,
  FILE_UNREADABLE: exitCodes.invalidInput,
  NOT_A_FILE: exitCodes.invalidInput,
  FILE_EMPTY: exitCodes.invalidInput,
  FILE_EXISTS: exitCodes.invalidInput,
  IMAGE_DAMAGED: exitCodes.invalidInput,
  IMAGE_UNSUPPORTED: exitCodes.invalidInput,
  BACKING_FILE_OUTSIDE: exitCodes.invalidInput,
  DISK_IN_USE: exitCodes.invalidInput,
  DISK_FULL: exitCodes.failed,
  DEFINITION_DAMAGED: exitCodes.invalidInput,
  DEFINITION_NEWER: exitCodes.invalidInput,
  QEMU_NOT_FOUND: exitCodes.noQemu,
  QEMU_TOO_OLD: exitCodes.noQemu,
  QEMU_FAILED: exitCodes.failed,
  ACCELERATOR_UNAVAILABLE: exitCodes.failed,
  CAPABILITY_MISSING: exitCodes.failed,
  GUEST_FAILED: exitCodes.failed,
  WORKER_DIED: exitCodes.failed,
  LIBRARY_LOCKED: exitCodes.locked,
  PORT_IN_USE: exitCodes.failed,
  UNAUTHORIZED: exitCodes.failed,
  KEY_REQUIRED: exitCodes.noKey,
  KEY_WRONG: exitCodes.noKey,
  CANCELLED: exitCodes.interrupted,
  TIMED_OUT: exitCodes.timedOut,
  PROTOCOL: exitCodes.failed,
  INTERNAL: exitCodes.failed,
}

export function exitCodeOf(code: ErrorCode): number {
  return byError[code]
}
