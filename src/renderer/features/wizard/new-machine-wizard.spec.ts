import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineComponent, h, type Component } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'
import type { HostInfo, ImageReport, Job, OsCatalog } from '@shared/model'
import { useHostStore } from '../../stores/host.store'
import { useJobsStore } from '../../stores/jobs.store'
import { aJob } from '../../stores/spec-data'
import { replaceClient, type Client } from '../../transport/client'
import { pendingConfirm } from '../../ui/confirm'
import NewMachineWizard from './NewMachineWizard.vue'

enableAutoUnmount(afterEach)

const machineId = '11111111-1111-4111-8111-111111111111'
const report: ImageReport = { path: '/d.iso', kind: 'iso', actualBytes: 1, virtualBytes: 1, format: 'raw', volumeId: 'DEBIAN', bootable: { bios: true, uefi: false }, osId: 'debian', issues: [] }
const info = { logicalProcessors: 4, memoryMiB: 8000, freeMemoryMiB: 6000, libraryFreeBytes: 2 ** 40, libraryFolder: '/lib', processorModel: 'x' } as HostInfo
const catalog = {
  schemaVersion: 1,
  entries: [{ id: 'debian', name: 'Debian', family: 'linux', volumeIds: [], minimum: { processors: 1, memoryMiB: 256, diskGiB: 2 }, defaults: { processors: 2, memoryMiB: 2048, diskGiB: 20, firmware: 'uefi', diskBus: 'virtio-blk', nicModel: 'virtio-net', display: 'virtio-vga' } }],
} as unknown as OsCatalog

let router: Router
let restore: () => void
const check = vi.fn<(request: unknown) => Promise<[]>>()
const inspect = vi.fn<() => Promise<ImageReport>>()
const create = vi.fn<(request: unknown) => Promise<Job>>()

beforeEach(() => {
  vi.useFakeTimers()
  setActivePinia(createPinia())
  const client = {
    host: { info: () => Promise.resolve(info) },
    storage: { inspect },
    machine: { check, create },
    encryption: { support: () => Promise.resolve({ keychain: { available: false, reason: 'There is no keychain.' }, obstacle: null }) },
    job: { cancel: () => Promise.resolve(aJob(1, { state: 'cancelled' })) },
  }
  restore = replaceClient(client as unknown as Client)
  inspect.mockReset().mockResolvedValue(report)
  check.mockReset().mockResolvedValue([])
  create.mockReset().mockResolvedValue(aJob(1))
  useHostStore().info = info
  useHostStore().catalog = catalog
  router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { render: () => null } }] })
})
afterEach(() => {
  restore()
  vi.useRealTimers()
})

async function opened(): Promise<ReturnType<typeof vi.fn>> {
  const onClose = vi.fn()
  mount(defineComponent({ render: () => h(App as Component, null, { default: () => h(NewMachineWizard, { onClose }) }) }), { attachTo: document.body, global: { plugins: [ui, router] } })
  await settle()
  return onClose
}
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(400)
  await flushPromises()
}
function find<T extends HTMLElement = HTMLElement>(testid: string): T {
  const found = document.querySelector<T>(`[data-testid="${testid}"]`)
  if (!found) throw new Error(`There is no ${testid} in ${document.body.textContent}`)
  return found
}
async function type(testid: string, text: string): Promise<void> {
  const input = find<HTMLInputElement>(testid)
  input.value = text
  input.dispatchEvent(new Event('input', { bubbles: true }))
  await settle()
}
async function submit(): Promise<void> {
  find('wizard').dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
  await settle()
}
const words = (): string => find('wizard').textContent

test('from an ISO to the console of the new machine', async () => {
  const onClose = await opened()
  await type('wizard-file', '/d.iso')
  expect(find('image-report').textContent).toMatch(/Debian.*recognised/u)
  await submit()
  expect(words()).toContain('Which operating system is it?')
  await submit()
  expect(find<HTMLInputElement>('wizard-memory').value).toBe('2048')
  await submit()
  expect(find<HTMLInputElement>('wizard-name').value).toBe('Debian')
  await submit()
  expect(create).toHaveBeenCalledWith({
    name: 'Debian', osId: 'debian', source: { type: 'cdrom', path: '/d.iso' }, processors: 2, memoryMiB: 2048, newDiskGiB: 20, network: 'user', hardware: {}, startWhenCreated: true,
  })
  expect(find('wizard-progress').textContent).toContain('Creating 1')
  useJobsStore().put(aJob(1, { state: 'succeeded', machineId }))
  await settle()
  expect(onClose).toHaveBeenCalledOnce()
  expect(router.currentRoute.value.path).toBe(`/machines/${machineId}/console`)
})

test('a step with a fault stays, says what is wrong, and puts the focus there', async () => {
  await opened()
  expect(words()).not.toContain('Choose a file.')
  await submit()
  expect(words()).toContain('Choose a file.')
  expect(document.activeElement).toBe(find('wizard-file'))
})

test('the summary lists every fault at once, and leads to each', async () => {
  await opened()
  find('wizard-step-summary').click()
  await settle()
  expect(find('wizard-faults').textContent).toMatch(/2 things keep.*File.*Choose a file.*Operating system.*Choose an operating system/u)
  find('wizard-faults').querySelector('button')?.click()
  await settle()
  expect(words()).toContain('What does the machine start from?')
})

test('a failed creation says why in place, and what was typed is still there', async () => {
  await opened()
  await type('wizard-file', '/d.iso')
  find('wizard-step-summary').click()
  await settle()
  await type('wizard-name', 'mine')
  await submit()
  useJobsStore().put(aJob(1, { state: 'failed', error: { code: 'DISK_FULL', message: 'The disk is full.', data: { hint: 'Make room.' } } }))
  await settle()
  expect(words()).toMatch(/The machine was not created.*The disk is full\..*Make room\./u)
  expect(find<HTMLInputElement>('wizard-name').value).toBe('mine')
})

