/** A row of a tree as it is shown, from the top down. */
export interface WalkedRow {
  readonly id: string
  readonly parentId: string | null
  /** Whether what belongs to it is shown; null: nothing does. */
  readonly expanded: boolean | null
}

/** What a key does in the tree, as the ARIA pattern for trees has it. */
export type TreeMove = { readonly type: 'focus' | 'fold' | 'unfold'; readonly id: string }

/** null: the key means nothing here, or nothing is left in that direction. */
export function treeMove(rows: readonly WalkedRow[], from: string, key: string): TreeMove | null {
  const index = rows.findIndex((row) => row.id === from)
  const row = rows[index]
  if (!row) return null
  const focus = (target: WalkedRow | undefined): TreeMove | null => (target && target !== row ? { type: 'focus', id: target.id } : null)
  switch (key) {
    case 'ArrowUp': return focus(rows[index - 1])
    case 'ArrowDown': return focus(rows[index + 1])
    case 'Home': return focus(rows[0])
    case 'End': return focus(rows.at(-1))
    case 'ArrowRight': return row.expanded === null ? null : row.expanded ? focus(rows[index + 1]) : { type: 'unfold', id: row.id }
    case 'ArrowLeft': return row.expanded === true ? { type: 'fold', id: row.id } : focus(rows.find((each) => each.id === row.parentId))
    default: return null
  }
}

/** The next row from `from` on, round and round, whose name begins with what was typed; a letter typed again goes on to the next. */
export function typedMove(rows: readonly { readonly id: string; readonly name: string }[], from: string, typed: string): string | null {
  const wanted = [...typed].every((letter) => letter === typed[0]) ? (typed[0] ?? '') : typed
  const start = rows.findIndex((row) => row.id === from)
  // A word that is being typed may stay where it is; a single letter moves on.
  const first = wanted.length > 1 ? start : start + 1
  const ordered = [...rows.slice(first), ...rows.slice(0, first)]
  return ordered.find((row) => row.name.toLocaleLowerCase().startsWith(wanted.toLocaleLowerCase()))?.id ?? null
}
