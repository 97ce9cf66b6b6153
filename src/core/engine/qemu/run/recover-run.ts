import { rm } from 'node:fs/promises'
import type { LaunchPlan } from '../../engine'
import { thawFileSystems, type OpenAgent } from '../agent/file-systems'
import { keyOfNode } from '../argv'
import type { QmpClient } from '../qmp'
import { endLeftoverBackups } from './backup-disks'
import { leavePostmigrate, readMark, slowCommandMs } from './guest-hold'
import { closeNodes, nodeFiles } from './layers'
import { endMigration } from './migration'
import { settleLeftMoves } from './move-disk'
import { endLeftoverMerges } from './pull-layer'

/**
 * Ends what a worker that died was about with its machine: memory that nobody waits for is not written any further, merges are given up, overlays that were not put to use
 * are closed, and a guest that stood still for it goes on.
 * @param mark see `GuestHold`
 * @param tell told why the guest stands still, where it has to
 */
export async function recoverRun(
  qmp: QmpClient, { plan, mark, openAgent, tell }: { plan: Pick<LaunchPlan, 'definition' | 'qemu' | 'machineFolder'>; mark: string; openAgent: OpenAgent | null; tell: (sentence: string) => void },
): Promise<void> {
  const { definition, qemu: { features } } = plan
  // Memory on its way in is no business of the one before.
  if ((await qmp.execute('query-status')).status === 'inmigrate') return
  await endMigration(qmp, features)
  await endLeftoverMerges(qmp)
  await endLeftoverBackups(qmp)
  const obstacle = await settleLeftMoves(qmp, plan)
  if (obstacle !== null) {
    tell(obstacle)
    return
  }
  const left = await readMark(mark)
  if (left !== null) {
    await qmp.executeWithin(slowCommandMs, 'cont')
    // A guest whose agent does not answer may have held nothing.
    if (left.freezes && openAgent !== null) await thawFileSystems(openAgent).catch(() => undefined)
    await rm(mark, { force: true })
  }
  await leavePostmigrate(qmp)
  const layers = [...(await nodeFiles(qmp)).keys()].filter((node) => keyOfNode({ disks: definition.disks, cdroms: [] }, node) !== null)
  await closeNodes(qmp, layers)
}