test('leaving asks only when something was typed', async () => {
  const onClose = await opened()
  const close = (): void => { [...document.querySelectorAll<HTMLButtonElement>('[data-testid="wizard"] button')].find((button) => button.textContent.trim() === 'Cancel')?.click() }
  await type('wizard-file', '/d.iso')
  close()
  await settle()
  expect(onClose).not.toHaveBeenCalled()
  expect(pendingConfirm.value?.question.title).toBe('Leave the new machine?')
  pendingConfirm.value?.answer({ confirmed: true, checked: false })
  await settle()
  expect(onClose).toHaveBeenCalledOnce()
})

test('leaving an untouched wizard asks nothing', async () => {
  const onClose = await opened()
  document.querySelector<HTMLButtonElement>('[data-testid="wizard"] button[aria-label="Close"]')?.click()
  await settle()
  expect(pendingConfirm.value).toBeNull()
  expect(onClose).toHaveBeenCalledOnce()
})

test('a machine gets encrypted disks with a passphrase that was typed the same twice; without a keychain the reason is said', async () => {
  const toggle = async (): Promise<void> => {
    find('wizard-encrypt').click()
    await settle()
  }
  await opened()
  await type('wizard-file', '/d.iso')
  find('wizard-step-resources').click()
  await settle()
  await toggle()
  expect(words()).toMatch(/Only this passphrase opens the disks.*Not encrypted are/u)
  expect(words()).toContain('There is no keychain.')
  await submit()
  expect(words()).toMatch(/at least 8 characters/u)
  await type('wizard-passphrase', 'correct horse battery')
  await type('wizard-again', 'correct horse batery')
  expect(words()).toContain('This is not the same.')
  find('wizard-step-summary').click()
  await settle()
  expect(find('wizard-faults').textContent).toMatch(/Passphrase.*The two passphrases are not the same/u)
  await submit()
  expect(create).not.toHaveBeenCalled()
  find('wizard-step-resources').click()
  await settle()
  await type('wizard-again', 'correct horse battery')
  find('wizard-step-summary').click()
  await settle()
  expect(words()).toContain('Its disks, with a passphrase that is asked for')
  await submit()
  expect(create.mock.calls[0]?.[0]).toMatchObject({ encryption: { passphrase: 'correct horse battery', remember: false } })
  // What is only looked at does not carry it.
  expect(JSON.stringify(check.mock.calls)).not.toContain('horse')
})

test('an image that was encrypted elsewhere takes its passphrase, and its machine gets one of its own unless that is switched off', async () => {
  inspect.mockResolvedValue({ path: '/theirs.qcow2', kind: 'disk', actualBytes: 1, virtualBytes: 1, format: 'qcow2', volumeId: null, bootable: null, osId: 'debian', encryption: 'luks', issues: [{ path: '', message: 'It needs a passphrase.', severity: 'error', code: 'KEY_REQUIRED' }] })
  await opened()
  await type('wizard-file', '/theirs.qcow2')
  expect(find('image-report').textContent).toContain('qcow2, encrypted (LUKS)')
  expect(words()).not.toContain('It needs a passphrase.')
  expect(['inPlace', 'copy', 'convert'].map((mode) => find<HTMLInputElement>(`disk-mode-${mode}`).disabled)).toEqual([true, true, false])
  await submit()
  expect(words()).toContain('Type the passphrase of the image.')
  await type('wizard-image-passphrase', 'their secret')
  find('wizard-step-summary').click()
  await settle()
  expect(find('wizard-faults').textContent).toContain('Type a passphrase.')
  find('wizard-step-resources').click()
  await settle()
  await type('wizard-passphrase', 'seven green apples')
  await type('wizard-again', 'seven green apples')
  find('wizard-step-summary').click()
  await settle()
  await submit()
  const source = { type: 'disk', path: '/theirs.qcow2', format: 'qcow2', mode: 'convert', passphrase: 'their secret' }
  expect(create.mock.calls[0]?.[0]).toMatchObject({ source, encryption: { passphrase: 'seven green apples' } })
  expect(JSON.stringify(check.mock.calls)).not.toMatch(/their secret|apples/u)
  useJobsStore().put(aJob(1, { state: 'failed', error: { code: 'KEY_WRONG', message: 'This is not the passphrase of the image: /theirs.qcow2', data: {} } }))
  await settle()
  expect(words()).toContain('This is not the passphrase of the image')
  find('wizard-step-resources').click()
  await settle()
  find('wizard-encrypt').click()
  await settle()
  find('wizard-step-summary').click()
  await settle()
  await submit()
  expect(create.mock.calls[1]?.[0]).toMatchObject({ source })
  expect(create.mock.calls[1]?.[0]).not.toHaveProperty('encryption')
})

test('encryption that was chosen is never dropped unsaid: a source that can’t have it is a fault', async () => {
  await opened()
  await type('wizard-file', '/d.iso')
  find('wizard-step-resources').click()
  await settle()
  find('wizard-encrypt').click()
  await settle()
  await type('wizard-passphrase', 'correct horse battery')
  await type('wizard-again', 'correct horse battery')
  find('wizard-with-disk').click()
  await settle()
  find('wizard-step-summary').click()
  await settle()
  expect(find('wizard-faults').textContent).toContain('The machine has no disk that could be encrypted.')
  await submit()
  expect(create).not.toHaveBeenCalled()
})
