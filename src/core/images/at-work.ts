import type { RunningJob } from '../app/services'
import type { QemuImg } from '../engine/qemu'
import type { HeldMachine } from '../machine/held-machine'
import type { ImageContext } from './context'

/** A piece of work at work, with the machines that have to do with the image held. */
export interface AtWork {
  readonly context: ImageContext
  readonly tool: QemuImg
  readonly job: Pick<RunningJob, 'report' | 'note'>
  /** Aborted when the job is cancelled. */
  readonly signal: AbortSignal
  readonly held: readonly HeldMachine[]
}
