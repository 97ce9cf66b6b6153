import { RingsideError } from '@shared/errors'
import { beforeEach, expect, test, vi } from 'vitest'
import { ref } from 'vue'
import { useNotices } from '../ui/notices'
import { useAction } from './use-action'

beforeEach(() => { useNotices().notices.value = [] })

test('what whyNot refuses is explained and not run', async () => {
  const why = ref<string | null>('It is running.')
  const run = vi.fn(() => Promise.resolve())
  const action = useAction({ label: 'Start', whyNot: why, run })
  expect(action.whyNot.value).toBe('It is running.')
  expect(await action.run()).toBe(false)
  why.value = null
  expect(await action.run()).toBe(true)
  expect(run).toHaveBeenCalledTimes(1)
})

test('an action under way is not begun again', async () => {
  let finish = (): void => undefined
  const run = vi.fn(() => new Promise<void>((resolve) => { finish = resolve }))
  const action = useAction({ label: 'Start', run })
  const first = action.run()
  expect(action.busy.value).toBe(true)
  expect(await action.run()).toBe(false)
  finish()
  expect(await first).toBe(true)
  expect(action.busy.value).toBe(false)
  expect(run).toHaveBeenCalledTimes(1)
})

test('a failure is shown with what failed, and kept until the next run', async () => {
  const action = useAction({ label: 'Start', failure: () => '“a” did not start', run: () => Promise.reject(new RingsideError('QEMU_FAILED', 'QEMU ended.')) })
  expect(await action.run()).toBe(false)
  expect(action.error.value).toMatchObject({ code: 'QEMU_FAILED' })
  expect(useNotices().notices.value).toMatchObject([{ kind: 'error', title: '“a” did not start', error: { message: 'QEMU ended.' } }])
})

test('thinking better of it is no failure', async () => {
  expect(await useAction({ label: 'x', run: () => Promise.resolve(false) }).run()).toBe(false)
  expect(await useAction({ label: 'x', run: () => Promise.reject(new RingsideError('CANCELLED', 'Cancelled.')) }).run()).toBe(false)
  expect(useNotices().notices.value).toEqual([])
})
