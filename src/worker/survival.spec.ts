import { readdir, rm } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import { runtimePaths } from '@core/library/paths'
import { HostFixture } from './testing/host-fixture'

test('a worker that dies is replaced and its machine goes on', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  const other = await host.addMachine('other')
  await host.supervisor.start(id)
  const before = (await host.supervisor.start(other)).run
  host.workers[0]?.die()
  await vi.waitFor(() => { expect(host.supervisor.get(id).run?.workerPid).toBe(100_002) })
  expect(host.supervisor.get(id)).toMatchObject({ state: 'running', crash: null })
  expect(host.engine.adoptions).toBe(1)
  expect((await host.supervisor.pause(id)).state).toBe('paused')
  expect(host.supervisor.get(other).run).toEqual(before)
})

test('a paused machine whose worker dies is paused with the next one', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.supervisor.pause(id)
  host.workers[0]?.die()
  expect((await host.supervisor.resume(id)).state).toBe('running')
})

test('workers that die again and again are given up, and the next action tries once more', async () => {
  await using host = await HostFixture.make({ timings: { workerRestarts: [0, 5], unattendedLook: 20 } })
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  host.engine.failAdopt = new RingsideError('PROTOCOL', 'The monitor does not answer.')
  host.workers[0]?.die()
  await vi.waitFor(() => { expect(host.supervisor.get(id).run?.notes.at(-1)).toContain('fails again and again') })
  expect(host.engine.adoptions).toBe(2)
  await expect(host.supervisor.pause(id)).rejects.toMatchObject({ code: 'PROTOCOL' })
  host.engine.failAdopt = null
  expect((await host.supervisor.pause(id)).state).toBe('paused')
  expect(host.supervisor.get(id).run?.notes).toEqual(['no clipboard here'])
})

test('a machine without a worker that ends is noticed', async () => {
  await using host = await HostFixture.make({ timings: { workerRestarts: [], unattendedLook: 10 } })
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  const machine = host.engine.machines.get(id)
  host.workers[0]?.die()
  await vi.waitFor(() => { expect(host.supervisor.get(id).run?.notes.at(-1)).toContain('fails again and again') })
  machine?.child.kill('SIGKILL')
  await vi.waitFor(() => { expect(host.supervisor.get(id)).toMatchObject({ state: 'crashed' }) })
})

test('a machine without a worker can still be powered off', async () => {
  await using host = await HostFixture.make({ timings: { workerRestarts: [] } })
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  host.workers[0]?.die()
  await vi.waitFor(() => { expect(host.supervisor.get(id).run?.notes.at(-1)).toContain('fails again and again') })
  expect((await host.supervisor.powerOff(id)).state).toBe('stopped')
})

test('a machine whose worker hangs can be powered off, also while it starts', async () => {
  await using host = await HostFixture.make({ timings: { command: 20 } })
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  host.workers[0]?.hang()
  await expect(host.supervisor.pause(id)).rejects.toMatchObject({ code: 'TIMED_OUT' })
  expect((await host.supervisor.powerOff(id)).state).toBe('stopped')
  host.engine.startGate = new Promise(() => undefined)
  const starting = host.supervisor.start(id)
  await vi.waitFor(() => { expect(host.engine.starts).toBe(2) })
  const off = host.supervisor.powerOff(id)
  await expect(starting).rejects.toMatchObject({ code: expect.stringMatching(/CANCELLED|WORKER_DIED/u) as string })
  expect((await off).state).toBe('stopped')
})

test('a process that dies is a crash with its reason, which stays until the next start, over hosts', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.engine.machines.get(id)?.end(false)
  const crash = { reason: 'QEMU was killed (SIGKILL).', process: { signal: 'SIGKILL', stderrTail: 'last words' } }
  await vi.waitFor(() => { expect(host.supervisor.get(id)).toMatchObject({ state: 'crashed', run: null, crash }) })
  await host.supervisor.close('keepRunning')
  await host.openHost()
  expect(host.supervisor.get(id)).toMatchObject({ state: 'crashed', crash })
  expect(await host.supervisor.start(id)).toMatchObject({ state: 'running', crash: null })
  await host.supervisor.powerOff(id)
  await host.supervisor.close('keepRunning')
  await host.openHost()
  expect(host.supervisor.get(id)).toMatchObject({ state: 'stopped', crash: null })
})

