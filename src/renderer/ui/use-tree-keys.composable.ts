import { computed, nextTick, onBeforeUpdate, onUpdated, watch, type ComputedRef, type Ref } from 'vue'
import { treeMove, typedMove, type WalkedRow } from './tree-keys'

export interface TreeKeysOptions<Row extends WalkedRow> {
  /** The element with the role `tree`; each of its rows carries its id as `data-id`. */
  readonly box: Readonly<Ref<HTMLElement | null>>
  /** The rows that are shown, from the top down. */
  readonly rows: ComputedRef<readonly Row[]>
  /** What a row is found by when somebody types. */
  readonly nameOf: (row: Row) => string
  readonly selectedId: Ref<string>
  /** The rows under which nothing is shown. */
  readonly folded: Ref<ReadonlySet<string>>
  /** Does what a key means in this tree beside what it means in every one; with Alt, only that. @returns whether it means anything */
  readonly ownKey: (event: KeyboardEvent, id: string) => boolean
}

export interface TreeKeys {
  /** The row that Tab reaches; undefined: there is none. */
  readonly tabStopId: ComputedRef<string | undefined>
  readonly rowOf: (id: string) => HTMLElement | null
  readonly select: (id: string, focus?: boolean) => void
  /** Gives the focus to the row that Tab reaches. */
  readonly focusTree: () => void
  readonly fold: (id: string, away: boolean) => void
  readonly onKey: (event: KeyboardEvent, id: string) => void
}

/** Letters that follow each other within this time are a word, milliseconds. */
const wordMs = 700

/** What keys do in every tree: arrows, Home and End walk and fold, Space chooses, letters go to the next name that begins with them. One Tab stop; focus and selection move together. */
export function useTreeKeys<Row extends WalkedRow>({ box, rows, nameOf, selectedId, folded, ownKey }: TreeKeysOptions<Row>): TreeKeys {
  const isShown = (id: string): boolean => rows.value.some((row) => row.id === id)
  const tabStopId = computed(() => (isShown(selectedId.value) ? selectedId.value : rows.value[0]?.id))

  function rowOf(id: string): HTMLElement | null {
    return box.value?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`) ?? null
  }
  function select(id: string, focus = false): void {
    selectedId.value = id
    if (focus) void nextTick(() => { rowOf(id)?.focus() })
  }
  function focusTree(): void {
    if (tabStopId.value !== undefined) select(tabStopId.value, true)
  }
  function fold(id: string, away: boolean): void {
    const next = new Set(folded.value)
    if (away) next.add(id)
    else next.delete(id)
    folded.value = next
    // What is folded away can't stay selected.
    if (away && !isShown(selectedId.value)) select(id)
  }

  let typed = ''
  let typedAt = -Infinity
  const isWithinWord = (at: number): boolean => at - typedAt < wordMs
  function typeAhead(letter: string, from: string, at: number): void {
    typed = isWithinWord(at) ? typed + letter : letter
    typedAt = at
    const to = typedMove(rows.value.map((row) => ({ id: row.id, name: nameOf(row) })), from, typed)
    if (to !== null) select(to, true)
  }
  function walk(event: KeyboardEvent, id: string): boolean {
    const move = treeMove(rows.value, id, event.key)
    if (move === null) return false
    if (move.type === 'focus') select(move.id, true)
    else fold(move.id, move.type === 'fold')
    return true
  }
  function choose({ key, timeStamp }: KeyboardEvent, id: string): boolean {
    // “?” and “/” stay the window's; a space within a name is a letter of it.
    if (key.length !== 1 || '?/'.includes(key)) return false
    if (key === ' ' && !isWithinWord(timeStamp)) select(id, true)
    else typeAhead(key, id, timeStamp)
    return true
  }
  function onKey(event: KeyboardEvent, id: string): void {
    if (event.isComposing || event.ctrlKey || event.metaKey) return
    const isDone = event.altKey ? ownKey(event, id) : walk(event, id) || ownKey(event, id) || choose(event, id)
    if (!isDone) return
    event.preventDefault()
    event.stopPropagation()
  }

  // A row that goes while it has the focus would take the keyboard along.
  let hadFocus = false
  onBeforeUpdate(() => { hadFocus = box.value?.contains(document.activeElement) === true })
  onUpdated(() => {
    if (hadFocus && document.activeElement === document.body && tabStopId.value !== undefined) rowOf(tabStopId.value)?.focus()
  })
  // Chosen elsewhere, or new, it may be out of sight; and who walks the tree goes along.
  watch(selectedId, (id) => {
    const row = rowOf(id)
    row?.scrollIntoView({ block: 'nearest' })
    if (box.value?.contains(document.activeElement) === true && document.activeElement?.getAttribute('role') === 'treeitem') row?.focus()
  }, { flush: 'post' })

  return { tabStopId, rowOf, select, focusTree, fold, onKey }
}
