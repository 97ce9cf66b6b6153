import { createHash } from 'node:crypto'
import type { MachineDefinition } from '@shared/model'
import { nvramLayer } from '../../engine'

/*
 * Names of block nodes. QEMU takes 31 characters [include/block/block_int-common.h: node_name], and each says which drive the node belongs to:
 * `disk0` is the format node that the guest writes to when QEMU starts, `disk0.base3` the layer three below, `disk0.1a2b3c4d` a layer that a snapshot
 * put on top later; `.file` behind any of them is the file that holds it, `.pull` the filter of a merge under way. What Ringside itself adds starts with
 * `sys-`, which no drive's id does.
 */

/** The firmware's code. */
export const codeNode = 'sys-firmware'
/** The UEFI variables. */
export const nvramNode = 'sys-nvram'

/** The secret object that holds the machine's disk key. */
export const diskKeyId = 'sys-key'

/** Leaves room for the longest that is put behind it. */
const longestStem = 17

/** The name of a drive's first node. A long id is cut; no id has a capital letter, so the names stay apart. */
export function driveNode(id: string): string {
  if (id.length <= longestStem) return id
  return `${id.slice(0, 8)}X${createHash('sha256').update(id).digest('hex').slice(0, 8)}`
}

/** The first node of a drive or, for `nvramLayer`, of the UEFI variables. */
export function layeredNode(key: string): string {
  return key === nvramLayer ? nvramNode : driveNode(key)
}

export const baseNode = (top: string, index: number): string => `${top}.base${String(index)}`
export const overlayNode = (top: string, layer: string): string => `${top}.${layer}`
export const fileNode = (node: string): string => `${node}.file`
export const pullNode = (node: string): string => `${node}.pull`

/** The format node that a filter of a merge stands before; any other name as it is. */
export function withoutPull(node: string): string {
  return node.endsWith('.pull') ? node.slice(0, -'.pull'.length) : node
}

/** Whose node that is: the id of a disk or CD drive, `nvramLayer`, or null for any other. */
export function keyOfNode({ disks, cdroms }: Pick<MachineDefinition, 'disks' | 'cdroms'>, node: string): string | null {
  const stem = node.split('.')[0] ?? ''
  if (stem === nvramNode) return nvramLayer
  return [...disks, ...cdroms].find(({ id }) => driveNode(id) === stem)?.id ?? null
}
