import type { SnapshotTree } from '@shared/model'

/** One line of a drawn tree. */
export interface GraphRow {
  /** The drawing before the name. */
  graph: string
  /** A snapshot's id; `now`: where the machine is; `beginning`: what several first snapshots go back to. */
  node: string
}

type Drawable = Pick<SnapshotTree, 'current'> & { snapshots: readonly { id: string; parentId: string | null }[] }

const beginning = 'beginning'
const now = 'now'

/**
 * Draws a tree from its root downwards, one line each. What follows one after the other stays in one column however long it is; the line
 * that leads to the present, else to the newest, goes straight on, and other branches hang to its right where they begin.
 */
export function drawTree({ snapshots, current }: Drawable): GraphRow[] {
  const parents = new Map(snapshots.map(({ id, parentId }) => [id, parentId]))
  const parentOf = (id: string): string => {
    const parent = id === now ? current.parentId : (parents.get(id) ?? null)
    return parent !== null && parents.has(parent) ? parent : beginning
  }
  const children = new Map<string, string[]>()
  for (const id of [...parents.keys(), now]) children.set(parentOf(id), [...(children.get(parentOf(id)) ?? []), id])
  const toPresent = new Set<string>()
  for (let id = now; id !== beginning; id = parentOf(id)) toPresent.add(id)

  const rows: GraphRow[] = []
  const draw = (first: string, ownPrefix: string, prefix: string): void => {
    let lead = ownPrefix
    for (let id: string | undefined = first; id !== undefined;) {
      rows.push({ graph: `${lead}${id === now ? '●' : id === beginning ? '◌' : '○'}`, node: id })
      lead = prefix
      const all: readonly string[] = children.get(id) ?? []
      const straightOn: string | undefined = all.find((child) => toPresent.has(child)) ?? all.at(-1)
      for (const child of all) if (child !== straightOn) draw(child, `${prefix}├─`, `${prefix}│ `)
      id = straightOn
    }
  }
  const roots = children.get(beginning) ?? []
  const [root] = roots
  draw(roots.length === 1 && root !== undefined ? root : beginning, '', '')
  return rows
}
