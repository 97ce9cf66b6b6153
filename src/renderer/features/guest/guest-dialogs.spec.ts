import { RingsideError } from '@shared/errors'
import type { GuestInfo } from '@shared/model'
import { enableAutoUnmount, flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { useConnectionStore } from '../../stores/connection.store'
import { aMachine } from '../../stores/spec-data'
import { replaceClient, type Client } from '../../transport/client'
import { enter, openDialog, type, words } from '../../ui/spec-dialog'
import RunDialog from './RunDialog.vue'

enableAutoUnmount(afterEach)

const info = { os: { family: 'linux' }, cannot: {} } as unknown as GuestInfo
const asked = vi.fn<() => Promise<GuestInfo>>()
const runs = vi.fn<(command: object) => Promise<object>>()
let restore: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
  asked.mockReset()
  runs.mockReset().mockResolvedValue({ exitCode: 3, signal: null, timedOut: false, stdoutBase64: '', stderrBase64: '', stdoutTruncated: false, stderrTruncated: false })
  restore = replaceClient({ guest: { info: asked, run: runs } } as unknown as Client)
})
afterEach(() => { restore() })

async function openedWith(command: string): Promise<void> {
  await openDialog(RunDialog, { machine: aMachine(1, 'running') }, 'guest-command')
  await type('guest-command', command)
}

test('a command that was written before the guest had told of itself is run once it has', async () => {
  let tell: (told: GuestInfo) => void = () => undefined
  asked.mockReturnValue(new Promise((resolve) => { tell = resolve }))
  await openedWith('exit 3')
  await enter()
  expect(runs).not.toHaveBeenCalled()
  tell(info)
  await flushPromises()
  expect(runs).toHaveBeenCalledTimes(1)
  expect(runs.mock.calls[0]?.[0]).toMatchObject({ program: 'sh', arguments: ['-c', 'exit 3'] })
  expect(words()).toContain('Ended with exit code 3.')
})

test('a guest that did not answer is asked again with the next try, and says why it does not', async () => {
  asked.mockRejectedValueOnce(new RingsideError('CAPABILITY_MISSING', 'No guest agent answers.')).mockRejectedValueOnce(new RingsideError('CAPABILITY_MISSING', 'It still does not.')).mockResolvedValue(info)
  await openedWith('true')
  await enter()
  expect(words()).toContain('It still does not.')
  expect(runs).not.toHaveBeenCalled()
  await enter()
  expect(runs).toHaveBeenCalledTimes(1)
})
