import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import { flushPromises, mount } from '@vue/test-utils'
import { vi } from 'vitest'
import { defineComponent, h, type Component } from 'vue'

/** Opens a dialog as the application does, until the field or dialog of that name is drawn. */
export async function openDialog(dialog: unknown, props: Record<string, unknown>, testid: string): Promise<void> {
  mount(defineComponent({ render: () => h(App as Component, null, { default: () => h(dialog as Component, props) }) }), { attachTo: document.body, global: { plugins: [ui] } })
  await vi.waitFor(() => { find(testid) })
  await flushPromises()
}

export function find<T extends HTMLElement = HTMLElement>(testid: string): T {
  const found = document.querySelector<T>(`[data-testid=${testid}]`)
  if (found === null) throw new Error(`There is no ${testid}.`)
  return found
}

export async function type(testid: string, text: string): Promise<void> {
  const field = find<HTMLInputElement>(testid)
  field.value = text
  field.dispatchEvent(new Event('input'))
  await flushPromises()
}

/** Sends the dialog's form, as Enter does. */
export async function enter(): Promise<void> {
  document.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }))
  await flushPromises()
}

/** All that the dialog says. */
export const words = (): string => document.querySelector('[role=dialog]')?.textContent ?? ''
