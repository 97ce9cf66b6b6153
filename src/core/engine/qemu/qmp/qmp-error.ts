import { RingsideError, type ErrorData } from '@shared/errors'

/**
 * QEMU answered a command with an error. `qmpClass` is QEMU's own error class (`GenericError`, `CommandNotFound`,
 * `DeviceNotFound` …), `description` its own words.
 */
export class QmpCommandError extends RingsideError {
  constructor(readonly command: string, readonly qmpClass: string, readonly description: string) {
    super(qmpClass === 'CommandNotFound' ? 'CAPABILITY_MISSING' : 'QEMU_FAILED', `QEMU refused “${command}”: ${sentence(description)}`)
    this.name = 'QmpCommandError'
  }
}

/** The monitor closed before the command was answered. */
export class QmpClosedError extends RingsideError {
  constructor(readonly command: string | null, data: ErrorData = {}) {
    super('QEMU_FAILED', command === null ? 'QEMU closed its monitor.' : `QEMU closed its monitor before it answered “${command}”.`, data)
    this.name = 'QmpClosedError'
  }
}

/** The command was not answered in time; whether QEMU carried it out is unknown. */
export class QmpTimeoutError extends RingsideError {
  constructor(readonly command: string, readonly timeoutMs: number) {
    super('TIMED_OUT', `QEMU did not answer “${command}” within ${String(timeoutMs / 1000)} s.`, {
      hint: 'The computer may be overloaded or the disk slow; try again, or power the machine off.',
    })
    this.name = 'QmpTimeoutError'
  }
}

function sentence(words: string): string {
  return /[.!?]$/u.test(words) ? words : `${words}.`
}
