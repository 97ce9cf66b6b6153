import { RingsideError } from '@shared/errors'
import type { JobReporter, MachineLibrary } from '../app/services'
import type { QemuImg } from '../engine/qemu'
import type { HeldMachine } from '../machine/held-machine'
import type { MachineSupervisor } from '../machine'
import { realFolder, RealPlaces } from './layers'
import type { RunNames } from './names'
import type { NamesInUse } from './names-in-use'
import type { SnapshotStep } from './steps'
import { type Survey, type Surveyor, survey } from './survey'

/** What the verbs of snapshots need of the machines. */
export type SnapshotMachines = Pick<MachineSupervisor, 'get' | 'runOf' | 'whenGoneOn' | 'changesDue' | 'settled' | 'exclusively' | 'inBackground' | 'ask' | 'onChange'>

/** What all verbs need. */
export interface SnapshotContext extends Surveyor {
  readonly library: MachineLibrary
  readonly machines: SnapshotMachines
  /** Throws `QEMU_NOT_FOUND`. */
  readonly imageTool: () => Promise<QemuImg>
  /** Moves a file or folder to the trash; null: there is none. */
  readonly trash: ((path: string) => Promise<void>) | null
  readonly namesInUse: NamesInUse
  /** Program and version, for `createdBy`. */
  readonly createdBy: string
  /** Awaited between the steps of everything that changes files. */
  readonly atStep: (step: SnapshotStep) => Promise<void>
}

/** A verb at work: on which machine, and who is told of it. */
export interface Work {
  readonly context: SnapshotContext
  readonly held: HeldMachine
  readonly reporter: JobReporter
  /** Aborted when the job is cancelled or the machine's plug is pulled. */
  readonly signal: AbortSignal
}

/** Everything of the machine that lies on the drive now. */
export function look({ context, held }: Work): Promise<Survey> {
  return survey(context, held.stored)
}

/**
 * What QEMU writes to now, asked of itself: by disk id and `nvramLayer`, from the machine's folder.
 * Throws `ILLEGAL_STATE` when it writes to files that are not there any more, the folder having been moved.
 */
export async function runningTops({ held }: Pick<Work, 'held'>): Promise<Record<string, string>> {
  const { layers } = await held.command('topLayers', {})
  const folder = await realFolder(held.stored.paths.folder)
  const places = new RealPlaces()
  const tops: Record<string, string> = {}
  for (const [key, path] of Object.entries(layers)) {
    // One that lies elsewhere by its definition is in no snapshot.
    if (held.run?.definition.disks.find(({ id }) => id === key)?.image.kind === 'external') continue
    const own = ownPath(folder, await places.of(path))
    if (own === null) {
      throw new RingsideError('ILLEGAL_STATE', `“${held.stored.definition.name}” writes to a file that is not in its folder: ${path}`, {
        path, state: held.state, hint: 'Its folder was moved while it ran. Shut the machine down first.',
      })
    }
    tops[key] = own
  }
  return tops
}

function ownPath(folder: string, path: string): string | null {
  const normal = path.replaceAll('\\', '/')
  const prefix = `${folder.replaceAll('\\', '/')}/`
  return normal.startsWith(prefix) ? normal.slice(prefix.length) : null
}

/** What the run under way names; null when there is none. */
export async function runNames(work: Work): Promise<RunNames | null> {
  const { held } = work
  if (!held.live || held.run === null) return null
  return { definition: held.run.definition, tops: Object.values(await runningTops(work)) }
}

export function throwIfCancelled(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw new RingsideError('CANCELLED', `${what} was cancelled; nothing was changed.`)
}
