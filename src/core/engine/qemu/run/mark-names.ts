import { isMark } from '../../engine'
import type { BlockNodeInfo } from '../qmp'

/** The marks of a node that can be trusted, with the bytes that are dirty in each. */
export function marksOf(node: BlockNodeInfo): Record<string, number> {
  const good = (node['dirty-bitmaps'] ?? []).filter((bitmap) => bitmap.persistent && bitmap.recording && !bitmap.busy && bitmap.inconsistent !== true)
  return Object.fromEntries(good.flatMap(({ name, count }) => (name !== undefined && isMark(name) ? [[name, count]] : [])))
}
