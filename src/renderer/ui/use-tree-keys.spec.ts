import { enableAutoUnmount, mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { computed, defineComponent, h, nextTick, ref, useTemplateRef } from 'vue'
import { useTreeKeys, type TreeKeys } from './use-tree-keys.composable'

enableAutoUnmount(afterEach)

interface Node { readonly id: string; readonly parentId: string | null; readonly name: string }

const machine: readonly Node[] = [
  { id: 'disks', parentId: null, name: 'Disks' }, { id: 'disk0', parentId: 'disks', name: 'Disk 1' }, { id: 'disk1', parentId: 'disks', name: 'Disk 2' }, { id: 'display', parentId: null, name: 'Display' },
]
const nodes = ref<readonly Node[]>(machine)
const selectedId = ref('disks')
const own: string[] = []
let keys: TreeKeys

const Tree = defineComponent({
  setup() {
    const box = useTemplateRef<HTMLElement>('box')
    const folded = ref<ReadonlySet<string>>(new Set())
    const rows = computed(() => nodes.value.filter(({ parentId }) => parentId === null || !folded.value.has(parentId)).map((node) => ({
      ...node, expanded: nodes.value.some(({ parentId }) => parentId === node.id) ? !folded.value.has(node.id) : null,
    })))
    keys = useTreeKeys({ box, rows, nameOf: ({ name }) => name, selectedId, folded, ownKey: ({ key, altKey }, id) => {
      if (key !== 'Enter') return false
      own.push(altKey ? `Alt ${id}` : id)
      return true
    } })
    return { rows }
  },
  render() {
    return h('div', { ref: 'box', role: 'tree' }, this.rows.map(({ id }) => h('div', { key: id, role: 'treeitem', 'data-id': id, tabindex: keys.tabStopId.value === id ? 0 : -1, onKeydown: (event: KeyboardEvent) => { keys.onKey(event, id) } })))
  },
})

beforeEach(() => {
  nodes.value = machine
  selectedId.value = 'disks'
  own.length = 0
  mount(Tree, { attachTo: document.body })
})

const shown = (): string[] => [...document.querySelectorAll<HTMLElement>('[role=treeitem]')].map(({ dataset }) => dataset['id'] ?? '')
const standsOn = (): string | undefined => (document.activeElement as HTMLElement | null)?.dataset['id']
/** @returns whether the key was taken, so that neither the page nor the browser has it */
async function press(key: string, options: KeyboardEventInit & { at?: number } = {}): Promise<boolean> {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...options })
  Object.defineProperty(event, 'timeStamp', { value: options.at ?? 0 })
  document.activeElement?.dispatchEvent(event)
  await nextTick()
  await nextTick()
  return event.defaultPrevented
}

test('the tree is entered at what is selected, and the arrows take focus and selection along', async () => {
  selectedId.value = 'disk1'
  keys.focusTree()
  await nextTick()
  expect(standsOn()).toBe('disk1')
  await press('ArrowDown')
  expect([standsOn(), selectedId.value]).toEqual(['display', 'display'])
  await press('Home')
  expect([standsOn(), selectedId.value]).toEqual(['disks', 'disks'])
  expect(document.querySelectorAll('[tabindex="0"]')).toHaveLength(1)
})

test('who walks the tree goes along when something else selects, and nobody else does', async () => {
  selectedId.value = 'disk1'
  await nextTick()
  expect(document.activeElement).toBe(document.body)
  keys.focusTree()
  await nextTick()
  selectedId.value = 'display'
  await nextTick()
  expect(standsOn()).toBe('display')
})

test('what hides the selection is selected instead', async () => {
  selectedId.value = 'disk0'
  await nextTick()
  keys.fold('disks', true)
  await nextTick()
  expect(shown()).toEqual(['disks', 'display'])
  expect(selectedId.value).toBe('disks')
  keys.focusTree()
  await nextTick()
  await press('ArrowRight')
  expect(shown()).toContain('disk0')
})

test('letters that follow each other are a word, with its spaces; later ones begin another', async () => {
  keys.focusTree()
  await nextTick()
  for (const [index, letter] of [...'disk 2'].entries()) await press(letter, { at: 1000 + index * 100 })
  expect(standsOn()).toBe('disk1')
  await press('d', { at: 5000 })
  expect(standsOn()).toBe('display')
  // Alone, a space chooses what has the focus.
  selectedId.value = 'disks'
  await press(' ', { at: 9000 })
  expect(selectedId.value).toBe('display')
})

test('a tree has keys of its own; the window keeps what means nothing here', async () => {
  keys.focusTree()
  await nextTick()
  expect(await press('Enter')).toBe(true)
  expect(await press('Enter', { altKey: true })).toBe(true)
  expect(own).toEqual(['disks', 'Alt disks'])
  expect(await press('ArrowDown', { altKey: true })).toBe(false)
  expect(await press('k', { ctrlKey: true })).toBe(false)
  expect(await press('?')).toBe(false)
  expect(standsOn()).toBe('disks')
})

test('a row that goes gives the focus to the one that Tab reaches', async () => {
  selectedId.value = 'disk1'
  keys.focusTree()
  await nextTick()
  nodes.value = machine.filter(({ id }) => id !== 'disk1')
  await nextTick()
  expect(standsOn()).toBe('disks')
})
