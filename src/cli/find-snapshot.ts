import { RingsideError } from '@shared/errors'
import type { MachineView, Snapshot, SnapshotTree } from '@shared/model'
import type { Run } from './cli'

/** What a command about one snapshot works with. */
export interface Found {
  machine: MachineView
  tree: SnapshotTree
  snapshot: Snapshot
}

/** The machine and its snapshot that a person means. @throws as `Run.machine` and `pickSnapshot` */
export async function findSnapshot(run: Run, wantedMachine: string, wanted: string): Promise<Found> {
  const machine = await run.machine(wantedMachine)
  const tree = await run.client.snapshot.tree({ id: machine.id })
  return { machine, tree, snapshot: pickSnapshot(tree, machine.definition.name, wanted) }
}

/**
 * The snapshot that a person means: by its whole name (case ignored), its id, or any beginning of either that no other one has.
 * @throws `NOT_FOUND`, which names those that there are; `INVALID_INPUT` when several could be meant; what is wrong with a damaged one
 */
export function pickSnapshot({ snapshots, problems }: Pick<SnapshotTree, 'snapshots' | 'problems'>, machineName: string, wanted: string): Snapshot {
  const key = wanted.trim().toLocaleLowerCase()
  const name = (snapshot: Snapshot): string => snapshot.name.toLocaleLowerCase()
  const exact = snapshots.find((snapshot) => name(snapshot) === key) ?? snapshots.find((snapshot) => snapshot.id === key)
  if (exact) return exact
  const near = key === '' ? [] : snapshots.filter((snapshot) => name(snapshot).startsWith(key) || snapshot.id.startsWith(key))
  const [only] = near
  if (only && near.length === 1) return only
  if (near.length > 1) {
    throw new RingsideError('INVALID_INPUT', `“${wanted}” could be ${list(near)}.`, {
      hint: 'Write more of the name, or use the id.', issues: [{ path: 'snapshot', message: `${String(near.length)} snapshots begin with it.`, received: wanted, severity: 'error' }],
    })
  }
  // A damaged one has no name that can be read; its folder has its id.
  const damaged = key.length < 4 ? [] : problems.filter(({ path }) => path.split(/[\\/]/u).some((part) => part.toLowerCase().startsWith(key)))
  const [problem] = damaged
  if (problem && damaged.length === 1) throw new RingsideError(problem.code, `The snapshot “${wanted}” can’t be used. ${problem.message}`, { path: problem.path, hint: problem.hint })
  throw new RingsideError('NOT_FOUND', `“${machineName}” has no snapshot “${wanted}”.`, {
    hint: snapshots.length === 0 ? 'It has no snapshots at all yet: `ringside snapshot take` makes one.' : `There is ${list(snapshots)}.`,
  })
}

function list(snapshots: readonly Snapshot[]): string {
  const names = snapshots.slice(0, 8).map((snapshot) => `“${snapshot.name}” (${snapshot.id.slice(0, 8)})`)
  return snapshots.length > names.length ? `${names.join(', ')} and ${String(snapshots.length - names.length)} more` : names.join(', ')
}
