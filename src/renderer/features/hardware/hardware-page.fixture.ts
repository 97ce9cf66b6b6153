import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import { HardwareProperty, type MachineHardware, type HardwareDifference, type HardwarePlan, type MachineView } from '@shared/model'
import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, vi } from 'vitest'
import { defineComponent, h, type Component } from 'vue'
import { createMemoryHistory, createRouter, RouterView, type Router } from 'vue-router'
import { useConnectionStore } from '../../stores/connection.store'
import { useMachinesStore } from '../../stores/machines.store'
import { aJob, aMachine } from '../../stores/spec-data'
import { replaceClient, type Client } from '../../transport/client'
import HardwareTab from './HardwareTab.vue'

const property = (path: string, kind: HardwareProperty['kind'], more: Partial<HardwareProperty> = {}): HardwareProperty =>
  HardwareProperty.parse({ path, label: path, term: `-${path}`, help: `Help of ${path}`, kind, live: { possible: false, reason: 'Not while it runs.' }, obstacle: null, ...more })
const properties = [
  property('memoryMiB', 'number', { unit: 'MiB', minimum: 1, maximum: 4096 }), property('memory.maximumMiB', 'number', { unit: 'MiB' }), property('disks.*.limits.bytesPerSecond', 'number'), property('memory.hugePages', 'switch', { obstacle: 'There are no huge pages here.' }), property('boot.order', 'list'),
  property('clock', 'choice', { choices: [{ value: 'utc', label: 'Universal time', obstacle: null }, { value: 'localtime', label: 'Local time', obstacle: null }] }), property('cdroms.*.image', 'text'), property('firmware.nvram', 'text', { obstacle: 'It stays where it is.' }), property('nics.*.linkUp', 'switch'), property('nics.*.macAddress', 'text'),
]
export const cd = { id: 'cd0', image: { kind: 'external' as const, path: '/iso/a.iso' }, bus: 'sata' as const }
export const nic = { id: 'net0', model: 'virtio-net' as const, macAddress: '52:54:00:12:34:56', backend: { type: 'user' as const }, linkUp: true, slot: null }
const disk: MachineHardware['disks'][number] = {
  id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false,
}
export const stopped = aMachine(1, 'stopped', { cdroms: [cd], nics: [nic], disks: [disk], boot: { order: ['disk0', 'cd0'], menu: false, kernel: null } })

export let router: Router
let restore: () => void
export const plan = vi.fn<(input: { hardware: MachineHardware }) => Promise<HardwarePlan>>()
export const change = vi.fn<(input: { hardware: MachineHardware; basedOn: MachineHardware }) => Promise<{ machine: MachineView; differences: HardwareDifference[] }>>()
export const discardPending = vi.fn<() => Promise<MachineView>>()
export const removeDisk = vi.fn(() => Promise.resolve(aJob(1)))
export const difference = (path: string, when: HardwareDifference['when']): HardwareDifference => ({ path, label: path, then: '1', now: '2', when, reason: when === 'now' ? null : 'Not while it runs.' })
export const now = (): MachineView => useMachinesStore().get(stopped.id) ?? stopped

/** The hardware tab of a machine, with a host that is played, for each test of a file. */
export function useHardwarePage(): void {
  enableAutoUnmount(afterEach)
  beforeEach(() => {
    vi.useFakeTimers()
    setActivePinia(createPinia())
    vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
    plan.mockReset().mockResolvedValue({ differences: [difference('memoryMiB', 'now')], waiting: [], issues: [] })
    change.mockReset().mockImplementation(({ hardware }) => {
      const view = now()
      return Promise.resolve({ machine: view.state === 'stopped' ? { ...view, definition: { ...view.definition, ...hardware } } : { ...view, next: hardware }, differences: [] })
    })
    discardPending.mockReset().mockImplementation(() => Promise.resolve({ ...now(), next: null }))
    removeDisk.mockClear()
    restore = replaceClient({
      hardware: { properties: () => Promise.resolve(properties), plan, change, discardPending, removeDisk, history: () => Promise.resolve([]) }, storage: { inspect: () => Promise.reject(new Error('none')) },
      machine: { commandLine: () => Promise.resolve({ argv: ['/usr/bin/qemu', '-m', '64M'] }) },
    } as unknown as Client)
    const tab = { props: ['machineId'], render: () => h(HardwareTab, { machineId: stopped.id }) }
    router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/machines/:id/:tab', component: tab }, { path: '/', component: { render: () => null } }] })
  })
  afterEach(() => {
    restore()
    vi.useRealTimers()
  })
}

export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(400)
  await flushPromises()
}
export async function opened(machine: MachineView = stopped): Promise<void> {
  useMachinesStore().put(machine)
  await router.push(`/machines/${stopped.id}/hardware`)
  mount(defineComponent({ setup: () => () => h(App as Component, null, { default: () => h(RouterView) }) }), { attachTo: document.body, global: { plugins: [ui, router] } })
  await settle()
}
export function find<T extends HTMLElement = HTMLElement>(testid: string): T {
  const found = document.querySelector<T>(`[data-testid="${testid}"]`)
  if (!found) throw new Error(`There is no ${testid} in ${document.body.textContent}`)
  return found
}
export const row = (id: string): HTMLElement | null => document.querySelector(`[data-id="${id}"]`)
export async function select(id: string): Promise<void> {
  row(id)?.click()
  await settle()
}
export async function type(testid: string, text: string): Promise<void> {
  const field = find<HTMLInputElement>(testid)
  field.value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
  await settle()
}
export async function click(testid: string): Promise<void> {
  find(testid).click()
  await settle()
}
export async function press(key: string, more: KeyboardEventInit = {}, on: Element | null = document.activeElement): Promise<void> {
  on?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }))
  await settle()
}
export const bar = (): string => document.querySelector('[data-testid="change-bar"]')?.textContent.replaceAll(/\s+/gu, ' ').trim() ?? ''
