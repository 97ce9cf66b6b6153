import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import { config, enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { afterEach, expect, test, vi } from 'vitest'
import { computed, defineComponent, h, shallowRef, type Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { Action } from './action'
import ActionButton from './ActionButton.vue'
import { confirm, pendingConfirm } from './confirm'
import ConfirmDialog from './ConfirmDialog.vue'
import EditableName from './EditableName.vue'
import ErrorNotice from './ErrorNotice.vue'
import FormField from './FormField.vue'
import { keyLabels } from './keys'
import StateIcon from './StateIcon.vue'
import StatePill from './StatePill.vue'
import Sparkline from './Sparkline.vue'

// With the plugin come the bundled icons, so that none is asked for outside.
config.global.plugins = [ui, createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: { render: () => null } }] })]
enableAutoUnmount(afterEach)

function inApp(component: Component, props: Record<string, unknown> = {}): ReturnType<typeof mount> {
  return mount(defineComponent({ render: () => h(App as Component, null, { default: () => h(component, props) }) }), { attachTo: document.body })
}
function action(changes: Partial<Action> & { why?: string | null } = {}): Action {
  return { label: 'Start', icon: 'i-lucide-play', whyNot: computed(() => changes.why ?? null), busy: shallowRef(false), error: shallowRef(null), run: vi.fn(() => Promise.resolve(true)), ...changes }
}

test('a button that can’t be pressed stays reachable and says why', async () => {
  const refused = action({ why: 'It is running.' })
  const button = inApp(ActionButton as Component, { action: refused }).get('button')
  expect(button.attributes()).toMatchObject({ 'aria-disabled': 'true', 'aria-description': 'It is running.' })
  expect(button.attributes('disabled')).toBeUndefined()
  const run = vi.fn(() => Promise.resolve(true))
  const ready = action({ run })
  const other = inApp(ActionButton as Component, { action: ready, iconOnly: true }).get('button')
  expect(other.attributes('aria-disabled')).toBeUndefined()
  expect(other.attributes('aria-label')).toBe('Start')
  await other.trigger('click')
  expect(run).toHaveBeenCalledTimes(1)
})

test('a name is edited in place; faults are told as it is typed, and such a name is not taken', async () => {
  const wrapper = mount(EditableName, { props: { name: 'web', taken: ['web', 'Mail'], editing: true }, attachTo: document.body })
  const field = wrapper.get('input')
  for (const [typed, told] of [['mail', 'exists already'], ['', 'Give the machine a name'], ['a/b', 'no slashes']] as const) {
    await field.setValue(typed)
    expect(wrapper.get('[role=alert]').text()).toContain(told)
    await field.trigger('keydown', { key: 'Enter' })
  }
  expect(wrapper.emitted('rename')).toBeUndefined()
  await field.setValue('  Web  ')
  await field.trigger('keydown', { key: 'Enter' })
  expect(wrapper.emitted('rename')).toEqual([['Web']])
  await field.trigger('keydown', { key: 'Escape' })
  expect(wrapper.emitted('cancel')).toHaveLength(1)
})

test('leaving a name as it was is no renaming', async () => {
  const wrapper = mount(EditableName, { props: { name: 'web', taken: ['web'], editing: true }, attachTo: document.body })
  await wrapper.get('input').trigger('blur')
  expect(wrapper.emitted('rename')).toBeUndefined()
  expect(wrapper.emitted('cancel')).toHaveLength(1)
})

test('a confirmation names what goes and what stays, and Cancel has the focus when it destroys', async () => {
  inApp(ConfirmDialog as Component)
  const answer = confirm({
    title: 'Delete “web”?', message: 'It moves to the trash.', destroys: [{ text: 'disks/disk0.qcow2', detail: '4 GiB' }], keeps: [{ text: '/isos/debian.iso' }], confirmLabel: 'Move to trash', dangerous: true,
  })
  await flushPromises()
  await vi.waitFor(() => { expect(document.activeElement?.textContent).toContain('Cancel') })
  const dialog = document.querySelector('[role=dialog]')
  for (const words of ['Delete “web”?', 'disks/disk0.qcow2', '4 GiB', '/isos/debian.iso']) expect(dialog?.textContent).toContain(words)
  const go = [...document.querySelectorAll('button')].find((button) => button.textContent?.includes('Move to trash'))
  go?.click()
  expect(await answer).toEqual({ confirmed: true, checked: false })
  expect(pendingConfirm.value).toBeNull()
})

test('a second question answers the first with no', async () => {
  const first = confirm({ title: 'a', message: 'a', confirmLabel: 'a' })
  void confirm({ title: 'b', message: 'b', confirmLabel: 'b' })
  expect(await first).toEqual({ confirmed: false, checked: false })
  pendingConfirm.value?.answer({ confirmed: false, checked: false })
})

test('an error is shown with its hint, its faults and the last words of the process', () => {
  const text = mount(ErrorNotice, {
    props: {
      title: 'It did not start',
      error: {
        code: 'QEMU_FAILED', message: 'QEMU ended.',
        data: { hint: 'Look at the disk.', issues: [{ path: 'a', message: 'One.', severity: 'error' }, { path: 'b', message: 'Two.', severity: 'error' }], process: { command: '/usr/bin/qemu', argv: [], exitCode: 1, signal: null, stderrTail: 'no such file' } },
      },
    },
  }).text()
  for (const words of ['It did not start', 'QEMU ended.', 'Look at the disk.', 'One.', 'Two.', 'exit code 1', 'no such file']) expect(text).toContain(words)
})

test('a field is tied to its label, its hint and its faults', () => {
  const wrapper = mount(FormField, {
    props: { label: 'Memory', hint: 'In MiB', issues: [{ path: 'm', message: 'Too much.', severity: 'error' }, { path: 'm', message: 'Much.', severity: 'warning' }] },
    slots: { default: (given: { id: string; describedBy?: string; invalid: boolean }) => h('input', { id: given.id, 'aria-describedby': given.describedBy, 'aria-invalid': given.invalid }) },
  })
  const input = wrapper.get('input')
  expect(wrapper.get('label').attributes('for')).toBe(input.attributes('id'))
  expect(input.attributes('aria-invalid')).toBe('true')
  const described = (input.attributes('aria-describedby') ?? '').split(' ').map((id) => wrapper.get(`[id="${id}"]`).text()).join(' ')
  expect(described).toContain('In MiB')
  expect(described).toContain('Too much.')
  expect(described).toContain('Much.')
})

test('every state has a word and a shape of its own', () => {
  const states = ['stopped', 'starting', 'running', 'paused', 'saved', 'crashed'] as const
  const shapes = states.map((state) => mount(StateIcon, { props: { state } }).html().replace(/style="[^"]*"/u, ''))
  expect(new Set(shapes).size).toBe(states.length)
  expect(states.map((state) => mount(StatePill, { props: { state } }).text())).toEqual(['Stopped', 'Starting', 'Running', 'Paused', 'Saved', 'Crashed'])
})

test('a spark line leaves a gap where nothing is known', () => {
  const line = (values: (number | null)[]): number => (mount(Sparkline, { props: { values } }).findAll('path')[1]?.attributes('d') ?? '').split('M').length - 1
  expect([line([0.1, 0.2, 0.3]), line([0.1, null, 0.3]), line([null, null])]).toEqual([1, 2, 0])
})

test('keys are written as the system writes them', () => {
  expect(keyLabels('mod+shift+p', true)).toEqual(['⌘', '⇧', 'P'])
  expect(keyLabels('mod+Enter', false)).toEqual(['Ctrl', 'Enter'])
})
