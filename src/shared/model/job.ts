import { z } from 'zod'
import { ErrorShape } from '../errors'

export const JobKind = z.enum(['machine.create', 'machine.save', 'machine.delete', 'machine.clone', 'machine.template', 'disk.import', 'disk.convert', 'disk.create', 'disk.resize', 'disk.compact', 'disk.check', 'disk.copy', 'disk.checksum', 'disk.move', 'disk.encrypt', 'disk.delete', 'snapshot.take', 'snapshot.revert', 'snapshot.delete', 'snapshot.cleanUp', 'disk.add', 'disk.remove', 'backup.create', 'backup.verify', 'backup.restore', 'backup.delete', 'guest.copyIn', 'guest.copyOut'])
export type JobKind = z.infer<typeof JobKind>

/** Long work: it has progress, can be cancelled where `cancellable`, and outlives the window that asked for it. */
export const Job = z.object({
  id: z.uuid(),
  kind: JobKind,
  /** For people, e.g. `Creating “web-01”`. */
  title: z.string(),
  machineId: z.uuid().nullable(),
  state: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
  /** 0..1, or null while it can't be known. */
  progress: z.number().min(0).max(1).nullable(),
  /** What it is doing now, a few words. */
  step: z.string(),
  cancellable: z.boolean(),
  /** By a schedule: nobody waits for it. */
  automatic: z.boolean().default(false),
  /** What is to be known about its outcome, a sentence each. */
  notes: z.array(z.string()).default([]),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  error: ErrorShape.nullable(),
})
export type Job = z.infer<typeof Job>

/** Tells of the failures of what goes on by itself once for each reason, until it succeeds or fails for another one. */
export class ToldFailures {
  readonly #told = new Map<string, string>()

  /** Whether somebody has to be told of how a job ended. */
  isNews({ kind, machineId, automatic, state, error }: Job): boolean {
    if (!automatic) return true
    const what = `${kind} ${machineId ?? ''}`
    if (state === 'succeeded') this.#told.delete(what)
    if (state !== 'failed' || error === null || this.#told.get(what) === error.message) return false
    this.#told.set(what, error.message)
    return true
  }
}
