import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import { flushPromises, mount } from '@vue/test-utils'
import { vi } from 'vitest'
import { defineComponent, h, type Component } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

/** Somewhere to go for the links of a dialog. */
function anywhere(): Router {
  return createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { render: () => null } }] })
}

/** Opens a dialog as the application does, until the field or dialog of that name is drawn, or, without a name, until it has the focus. */
export async function openDialog(dialog: unknown, props: Record<string, unknown>, testid: string | null = null, router = anywhere()): Promise<void> {
  mount(defineComponent({ render: () => h(App as Component, null, { default: () => h(dialog as Component, props) }) }), { attachTo: document.body, global: { plugins: [ui, router] } })
  if (testid !== null) await vi.waitFor(() => { find(testid) })
  await settle()
}

/** Dialogs are drawn a moment after they are asked for. */
export async function settle(): Promise<void> {
  await flushPromises()
  await new Promise((passed) => requestAnimationFrame(passed))
  await flushPromises()
}

export function find<T extends HTMLElement = HTMLElement>(testid: string): T {
  const found = document.querySelector<T>(`[data-testid="${testid}"]`)
  if (found === null) throw new Error(`There is no ${testid} in ${document.body.textContent}`)
  return found
}

export async function press(testid: string): Promise<void> {
  find(testid).click()
  await settle()
}

export async function type(testid: string, text: string): Promise<void> {
  const field = find<HTMLInputElement>(testid)
  field.value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
  await settle()
}

/** Sends the dialog's form, as Enter does. */
export async function enter(): Promise<void> {
  document.querySelector('form')?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
  await settle()
}

/** All that the dialog says. */
export const words = (): string => document.querySelector('[role=dialog]')?.textContent ?? ''
