import type { Cli } from '../cli'
import { registerSnapshotChange } from './snapshot-change'
import { registerSnapshotDelete } from './snapshot-delete'
import { registerSnapshotLook } from './snapshot-look'
import { registerSnapshotOrphans } from './snapshot-orphans'
import { registerSnapshotRevert } from './snapshot-revert'
import { registerSnapshotTake } from './snapshot-take'

/** `ringside snapshot …` */
export function registerSnapshot(cli: Cli): void {
  const group = cli.group('snapshot', 'Snapshots of a machine: take, look at, go back to, delete.')
  registerSnapshotLook(cli, group)
  registerSnapshotTake(cli, group)
  registerSnapshotRevert(cli, group)
  registerSnapshotDelete(cli, group)
  registerSnapshotChange(cli, group)
  registerSnapshotOrphans(cli, group)
}
