import { RingsideError } from '@shared/errors'
import { enableAutoUnmount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { useConnectionStore } from '../../stores/connection.store'
import { aMachine } from '../../stores/spec-data'
import { replaceClient, type Client } from '../../transport/client'
import { useNotices } from '../../ui/notices'
import { enter, find, openDialog, type, words } from '../../ui/spec-dialog'
import ChangePassphraseDialog from './ChangePassphraseDialog.vue'
import DiskKeyDialog from './DiskKeyDialog.vue'

enableAutoUnmount(afterEach)

const wrong = new RingsideError('KEY_WRONG', 'This is not the passphrase of “machine 1”.', { hint: 'Check Caps Lock.' })
const state = { diskIds: ['disk0'], hasKey: true, unlocked: false, remembered: true, keychain: { available: true, reason: null }, obstacle: null }
const setPassphrase = vi.fn<(request: object) => Promise<object>>()
const diskKey = vi.fn<(request: object) => Promise<object>>()
const forget = vi.fn<(request: object) => Promise<object>>()
const machine = aMachine(1)
let restore: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
  setPassphrase.mockReset().mockResolvedValue(state)
  diskKey.mockReset().mockResolvedValue({ key: 'a-key-of-letters' })
  forget.mockReset().mockResolvedValue(state)
  restore = replaceClient({ encryption: { state: () => Promise.resolve(state), setPassphrase, diskKey, forget } } as unknown as Client)
})
afterEach(() => { restore() })

async function opened(dialog: unknown, testid: string): Promise<ReturnType<typeof vi.fn>> {
  const onClose = vi.fn()
  await openDialog(dialog, { machine, onClose }, testid)
  return onClose
}

test('a passphrase is changed once it was typed the same twice; a wrong one is told and leaves everything typed', async () => {
  const onClose = await opened(ChangePassphraseDialog, 'change-passphrase')
  await type('current-passphrase', 'not it')
  await type('new-passphrase', 'mountain river candle')
  await enter()
  expect(setPassphrase).not.toHaveBeenCalled()
  await type('new-again', 'mountain river candel')
  expect(words()).toContain('This is not the same.')
  await type('new-again', 'mountain river candle')
  setPassphrase.mockRejectedValueOnce(wrong)
  await enter()
  expect(words()).toMatch(/The passphrase is as it was.*This is not the passphrase of “machine 1”\..*Check Caps Lock\./u)
  expect(onClose).not.toHaveBeenCalled()
  await type('current-passphrase', 'it is this')
  await enter()
  // The keychain had the key, and keeps it.
  expect(setPassphrase).toHaveBeenLastCalledWith({ id: machine.id, current: 'it is this', passphrase: 'mountain river candle', remember: true })
  expect(forget).not.toHaveBeenCalled()
  expect(onClose).toHaveBeenCalledOnce()
  expect(useNotices().notices.value.at(-1)?.title).toBe('“machine 1” has another passphrase')
})

test('the strength of a passphrase is told, and that its loss is the loss of the data', async () => {
  await opened(ChangePassphraseDialog, 'change-passphrase')
  expect(words()).toMatch(/If it is lost, and no copy of the disk key was kept, what is on them is lost\./u)
  await type('new-passphrase', 'password')
  expect(words()).toContain('Weak')
  await type('new-passphrase', 'mountain river candle seven apple')
  expect(words()).toContain('Strong, if it was chosen by chance')
})

test('the disk key is shown to who knows the passphrase, with a warning', async () => {
  const onClose = await opened(DiskKeyDialog, 'disk-key')
  expect(words()).toContain('opens the disks without the passphrase, for good')
  diskKey.mockRejectedValueOnce(wrong)
  await type('disk-key-passphrase', 'not it')
  await enter()
  expect(words()).toContain('This is not the passphrase')
  await type('disk-key-passphrase', 'it is this')
  await enter()
  expect(find('shown-key').textContent).toBe('a-key-of-letters')
  expect(words()).not.toContain('it is this')
  expect(onClose).not.toHaveBeenCalled()
  await enter()
  expect(onClose).toHaveBeenCalledOnce()
  expect(diskKey).toHaveBeenCalledTimes(2)
})
