import type { MachineDefinition } from '@shared/model'
import { isMark, type TrackedDisk } from '../../engine'
import { keyOfNode, withoutPull } from '../argv'
import { QmpCommandError, type BlockNodeInfo, type QmpClient } from '../qmp'
import { blockCommandMs } from './layers'
import { marksOf } from './mark-names'

/*
 * A mark is a persistent dirty bitmap that began with a backup: wherever what its layer reads as may differ from that backup, it is dirty. It goes with its file; QEMU keeps it true for
 * everything that is written through it, and one that was not closed in order is `inconsistent`, or is not there at all [docs/interop/bitmaps.rst].
 */

/** The node at the end of each disk that the guest has, whatever its format, by disk id and `nvramLayer`. */
export async function readDrives(qmp: QmpClient, definition: MachineDefinition): Promise<Map<string, string>> {
  const drives = new Map<string, string>()
  const disks = new Set(definition.cdroms.map(({ id }) => id))
  for (const { inserted } of await qmp.executeWithin(blockCommandMs, 'query-block')) {
    const node = withoutPull(inserted?.['node-name'] ?? '')
    const key = keyOfNode(definition, node)
    if (key !== null && !disks.has(key)) drives.set(key, node)
  }
  return drives
}

/** What is known of disks and of what was written to them. Marks that can't be trusted any more are removed: they would keep the disk from growing. */
export async function readTracked(qmp: QmpClient, drives: ReadonlyMap<string, string>): Promise<Record<string, TrackedDisk>> {
  const nodes = await namedNodes(qmp)
  const tracked: Record<string, TrackedDisk> = {}
  for (const [key, name] of drives) {
    const node = nodes.get(name)
    if (node === undefined) continue
    await removeUntrue(qmp, node)
    tracked[key] = { virtualBytes: node.image?.['virtual-size'] ?? 0, format: node.drv, writable: !node.ro, marks: marksOf(node) }
  }
  return tracked
}

async function removeUntrue(qmp: QmpClient, node: BlockNodeInfo): Promise<void> {
  if (node.ro) return
  for (const { name, inconsistent } of node['dirty-bitmaps'] ?? []) if (name !== undefined && inconsistent === true && isMark(name)) await removeMark(qmp, node['node-name'], name)
}

/** For a disk that is to change its size. */
export async function removeUntrueMarks(qmp: QmpClient, name: string): Promise<void> {
  const node = (await namedNodes(qmp)).get(name)
  if (node !== undefined) await removeUntrue(qmp, node)
}

/** Removes every mark of the disks but these. One that stays costs a little of every write, and is otherwise harmless. */
export async function keepMarks(qmp: QmpClient, drives: ReadonlyMap<string, string>, kept: readonly string[]): Promise<void> {
  const nodes = await namedNodes(qmp)
  for (const name of drives.values()) {
    const node = nodes.get(name)
    if (node === undefined || node.ro) continue
    for (const bitmap of node['dirty-bitmaps'] ?? []) if (bitmap.name !== undefined && isMark(bitmap.name) && !kept.includes(bitmap.name)) await removeMark(qmp, name, bitmap.name)
  }
}

async function removeMark(qmp: QmpClient, node: string, name: string): Promise<void> {
  await qmp.executeWithin(blockCommandMs, 'block-dirty-bitmap-remove', { node, name }).catch((error: unknown) => {
    if (!(error instanceof QmpCommandError)) throw error
  })
}

async function namedNodes(qmp: QmpClient): Promise<Map<string, BlockNodeInfo>> {
  return new Map((await qmp.executeWithin(blockCommandMs, 'query-named-block-nodes', { flat: true })).map((node) => [node['node-name'], node]))
}
