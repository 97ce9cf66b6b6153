import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import { RingsideError } from '@shared/errors'
import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineComponent, h, type Component } from 'vue'
import { useMachinesStore } from '../stores/machines.store'
import { aMachine } from '../stores/spec-data'
import { replaceClient, type Client } from '../transport/client'
import { askToUnlock, askUnlock, pendingUnlock } from '../ui/unlock'
import UnlockDialog from './UnlockDialog.vue'

enableAutoUnmount(afterEach)

const machine = aMachine(1)
const required = new RingsideError('KEY_REQUIRED', 'Its passphrase is needed.', { machineId: machine.id })
const unlock = vi.fn<(request: object) => Promise<object>>()
let restore: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  useMachinesStore().put(machine)
  unlock.mockReset().mockResolvedValue({})
  restore = replaceClient({ encryption: { unlock, state: () => Promise.resolve({ keychain: { available: false, reason: 'There is only a file.' } }) } } as unknown as Client)
  mount(defineComponent({ render: () => h(App as Component, null, { default: () => h(UnlockDialog) }) }), { attachTo: document.body, global: { plugins: [ui] } })
})
afterEach(() => {
  pendingUnlock.value?.answer(false)
  restore()
})

async function answer(passphrase: string): Promise<void> {
  await vi.waitFor(() => { if (document.querySelector('[data-testid=unlock-passphrase]') === null) throw new Error('It is not drawn yet.') })
  const field = document.querySelector('[data-testid=unlock-passphrase]') as HTMLInputElement
  field.value = passphrase
  field.dispatchEvent(new Event('input'))
  await flushPromises()
  document.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }))
  await flushPromises()
}
const words = (): string => document.querySelector('[role=dialog]')?.textContent ?? ''

test('whatever needs the key goes on once the right passphrase was given; a wrong one is told, and asks again', async () => {
  const asked = askUnlock(required)
  // Two that need the same key ask once.
  expect(askUnlock(required)).toBe(asked)
  unlock.mockRejectedValueOnce(new RingsideError('KEY_WRONG', 'This is not the passphrase of “machine 1”.'))
  await answer('not it')
  expect(words()).toMatch(/What you were about to do goes on.*Its disks stay locked.*This is not the passphrase of “machine 1”/u)
  expect(words()).toContain('There is only a file.')
  await answer('it is this')
  expect(await asked).toBe(true)
  expect(unlock).toHaveBeenLastCalledWith({ id: machine.id, passphrase: 'it is this', remember: false })
  await vi.waitFor(() => { expect(document.querySelector('[data-testid=unlock]')).toBeNull() })
})

test('who only wants it unlocked is promised nothing, and may think better of it', async () => {
  const asked = askToUnlock(machine.id)
  await vi.waitFor(() => { expect(words()).toContain('Unlock “machine 1”') })
  expect(words()).not.toContain('goes on')
  document.querySelector<HTMLElement>('[data-dialog-cancel]')?.click()
  expect(await asked).toBe(false)
  expect(unlock).not.toHaveBeenCalled()
})
