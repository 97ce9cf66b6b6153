import { enableAutoUnmount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineComponent, h, ref, type Component } from 'vue'
import { replaceClient, type Client } from '../transport/client'
import PathInput from './PathInput.vue'
import { find, openDialog, press, settle, type } from './spec-dialog'

enableAutoUnmount(afterEach)

const listFolder = vi.fn(({ path }: { path: string | null }) => Promise.resolve({ path: path ?? '/home', parent: '/', entries: [{ name: 'inner', path: `${path ?? '/home'}/inner`, kind: 'folder', bytes: null, modifiedAt: null }], places: [] }))
const path = ref('')
let restore: () => void
beforeEach(() => {
  localStorage.clear()
  listFolder.mockClear()
  path.value = '/data/old'
  restore = replaceClient({ storage: { listFolder } } as unknown as Client)
})
afterEach(() => {
  restore()
  delete window.ringside
})

async function show(props: Record<string, unknown> = {}): Promise<void> {
  const given = { id: 'it', filter: 'folder', dialogTitle: 'Choose a folder', invalid: false, testid: 'path', browseTestid: 'browse', ...props }
  await openDialog(defineComponent({ render: () => h(PathInput as Component, { ...given, 'modelValue': path.value, 'onUpdate:modelValue': (now: string) => { path.value = now } }) }), {})
}
/** As a person does: the button has the focus when it is pressed. */
async function browse(): Promise<void> {
  find('browse').focus()
  await press('browse')
}

test('in a browser our own dialog begins at what was typed, and gives the focus back', async () => {
  await show()
  await type('path', '/data/typed')
  await browse()
  await vi.waitFor(() => { expect(document.activeElement).toBe(find('file-dialog-list')) })
  expect(document.querySelector('[role=dialog]')?.textContent).toContain('Choose a folder')
  expect(listFolder).toHaveBeenCalledWith({ path: '/data/typed' })
  await press('file-dialog-choose')
  expect(path.value).toBe('/data/typed')
  await vi.waitFor(() => { expect(document.activeElement).toBe(find('browse')) })
})

test('a dialog that is closed leaves the path as it was', async () => {
  await show()
  await browse()
  await vi.waitFor(() => { expect(document.activeElement).toBe(find('file-dialog-list')) })
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }))
  await vi.waitFor(() => { expect(document.querySelector('[role=dialog]')).toBeNull() })
  expect(path.value).toBe('/data/old')
})

test('the system’s own dialog is asked in the desktop shell, and what is closed there is no choice either', async () => {
  const pickFile = vi.fn<() => Promise<string | null>>().mockResolvedValueOnce(null).mockResolvedValueOnce('/picked')
  window.ringside = { pickFile } as unknown as NonNullable<Window['ringside']>
  await show()
  await browse()
  expect(pickFile).toHaveBeenCalledWith({ title: 'Choose a folder', filter: 'folder' })
  expect(path.value).toBe('/data/old')
  await browse()
  expect(path.value).toBe('/picked')
  expect(document.querySelector('[role=dialog]')).toBeNull()
})

test('of what was chosen another path can be made, and the dialog can begin elsewhere', async () => {
  await show({ startPath: '/data', pathOf: (chosen: string) => `${chosen}/old.qcow2` })
  await browse()
  await vi.waitFor(() => { expect(listFolder).toHaveBeenCalledWith({ path: '/data' }) })
  await settle()
  await press('file-dialog-choose')
  expect(path.value).toBe('/data/old.qcow2')
})
