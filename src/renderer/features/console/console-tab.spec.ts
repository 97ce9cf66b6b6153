import ui from '@nuxt/ui/vue-plugin'
import type { MachineDefinition } from '@shared/model'
import { config, enableAutoUnmount, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useMachinesStore } from '../../stores/machines.store'
import { aMachine } from '../../stores/spec-data'
import ConsoleTab from './ConsoleTab.vue'

config.global.plugins = [ui, createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: { render: () => null } }] })]
enableAutoUnmount(afterEach)
beforeEach(() => {
  setActivePinia(createPinia())
  localStorage.clear()
})

test('there is a tab for each port that runs; the one of a console that is taken out goes, and with it what it showed', async () => {
  const machines = useMachinesStore()
  const { id } = aMachine(1, 'running')
  const runs = async (definition: Partial<MachineDefinition>): Promise<void> => {
    machines.put(aMachine(1, 'running', definition))
    await nextTick()
  }
  await runs({ serialPorts: 1, virtioConsoles: 2 })
  const wrapper = mount(ConsoleTab, { attachTo: document.body, props: { machineId: id }, global: { stubs: { ScreenView: { template: '<main><slot name="switch" />screen</main>' }, SerialView: { props: ['port'], template: '<main><slot name="switch" />port {{ port }}</main>' } } } })
  const tabs = (): string[] => wrapper.findAll('[role=tab]').map((tab) => tab.text())
  expect(tabs()).toEqual(['Screen', 'Serial', 'VirtIO 1', 'VirtIO 2'])
  const focused = (): string | null => document.activeElement?.textContent.trim() ?? null
  wrapper.get<HTMLElement>('[data-testid=console-screen]').element.focus()
  await wrapper.get('[role=tablist]').trigger('keydown', { key: 'ArrowLeft' })
  await vi.waitFor(() => { expect(focused()).toBe('VirtIO 2') })
  expect(wrapper.text()).toContain('port 2')
  await runs({ serialPorts: 1, virtioConsoles: 1 })
  expect(tabs()).toEqual(['Screen', 'Serial', 'VirtIO'])
  expect(wrapper.text()).toContain('screen')
  // The console went with the focus, which stays with the others.
  await vi.waitFor(() => { expect(focused()).toBe('Screen') })
  await runs({ serialPorts: 1, virtioConsoles: 2 })
  expect(wrapper.text()).toContain('port 2')
})
