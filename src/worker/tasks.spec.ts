import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { MachineAction, MachineTask } from '@shared/model'
import type { HeldMachine } from '@core/machine/held-machine'
import { HostFixture, definitionOf } from './testing/host-fixture'

/** A task that goes on until it is told to end. */
function begin(host: HostFixture, id: string, what: { action: MachineAction; task: MachineTask }, first: (held: HeldMachine) => void | Promise<void> = () => undefined): {
  held: Promise<HeldMachine>; end: () => void; done: Promise<string>
} {
  const begun = Promise.withResolvers<HeldMachine>()
  const end = Promise.withResolvers<undefined>()
  const done = host.supervisor.exclusively(id, what, async (held) => {
    await first(held)
    begun.resolve(held)
    const aborted = new Promise((_, reject) => { held.signal.addEventListener('abort', () => { reject(held.signal.reason as Error) }) })
    await Promise.race([end.promise, aborted])
    return what.task
  })
  done.catch(begun.reject)
  return { held: begun.promise, end: () => { end.resolve(undefined) }, done }
}

const clone = { action: 'clone', task: 'clone' } as const

test('a task has the machine for itself: other actions are refused with what it is, and looking is not', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  const task = begin(host, id, { action: 'takeSnapshot', task: 'snapshot' })
  await task.held
  expect(host.supervisor.get(id)).toMatchObject({ state: 'running', task: 'snapshot' })
  await expect(host.supervisor.pause(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('a snapshot is being taken') as string })
  await expect(host.supervisor.exclusively(id, clone, () => Promise.resolve())).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  expect(await host.supervisor.screenshot(id)).toBeInstanceOf(Uint8Array)
  task.end()
  expect(await task.done).toBe('snapshot')
  expect(host.supervisor.get(id).task).toBeNull()
  expect((await host.supervisor.pause(id)).state).toBe('paused')
})

test('clones of one machine wait for each other', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  const first = begin(host, id, clone)
  await first.held
  const order: string[] = []
  const others = ['second', 'third'].map((name) => host.supervisor.exclusively(id, clone, () => { order.push(name); return Promise.resolve() }))
  expect(order).toEqual([])
  first.end()
  await Promise.all(others)
  expect(order).toEqual(['second', 'third'])
})

test('the plug can be pulled: a task that needs the run is stopped, one that has outlived it goes on', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  const stopped = begin(host, id, clone)
  const outcome = stopped.done.catch((error: unknown) => error)
  await stopped.held
  expect((await host.supervisor.powerOff(id)).state).toBe('stopped')
  expect(await outcome).toMatchObject({ code: 'CANCELLED', message: '“one” was powered off.' })

  await host.supervisor.start(id)
  const copying = begin(host, id, clone, (held) => { held.outliveRun() })
  await copying.held
  expect(await host.supervisor.powerOff(id)).toMatchObject({ state: 'stopped', task: 'clone', crash: null })
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('being cloned') as string })
  copying.end()
  expect(await copying.done).toBe('clone')
  expect((await host.supervisor.start(id)).state).toBe('running')
})

test('a task can save the machine that it has', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.supervisor.exclusively(id, { action: 'makeTemplate', task: 'template' }, async (held) => {
    await held.save({ signal: held.signal, report: () => undefined })
    expect(held.state).toBe('saved')
  })
  expect(host.supervisor.get(id)).toMatchObject({ state: 'saved', task: null, saved: {} })
})

test('a machine that comes with saved state is saved before anything can be done with it', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.supervisor.save(id, { signal: new AbortController().signal, report: () => undefined })
  const { folder } = host.supervisor.get(id)
  const record = await readFile(join(folder, 'saved/saved.json'), 'utf8')
  const definition = definitionOf('two')
  await host.library.add(definition, async (paths) => {
    await mkdir(paths.savedFolder)
    await writeFile(paths.savedRam, 'memory')
    await writeFile(paths.savedRecord, record.replaceAll(id, definition.id))
  })
  // In the very turn in which it came.
  const started = host.supervisor.start(definition.id)
  expect(await host.supervisor.settled(definition.id)).toMatchObject({ state: 'running' })
  await started
  expect(host.engine.machines.get(definition.id)?.plan.restore).toMatchObject({ ramFile: 'saved/ram.state' })
})

test('a machine that is saved is not started disposably', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.supervisor.save(id, { signal: new AbortController().signal, report: () => undefined })
  await expect(host.supervisor.start(id, { disposable: true })).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('can\'t be started disposably') as string })
  expect(host.supervisor.get(id).state).toBe('saved')
})