test('a worker that dies while starting leaves no half-started machine', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  host.engine.startGate = new Promise(() => undefined)
  const starting = host.supervisor.start(id)
  await vi.waitFor(() => { expect(host.engine.starts).toBe(1) })
  host.workers[0]?.die()
  await expect(starting).rejects.toMatchObject({ code: 'WORKER_DIED' })
  expect(host.supervisor.get(id)).toMatchObject({ state: 'stopped', run: null })
})

test('a worker that dies while saving: the save fails, the guest runs on', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  host.engine.saveGate = new Promise(() => undefined)
  const saving = host.supervisor.save(id, { signal: new AbortController().signal, report: () => undefined })
  await vi.waitFor(() => { expect(host.engine.machines.get(id)?.calls).toContain('save') })
  const machine = host.engine.machines.get(id)
  if (machine) machine.paused = true
  host.workers[0]?.die()
  await expect(saving).rejects.toMatchObject({ code: 'WORKER_DIED' })
  expect(host.supervisor.get(id).state).toBe('running')
  expect(machine?.calls.at(-1)).toBe('resume')
})

test('the next host takes running machines over, and sees how others ended', async () => {
  await using host = await HostFixture.make()
  const [running, paused, killed, shutDown, gone] = await Promise.all(['running', 'paused', 'killed', 'shut down', 'gone'].map(async (name) => {
    const id = await host.addMachine(name)
    await host.supervisor.start(id)
    return id
  })) as [string, string, string, string, string]
  await host.supervisor.pause(paused)
  for (const worker of host.workers) worker.die()
  await vi.waitFor(() => { expect(host.supervisor.list().every(({ run }) => run?.workerPid !== null)).toBe(true) })
  // Their host dies with them: nobody is left to be told how these two end.
  await host.supervisor.close('keepRunning')
  const pidOf = (id: string): number => host.engine.machines.get(id)?.qemuPid ?? 0
  const livingPid = pidOf(running)
  host.engine.machines.get(killed)?.child.kill('SIGKILL')
  await rm(runtimePaths(host.library.get(shutDown).paths.runtime).pid)
  host.engine.machines.get(shutDown)?.child.kill('SIGKILL')
  await vi.waitFor(() => { expect([killed, shutDown].map((id) => host.engine.machines.get(id)?.child.signalCode)).toEqual(['SIGKILL', 'SIGKILL']) })
  await host.library.remove(gone, { permanently: true })
  await host.openHost()
  expect(host.supervisor.get(running)).toMatchObject({ state: 'running', run: { qemuPid: livingPid, accelerator: 'tcg' } })
  expect(host.supervisor.get(paused).state).toBe('paused')
  expect(host.supervisor.get(killed)).toMatchObject({ state: 'crashed', crash: { reason: expect.stringContaining('killed or crashed') as string } })
  expect(host.supervisor.get(shutDown)).toMatchObject({ state: 'stopped', crash: null })
  expect(host.supervisor.problems()).toMatchObject([{ code: 'RUNS_WITHOUT_DEFINITION', message: expect.stringContaining('“gone” runs') as string }])
  expect((await readdir(host.runtimeRoot)).filter((name) => name !== 'workers.log')).toHaveLength(3)
})

test('figures and screens are read while somebody looks', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  const seen: number[] = []
  const screens: (string | null)[] = []
  const stopMetrics = host.supervisor.watchMetrics((event) => { seen.push(event.samples.length) })
  const stopThumbnails = host.supervisor.watchThumbnails((event) => { screens.push(event.pngBase64) })
  await vi.waitFor(() => {
    expect(seen.length).toBeGreaterThan(0)
    expect(screens).toEqual([Buffer.from('screen 1').toString('base64')])
  }, 3000)
  stopMetrics()
  stopThumbnails()
  await host.supervisor.powerOff(id)
  const history: number[] = []
  host.supervisor.watchMetrics((event) => { history.push(event.samples.length) })()
  expect(history).toEqual([seen.length])
})
