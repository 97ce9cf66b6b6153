import type { ProcessFailure } from '@shared/errors'
import { howItEnded } from '../process/classify-failure'
import type { ShutdownCause } from '../qmp'

/** What is known when the process is gone. */
export interface EndingFacts {
  /** From the SHUTDOWN event; null when none was seen. */
  cause: ShutdownCause | null
  /** QEMU was asked to quit over the monitor, or killed, by us. */
  asked: boolean
  /** QEMU removes its pid file when it ends in order, and leaves it when it crashes or is killed. */
  pidFileLeft: boolean
  failure: ProcessFailure
}

export interface Ending { clean: boolean; reason: string }

const causes: Partial<Record<ShutdownCause, Ending>> = {
  'guest-shutdown': { clean: true, reason: 'The guest shut down.' },
  'guest-reset': { clean: true, reason: 'The guest restarted, and the machine is set to end then.' },
  'host-qmp-quit': { clean: true, reason: 'The machine was powered off.' },
  'host-qmp-system-reset': { clean: true, reason: 'The machine was powered off.' },
  'host-signal': { clean: true, reason: 'QEMU was asked to end by a signal from outside.' },
  'host-ui': { clean: true, reason: 'The machine was powered off.' },
  'guest-panic': { clean: false, reason: 'The guest’s operating system crashed.' },
  'host-error': { clean: false, reason: 'QEMU ended because of an error on the host.' },
}

/** Tells the end of a machine from a crash. */
export function judgeEnding({ cause, asked, pidFileLeft, failure }: EndingFacts): Ending {
  const { exitCode, signal } = failure
  const unharmed = signal === null && (exitCode === null || exitCode === 0)
  const known = cause === null ? undefined : causes[cause]
  if (known !== undefined && (unharmed || asked)) return known
  if (asked) return { clean: true, reason: 'The machine was powered off.' }
  if (unharmed && !pidFileLeft) return { clean: true, reason: 'The guest shut down or QEMU was asked to end.' }
  return { clean: false, reason: howItEnded(failure) }
}
