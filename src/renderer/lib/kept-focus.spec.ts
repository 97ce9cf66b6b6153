import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineComponent, h, ref, useTemplateRef } from 'vue'
import { useKeptFocus } from './kept-focus.composable'
import { useReturnedFocus } from './returned-focus.composable'

enableAutoUnmount(afterEach)

const goOn = vi.fn<(lost: HTMLElement, around: readonly HTMLElement[]) => void>()
const shown = ref({ button: true, usable: true, dialog: false })

const Page = defineComponent({
  setup() {
    const root = useTemplateRef<HTMLElement>('root')
    useKeptFocus(root, goOn)
    useReturnedFocus()
    return () => [
      h('main', { ref: 'root' }, [h('div', { id: 'row' }, shown.value.button ? h('button', { id: 'act', disabled: !shown.value.usable }) : []), h('input', { id: 'field' })]),
      shown.value.dialog ? h('div', { role: 'dialog' }, h('button', { id: 'in-dialog' })) : null,
    ]
  },
})

beforeEach(() => {
  goOn.mockReset()
  shown.value = { button: true, usable: true, dialog: false }
  mount(Page, { attachTo: document.body })
})

const focus = (id: string): void => { document.getElementById(id)?.focus() }
async function change(to: Partial<typeof shown.value>): Promise<void> {
  shown.value = { ...shown.value, ...to }
  await flushPromises()
}

test('what is gone, or can’t be used any more, hands the keyboard on, with what was around it', async () => {
  focus('act')
  await change({ button: false })
  await vi.waitFor(() => { expect(goOn).toHaveBeenCalledTimes(1) })
  expect(goOn.mock.calls[0]?.[0].id).toBe('act')
  expect(goOn.mock.calls[0]?.[1].map(({ id }) => id)).toEqual(['row'])
})

test('nobody is sent elsewhere who has the keyboard, or never had it here', async () => {
  await change({ button: false })
  await change({ button: true })
  focus('act')
  focus('field')
  await change({ button: false })
  expect(goOn).not.toHaveBeenCalled()
})

test('a dialog that leaves the focus nowhere gives it back to where the person was', async () => {
  focus('field')
  await change({ dialog: true })
  focus('in-dialog')
  await change({ dialog: false })
  await vi.waitFor(() => { expect(document.activeElement?.id).toBe('field') })
})
