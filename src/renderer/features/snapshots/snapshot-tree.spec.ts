import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import type { MachineView } from '@shared/model'
import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineComponent, h, ref, shallowRef, type Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useConnectionStore } from '../../stores/connection.store'
import { aMachine, aSnapshot, aTree, snapshotId } from '../../stores/spec-data'
import { useThumbnailsStore } from '../../stores/thumbnails.store'
import { useWindowStore } from '../../stores/window.store'
import { useNotices } from '../../ui/notices'
import { replaceClient, type Client } from '../../transport/client'
import SnapshotTree from './SnapshotTree.vue'
import { nowId } from './tree-layout'

enableAutoUnmount(afterEach)

const change = vi.fn()
const machine = shallowRef<MachineView>(aMachine(1, 'running'))
const selected = ref<string>(nowId)
const search = ref('')
const tree = aTree(1, [aSnapshot(1, null, { name: 'Root' }), aSnapshot(2, 1, { name: 'Side' }), aSnapshot(3, 2, { name: 'Side two' }), aSnapshot(4, 1, { name: 'Main' })])
let restore: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
  vi.spyOn(useThumbnailsStore(), 'use').mockReturnValue(() => undefined)
  change.mockReset().mockResolvedValue(aSnapshot(1))
  restore = replaceClient({ snapshot: { change } } as unknown as Client)
  machine.value = aMachine(1, 'running')
  selected.value = nowId
  search.value = ''
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: { render: () => null } }] })
  mount(
    defineComponent({
      render: () => h(App as Component, null, {
        default: () => h(SnapshotTree as Component, { machine: machine.value, tree, search: search.value, screens: { get: () => undefined }, selected: selected.value, 'onUpdate:selected': (id: string) => { selected.value = id } }),
      }),
    }),
    { attachTo: document.body, global: { plugins: [ui, router] } },
  )
})
afterEach(() => { restore() })

const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>('[role=treeitem]')]
const names = (): string[] => rows().map((row) => row.querySelector('.text-sm')?.textContent.trim() ?? '')
async function press(key: string): Promise<void> {
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
  await flushPromises()
}
async function stand(id: string): Promise<void> {
  document.querySelector<HTMLElement>(`[data-id="${id}"]`)?.focus()
  selected.value = id
  await flushPromises()
}
const standsOn = (): string | undefined => (document.activeElement as HTMLElement | null)?.dataset['id']

test('the tree has one Tab stop and tells level and place of each', () => {
  expect(names()).toEqual(['Root', 'Side', 'Side two', 'Main', 'Now'])
  expect(rows().map((row) => row.tabIndex)).toEqual([-1, -1, -1, -1, 0])
  expect(rows().map((row) => ['aria-level', 'aria-posinset', 'aria-setsize', 'aria-expanded'].map((name) => row.getAttribute(name)))).toEqual([
    ['1', '1', '1', 'true'], ['2', '1', '2', 'true'], ['3', '1', '1', null], ['2', '2', '2', 'true'], ['3', '1', '1', null],
  ])
})

test('the arrows move focus and selection together, fold and unfold', async () => {
  await stand(nowId)
  await press('ArrowUp')
  expect([standsOn(), selected.value]).toEqual([snapshotId(4), snapshotId(4)])
  await press('Home')
  await press('ArrowDown')
  expect(standsOn()).toBe(snapshotId(2))
  await press('ArrowLeft')
  expect(names()).toEqual(['Root', 'Side', 'Main', 'Now'])
  expect(rows()[1]?.textContent).toContain('+1 more')
  await press('ArrowLeft')
  expect(standsOn()).toBe(snapshotId(1))
  await press('ArrowRight')
  await press('ArrowRight')
  expect(names()).toContain('Side two')
  await press('m')
  expect(standsOn()).toBe(snapshotId(4))
})

test('what is folded away leaves the selection on what hides it', async () => {
  await stand(nowId)
  document.querySelector<HTMLElement>(`[data-id="${snapshotId(1)}"] .group\\/fold`)?.dispatchEvent(new MouseEvent('click', { bubbles: true }))
  await flushPromises()
  expect(names()).toEqual(['Root'])
  expect(selected.value).toBe(snapshotId(1))
})

test('Enter and Delete ask about the row that has the keyboard; on the present, Enter takes a snapshot', async () => {
  await stand(snapshotId(2))
  await press('Enter')
  expect(useWindowStore().dialog).toEqual({ type: 'revert', machineId: aMachine(1).id, snapshotId: snapshotId(2) })
  await press('Delete')
  expect(useWindowStore().dialog).toEqual({ type: 'deleteSnapshot', machineId: aMachine(1).id, snapshotId: snapshotId(2) })
  await stand(nowId)
  await press('Enter')
  expect(useWindowStore().dialog).toEqual({ type: 'takeSnapshot', machineId: aMachine(1).id })
})

test('a key that can do nothing now says why', async () => {
  machine.value = { ...machine.value, task: 'snapshot' }
  await stand(snapshotId(2))
  await press('Enter')
  expect(useWindowStore().dialog).toBeNull()
  expect(useNotices().notices.value.at(-1)).toMatchObject({ kind: 'info', title: expect.stringContaining('a snapshot is being taken') as string })
})

test('F2 edits the name in its row; Enter keeps it, and the row has the focus again', async () => {
  await stand(snapshotId(4))
  await press('F2')
  const field = document.querySelector<HTMLInputElement>('[role=treeitem] input')
  expect(document.activeElement).toBe(field)
  if (field) field.value = 'Better'
  field?.dispatchEvent(new Event('input', { bubbles: true }))
  await flushPromises()
  await press('Enter')
  expect(change).toHaveBeenCalledWith({ id: aMachine(1).id, snapshotId: snapshotId(4), name: 'Better' })
  expect(standsOn()).toBe(snapshotId(4))
})

test('a search leaves what matches, tied together, and the present out', async () => {
  search.value = 'two'
  await flushPromises()
  expect(names()).toEqual(['Side two'])
  search.value = 'nothing of the kind'
  await flushPromises()
  expect(document.querySelector('[role=status]')?.textContent).toContain('No snapshot matches')
})
