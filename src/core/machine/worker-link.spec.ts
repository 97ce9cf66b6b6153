import { expect, test, vi } from 'vitest'
import { WorkerLink, type LinkListeners } from './worker-link'
import type { WorkerHandle } from './launcher'

/** A worker whose words are the test's. */
function fakeWorker(): { handle: WorkerHandle; sent: Record<string, unknown>[]; say: (message: unknown) => void; die: () => void } {
  const sent: Record<string, unknown>[] = []
  let toHost: (message: unknown) => void = () => undefined
  let onExit: (exit: { code: number | null; signal: string | null }) => void = () => undefined
  return {
    sent,
    say: (message) => { toHost(message) },
    die: () => { onExit({ code: null, signal: 'SIGKILL' }) },
    handle: {
      pid: 7,
      send: (message) => { sent.push(message as Record<string, unknown>) },
      onMessage: (listener) => { toHost = listener },
      onExit: (listener) => { onExit = listener },
      kill: () => undefined,
    },
  }
}

const deaf = (): LinkListeners => ({ event: vi.fn(), sample: vi.fn(), thumbnail: vi.fn(), exit: vi.fn(), nonsense: vi.fn() })

test('answers meet their questions, whatever their order', async () => {
  const worker = fakeWorker()
  const link = new WorkerLink(worker.handle, deaf())
  const first = link.command('pause', {})
  const second = link.command('screenshot', {})
  worker.say({ type: 'reply', id: 2, output: { png: null } })
  worker.say({ type: 'reply', id: 1, output: {} })
  expect(await second).toEqual({ png: null })
  expect(await first).toEqual({})
})

test('a typed error arrives typed, with its data', async () => {
  const worker = fakeWorker()
  const link = new WorkerLink(worker.handle, deaf())
  const asked = link.command('reset', {})
  worker.say({ type: 'failure', id: 1, error: { code: 'DISK_FULL', message: 'Full.', data: { hint: 'Make room.' } } })
  await expect(asked).rejects.toMatchObject({ code: 'DISK_FULL', message: 'Full.', data: { hint: 'Make room.' } })
})

test('a worker that dies refuses what was asked, and whatever is asked later', async () => {
  const worker = fakeWorker()
  const exit = vi.fn()
  const link = new WorkerLink(worker.handle, { ...deaf(), exit })
  const asked = link.command('reset', {})
  worker.die()
  await expect(asked).rejects.toMatchObject({ code: 'WORKER_DIED', message: expect.stringContaining('SIGKILL') as string })
  expect(exit).toHaveBeenCalledWith({ code: null, signal: 'SIGKILL' })
  await expect(link.command('reset', {})).rejects.toMatchObject({ code: 'WORKER_DIED' })
  expect(worker.sent).toHaveLength(1)
})

test('an answer that does not come in time is a TIMED_OUT, and a late one is dropped', async () => {
  const worker = fakeWorker()
  const link = new WorkerLink(worker.handle, deaf())
  await expect(link.command('pause', {}, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'TIMED_OUT' })
  worker.say({ type: 'reply', id: 1, output: {} })
})

test('an answer of the wrong form is refused', async () => {
  const worker = fakeWorker()
  const link = new WorkerLink(worker.handle, deaf())
  const asked = link.command('launch', {} as never)
  worker.say({ type: 'reply', id: 1, output: { qemuPid: 'seven' } })
  await expect(asked).rejects.toThrow()
})

test('a signal that aborts cancels the command at the worker', async () => {
  const worker = fakeWorker()
  const link = new WorkerLink(worker.handle, deaf())
  const abort = new AbortController()
  const asked = link.command('pause', {}, { signal: abort.signal })
  abort.abort()
  expect(worker.sent.at(-1)).toEqual({ type: 'cancel', id: 1 })
  worker.say({ type: 'reply', id: 1, output: {} })
  await asked
})

test('what is none of the protocol is reported and nothing else', () => {
  const worker = fakeWorker()
  const nonsense = vi.fn()
  const event = vi.fn()
  new WorkerLink(worker.handle, { ...deaf(), nonsense, event })
  worker.say({ type: 'event', event: { type: 'exploded' } })
  worker.say('hello')
  expect(nonsense).toHaveBeenCalledTimes(2)
  expect(event).not.toHaveBeenCalled()
})
