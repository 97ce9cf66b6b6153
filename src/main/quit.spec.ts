import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import { fakeDefinition, fakeIds, fakeView } from '../../test/fakes/fake-data'
import { createFakeHost, type FakeHost } from '../../test/fakes/fake-host'
import type { Question } from './question'
import { createQuitFlow, type QuitFlow } from './quit'

let host: FakeHost
let flow: QuitFlow
let asked: Question[]
let answers: { button: string; checked?: boolean }[]
const exit = vi.fn()
const closeHost = vi.fn(() => Promise.resolve())
const progress = vi.fn()
const log = vi.fn()

const view = (name: 'running' | 'paused' | 'stopped', state = name) => fakeView(fakeDefinition(fakeIds[name], name), state)
const stateOf = (name: keyof typeof fakeIds): string => host.machines.get(fakeIds[name]).state

beforeEach(() => { open([view('running'), view('stopped')]) })
afterEach(async () => {
  await host.close()
  vi.clearAllMocks()
  vi.useRealTimers()
})

function open(machines: ReturnType<typeof view>[]): void {
  host = createFakeHost({ slowness: 0, machines })
  asked = []
  answers = []
  flow = createQuitFlow({
    services: host, exit, closeHost, progress, log,
    ask: (question) => {
      asked.push(question)
      const answer = answers.shift()
      if (!answer) throw new Error(`Nobody answers “${question.message}”.`)
      const button = question.buttons.indexOf(answer.button)
      if (button < 0) throw new Error(`“${question.message}” has no button ${answer.button}.`)
      return Promise.resolve({ button, checked: answer.checked ?? false })
    },
  })
}

test('nothing is asked when nothing runs', async () => {
  open([view('stopped')])
  await flow.quit()
  expect(asked).toEqual([])
  expect(closeHost).toHaveBeenCalledBefore(exit)
  expect(flow.finished).toBe(true)
})

test('the question names the machine, and closing it cancels', async () => {
  answers = [{ button: 'Cancel' }]
  await flow.quit()
  expect(asked[0]).toMatchObject({ message: '“running” is on. What is to become of it?', cancelId: 3 })
  expect(exit).not.toHaveBeenCalled()
  expect(flow.finished).toBe(false)
})

test('the choice is kept when asked to, and not asked for again', async () => {
  answers = [{ button: 'Keep Running', checked: true }]
  await flow.quit()
  expect(host.settings.get().onQuit).toBe('keepRunning')
  expect(stateOf('running')).toBe('running')
  expect(exit).toHaveBeenCalledOnce()
})

test('a choice in the settings is followed', async () => {
  await host.settings.change({ onQuit: 'save' })
  await flow.quit()
  expect(asked).toEqual([])
  expect(stateOf('running')).toBe('saved')
})

test('saving is a job for every machine, with progress', async () => {
  open([view('running'), view('paused')])
  answers = [{ button: 'Save to Disk' }]
  await flow.quit()
  expect(asked[0]?.message).toBe('2 machines are on. What is to become of them?')
  expect([stateOf('running'), stateOf('paused')]).toEqual(['saved', 'saved'])
  expect(host.jobs.list().map((job) => job.title).sort()).toEqual(['Saving “paused”', 'Saving “running”'])
  expect(progress).toHaveBeenCalledWith(0.5)
  expect(progress).toHaveBeenLastCalledWith('none')
  expect(exit).toHaveBeenCalledOnce()
})

test('a machine that cannot be saved is named, and may stay on', async () => {
  vi.spyOn(host.machines, 'save').mockRejectedValue(new RingsideError('DISK_FULL', 'The disk is full.'))
  answers = [{ button: 'Save to Disk' }, { button: 'Cancel' }]
  await flow.quit()
  expect(asked[1]).toMatchObject({ message: '“running” is still on.', detail: 'running: The disk is full.' })
  expect(exit).not.toHaveBeenCalled()
  answers = [{ button: 'Save to Disk' }, { button: 'Quit and Keep Running' }]
  await flow.quit()
  expect(exit).toHaveBeenCalledOnce()
  expect(stateOf('running')).toBe('running')
})

test('shutting down waits until the machine is off; a paused one is resumed first', async () => {
  open([view('running'), view('paused')])
  answers = [{ button: 'Shut Down' }]
  await flow.quit()
  expect([stateOf('running'), stateOf('paused')]).toEqual(['stopped', 'stopped'])
  expect(progress).toHaveBeenCalledWith(null)
  expect(exit).toHaveBeenCalledOnce()
})

test('a guest that ignores its power button is asked about', async () => {
  vi.useFakeTimers()
  vi.spyOn(host.machines, 'shutDown').mockImplementation((id) => Promise.resolve(host.set(id, { state: 'stopping' })))
  answers = [{ button: 'Shut Down' }, { button: 'Wait' }, { button: 'Power Off' }]
  const quitting = flow.quit()
  await vi.advanceTimersByTimeAsync(90_000)
  expect(asked.at(-1)?.message).toBe('“running” has not shut down yet.')
  expect(exit).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(90_000)
  await quitting
  expect(stateOf('running')).toBe('stopped')
  expect(exit).toHaveBeenCalledOnce()
})

test('a machine that is just starting is waited for before it is saved', async () => {
  open([view('running', 'starting' as 'running')])
  await host.settings.change({ onQuit: 'save' })
  const quitting = flow.quit()
  host.set(fakeIds.running, { state: 'running' })
  await quitting
  expect(stateOf('running')).toBe('saved')
})

test('work under way is asked about first, and cancelled', async () => {
  open([view('stopped')])
  const job = host.jobs.run({ kind: 'machine.create', title: 'Creating “new”', machineId: null, cancellable: true }, ({ signal }) =>
    new Promise((_done, failed) => { signal.addEventListener('abort', () => { failed(signal.reason as Error) }) }))
  answers = [{ button: 'Go On Working' }]
  await flow.quit()
  expect(asked[0]?.detail).toContain('Creating “new”')
  expect(exit).not.toHaveBeenCalled()
  answers = [{ button: 'Cancel Work and Quit' }]
  await flow.quit()
  expect((await host.jobs.ended(job.id)).state).toBe('cancelled')
  expect(exit).toHaveBeenCalledOnce()
})

test('asking to quit while it is being asked changes nothing', async () => {
  answers = [{ button: 'Cancel' }]
  await Promise.all([flow.quit(), flow.quit()])
  expect(asked).toHaveLength(1)
})

test('the end of the session overtakes an open question', async () => {
  const question = Promise.withResolvers<{ button: number; checked: boolean }>()
  flow = createQuitFlow({ services: host, exit, closeHost, progress, log, ask: () => question.promise })
  const quitting = flow.quit()
  await flow.leave()
  question.resolve({ button: 1, checked: false })
  await quitting
  expect(exit).toHaveBeenCalledOnce()
  expect(closeHost).toHaveBeenCalledOnce()
})

test('a host that does not close in order does not hold the application back', async () => {
  open([view('stopped')])
  closeHost.mockRejectedValueOnce(new Error('busy'))
  await flow.quit()
  expect(log).toHaveBeenCalledOnce()
  expect(exit).toHaveBeenCalledOnce()
})
