/** The row of where the machine is now, among the ids of snapshots. */
export const nowId = 'now'

/** A point of the tree, as the layout needs it. */
export interface TreeNode {
  readonly id: string
  readonly parentId: string | null
  /** The line from its parent is drawn broken: what it stands for is not in a snapshot yet, or snapshots between are not shown. */
  readonly loose: boolean
}

export interface LineLook {
  /** It leads to where the machine is now. */
  readonly active: boolean
  readonly dashed: boolean
}

/** One row of the drawn tree. Lanes count from the left, from 0. */
export interface TreeRow {
  readonly id: string
  readonly parentId: string | null
  /** Depth, number among its siblings and number of those, from 1, as ARIA tells them. */
  readonly level: number
  readonly position: number
  readonly siblings: number
  readonly lane: number
  /** Whether what follows it is shown; null: nothing follows. */
  readonly expanded: boolean | null
  /** Rows below it that are folded away. */
  readonly hidden: number
  /** It lies on the way to where the machine is now, or is that. */
  readonly active: boolean
  /** Lines that pass by on the way to something further down. */
  readonly through: readonly (LineLook & { readonly lane: number })[]
  /** The line from the row above, in its own lane. */
  readonly above: LineLook | null
  /** The line to what follows, in its own lane. */
  readonly below: LineLook | null
  /** The line that turns off the lane to the left: it begins a branch. */
  readonly elbow: LineLook | null
}

type Passing = TreeRow['through']

/**
 * Lays a tree out as rows, the oldest on top. What leads to the present, else the newest, goes straight down in its parent's lane, so that
 * a long history is one straight line; everything else turns off to the right and comes before it.
 *
 * @param nodes parents before children, siblings in the order in which they are shown
 * @param folded ids of nodes whose followers are not shown
 */
export function layOut(nodes: readonly TreeNode[], folded: ReadonlySet<string> = new Set()): TreeRow[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const children = new Map<string | null, TreeNode[]>()
  for (const node of nodes) {
    const parent = node.parentId !== null && byId.has(node.parentId) ? node.parentId : null
    children.set(parent, [...(children.get(parent) ?? []), node])
  }
  const active = new Set<string>()
  for (let node = byId.get(nowId); node; node = node.parentId === null ? undefined : byId.get(node.parentId)) active.add(node.id)

  const isMain = (kids: readonly TreeNode[]): TreeNode | undefined => kids.find((kid) => active.has(kid.id)) ?? kids.at(-1)
  const sizeBelow = (id: string): number => {
    let count = 0
    const open = [...(children.get(id) ?? [])]
    for (let node = open.pop(); node; node = open.pop()) {
      count += 1
      open.push(...(children.get(node.id) ?? []))
    }
    return count
  }
  const rows: TreeRow[] = []

  /** Draws a node and everything that goes straight on from it. */
  function drawLine(first: TreeNode, parentId: string | null, place: { level: number; position: number; siblings: number }, lane: number, passing: Passing): void {
    let node = first
    let at = { ...place, parentId }
    let above: LineLook | null = null
    let elbow = parentId === null ? null : look(first)
    for (;;) {
      const followers = children.get(node.id) ?? []
      const shown = folded.has(node.id) ? [] : followers
      const main = isMain(shown)
      const sides = shown.filter((kid) => kid !== main)
      rows.push({
        id: node.id, ...at, lane, through: passing, above, elbow, active: active.has(node.id), expanded: followers.length === 0 ? null : shown.length > 0,
        hidden: followers.length > 0 && shown.length === 0 ? sizeBelow(node.id) : 0, below: main ? shared([...sides, main]) : null,
      })
      if (!main) return
      const level = at.level + 1
      sides.forEach((side, index) => {
        const before = rows.length
        // In the row where it turns off, the lane still carries its line; below, only those that are to come.
        drawLine(side, node.id, { level, position: index + 1, siblings: shown.length }, lane + 1, [...passing, { lane, ...shared([...sides.slice(index + 1), main]) }])
        const turning = rows[before]
        if (turning) rows[before] = { ...turning, through: [...passing, { lane, ...shared([...sides.slice(index), main]) }] }
      })
      at = { level, position: shown.length, siblings: shown.length, parentId: node.id }
      above = look(main)
      elbow = null
      node = main
    }
  }
  const look = (node: TreeNode): LineLook => ({ active: active.has(node.id), dashed: node.loose })
  /** One piece of line that leads to several nodes: it stands out if any of them does, and is broken only if all are. */
  const shared = (nodes: readonly TreeNode[]): LineLook => ({ active: nodes.some((node) => active.has(node.id)), dashed: nodes.every((node) => node.loose) })

  const roots = children.get(null) ?? []
  const last = isMain(roots)
  const ordered = [...roots.filter((root) => root !== last), ...(last ? [last] : [])]
  ordered.forEach((root, index) => { drawLine(root, null, { level: 1, position: index + 1, siblings: ordered.length }, 0, []) })
  return rows
}

/** Leaves out what does not match and ties the rest together: each to the nearest above it that is left, with a broken line where some lie between. */
export function onlyMatching(nodes: readonly TreeNode[], matches: (id: string) => boolean): TreeNode[] {
  const nearest = new Map<string, string | null>()
  const left: TreeNode[] = []
  for (const node of nodes) {
    const above = node.parentId === null ? null : (nearest.get(node.parentId) ?? null)
    if (matches(node.id)) {
      left.push({ id: node.id, parentId: above, loose: node.loose || above !== node.parentId })
      nearest.set(node.id, node.id)
    } else nearest.set(node.id, above)
  }
  return left
}
