import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import type { JobReporter } from '@core/app/services'
import { HostFixture, fixedProbe, probeReport } from './testing/host-fixture'

const reporter = (signal: AbortSignal = new AbortController().signal): JobReporter & { progress: (number | null)[] } => {
  const progress: (number | null)[] = []
  return { signal, progress, report: (fraction) => progress.push(fraction) }
}

const ofState = (fixture: HostFixture, id: string): string => fixture.supervisor.get(id).state

test('a machine is started, paused, resumed, reset and powered off, and each state is announced', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  const states: string[] = []
  host.supervisor.onChange((change) => {
    if (change.type === 'changed' && states.at(-1) !== change.machine.state) states.push(change.machine.state)
  })
  const started = await host.supervisor.start(id)
  expect(started).toMatchObject({ state: 'running', crash: null, run: { accelerator: 'tcg', workerPid: 100_000, notes: ['no clipboard here'] } })
  expect(started.run?.acceleratorNote).toBe('Running without hardware assistance, which is slow: You may not use /dev/kvm.')
  expect((await host.supervisor.pause(id)).state).toBe('paused')
  expect((await host.supervisor.resume(id)).state).toBe('running')
  await host.supervisor.reset(id)
  expect(host.engine.machines.get(id)?.calls).toEqual(['pause', 'resume', 'reset'])
  expect(await host.supervisor.powerOff(id)).toMatchObject({ state: 'stopped', run: null })
  expect(states).toEqual(['starting', 'running', 'paused', 'running', 'stopped'])
  await vi.waitFor(async () => { expect(await readdir(host.runtimeRoot)).toEqual([]) })
  await vi.waitFor(() => { expect(host.workers.map((worker) => worker.alive)).toEqual([false]) })
})

test('what is illegal is refused with the state and a sentence', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await expect(host.supervisor.pause(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'stopped' }, message: expect.stringContaining('Cannot pause') as string })
  await expect(host.supervisor.powerOff(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await host.supervisor.start(id)
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'running' } })
  await expect(host.supervisor.delete(id, { permanently: true })).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await expect(host.supervisor.pause('5c0dffee-0000-4000-8000-000000000000')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('actions of one machine are done in their order', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await Promise.all([host.supervisor.pause(id), host.supervisor.resume(id), host.supervisor.pause(id)])
  expect(host.engine.machines.get(id)?.calls).toEqual(['pause', 'resume', 'pause'])
  expect(ofState(host, id)).toBe('paused')
})

test('a start that fails leaves the machine as it was, and nothing behind', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  host.engine.failStart = new RingsideError('QEMU_FAILED', 'QEMU did not like it.', { hint: 'Ask it nicely.' })
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'QEMU_FAILED', message: 'QEMU did not like it.', data: { hint: 'Ask it nicely.' } })
  expect(host.supervisor.get(id)).toMatchObject({ state: 'stopped', run: null })
  expect(await readdir(host.runtimeRoot)).toEqual([])
  host.engine.failStart = null
  expect((await host.supervisor.start(id)).state).toBe('running')
})

test('an accelerator that was named and does not work is refused with its remedy', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one', { accelerator: 'kvm' })
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'ACCELERATOR_UNAVAILABLE', data: { hint: 'Join the group “kvm”.' } })
  expect(ofState(host, id)).toBe('stopped')
})

test('without QEMU a start says what to install', async () => {
  const qemuProblem = { message: 'No QEMU was found.', remedy: 'Install qemu-system-x86.', searched: [] }
  await using host = await HostFixture.make({ probe: fixedProbe({ ...probeReport, qemu: null, qemuProblem, bestAccelerator: null }) })
  const id = await host.addMachine('one')
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'QEMU_NOT_FOUND', message: 'No QEMU was found.', data: { hint: 'Install qemu-system-x86.' } })
})

test('scarce memory is a note of the run, not a refusal', async () => {
  await using host = await HostFixture.make({ freeMemoryMiB: () => 8 })
  const id = await host.addMachine('one')
  expect((await host.supervisor.start(id)).run?.notes[0]).toContain('8 MiB of memory to spare')
})

test('a disk that another live machine writes to is refused and that machine named', async () => {
  await using host = await HostFixture.make()
  const shared = join(host.base, 'shared.img')
  await writeFile(shared, 'x')
  const disks = [{ id: 'disk0', image: { kind: 'external' as const, path: shared }, format: 'raw' as const, bus: 'virtio-blk' as const, readOnly: false, cache: 'auto' as const, discard: true, detectZeroes: 'auto' as const, aio: 'auto' as const, serial: null, limits: null, slot: null, encrypted: false }]
  const first = await host.addMachine('first', { disks })
  const second = await host.addMachine('second', { disks })
  await host.supervisor.start(first)
  await expect(host.supervisor.start(second)).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringContaining('“first”') as string, data: { path: shared } })
  await host.supervisor.save(first, reporter())
  await expect(host.supervisor.start(second)).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringContaining('saved state of “first”') as string })
  await host.supervisor.discardSaved(first)
  expect((await host.supervisor.start(second)).state).toBe('running')
})

test('the power button: asked, ignored, pressed again, obeyed', async () => {
  await using host = await HostFixture.make({ timings: { powerButtonPatience: 30 } })
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  expect((await host.supervisor.shutDown(id)).state).toBe('stopping')
  await vi.waitFor(() => { expect(ofState(host, id)).toBe('running') })
  expect(host.supervisor.get(id).run?.notes.at(-1)).toContain('not reacted to the power button')
  await host.supervisor.shutDown(id)
  expect(host.supervisor.get(id).run?.notes).toEqual(['no clipboard here'])
  host.engine.machines.get(id)?.emit({ type: 'shuttingDown', by: 'guest' })
  await host.engine.machines.get(id)?.end(true)
  await vi.waitFor(() => { expect(ofState(host, id)).toBe('stopped') })
})

test('a guest that does not shut down can be powered off', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.supervisor.shutDown(id)
  expect((await host.supervisor.powerOff(id)).state).toBe('stopped')
})

test('powering off a machine that is starting ends it', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  const gate = Promise.withResolvers<void>()
  host.engine.startGate = gate.promise
  const starting = host.supervisor.start(id)
  await vi.waitFor(() => { expect(host.engine.starts).toBe(1) })
  const off = host.supervisor.powerOff(id)
  gate.resolve()
  await expect(starting).rejects.toMatchObject({ code: 'CANCELLED' })
  expect((await off).state).toBe('stopped')
  expect(host.engine.machines.size).toBe(0)
})

test('a machine is saved, another host sees that, and it goes on from there', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  const job = reporter()
  const saved = await host.supervisor.save(id, job)
  expect(saved).toMatchObject({ state: 'saved', run: null, saved: { sizeBytes: 6, qemuVersion: '7.2.22' } })
  expect(job.progress).toEqual([null, 0.5])
  await host.supervisor.close('keepRunning')
  await host.openHost()
  expect(ofState(host, id)).toBe('saved')
  const { paths } = host.library.get(id)
  expect((await host.supervisor.start(id)).state).toBe('running')
  expect(host.engine.machines.get(id)?.plan.restore).toMatchObject({ ramFormat: 'mapped-ram', accelerator: 'tcg' })
  expect(host.supervisor.get(id).saved).toBeNull()
  await vi.waitFor(async () => { await expect(stat(paths.savedFolder)).rejects.toThrow() })
})

test('saved state that does not load stays, and so does the machine that is saved', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.supervisor.save(id, reporter())
  host.engine.failStart = new RingsideError('QEMU_FAILED', 'The memory did not load.')
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  expect(ofState(host, id)).toBe('saved')
  await writeFile(host.library.get(id).paths.savedRecord, 'not json')
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'DEFINITION_DAMAGED' })
  expect(ofState(host, id)).toBe('saved')
  expect((await stat(host.library.get(id).paths.savedRam)).size).toBe(6)
})

test('saved state is out of the way before the guest runs on it, and back when the guest could not run', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  const { paths } = host.library.get(id)
  await host.supervisor.start(id)
  await host.supervisor.save(id, reporter())
  host.engine.failAfterLoad = new RingsideError('QEMU_FAILED', 'The guest could not go on.')
  await expect(host.supervisor.start(id)).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  expect(ofState(host, id)).toBe('saved')
  expect((await stat(paths.savedRecord)).isFile()).toBe(true)
  host.engine.failAfterLoad = null
  let recordWhenItRan: unknown = null
  host.engine.whenItRuns = async () => { recordWhenItRan = await stat(paths.savedRecord).catch((error: NodeJS.ErrnoException) => error.code) }
  await host.supervisor.start(id)
  expect(recordWhenItRan).toBe('ENOENT')
})

test('a cancelled save leaves the guest as it was and no files', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  host.engine.saveGate = new Promise(() => undefined)
  const abort = new AbortController()
  const saving = host.supervisor.save(id, reporter(abort.signal))
  await vi.waitFor(() => { expect(host.engine.machines.get(id)?.calls).toContain('save') })
  expect(ofState(host, id)).toBe('saving')
  await expect(host.supervisor.pause(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'saving' } })
  abort.abort()
  await expect(saving).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(ofState(host, id)).toBe('running')
  await expect(stat(host.library.get(id).paths.savedFolder)).rejects.toThrow()
})

test('powering off while saving gives up the save', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  host.engine.saveGate = new Promise(() => undefined)
  const saving = host.supervisor.save(id, reporter())
  await vi.waitFor(() => { expect(host.engine.machines.get(id)?.calls).toContain('save') })
  const off = host.supervisor.powerOff(id)
  await expect(saving).rejects.toMatchObject({ code: 'CANCELLED' })
  expect((await off).state).toBe('stopped')
})

test('renaming works live; deleting takes the folder', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  const { folder } = host.library.get(id).paths
  await host.supervisor.start(id)
  expect((await host.supervisor.rename(id, 'two')).definition.name).toBe('two')
  await host.supervisor.powerOff(id)
  const removed: string[] = []
  host.supervisor.onChange((change) => { if (change.type === 'removed') removed.push(change.id) })
  expect(await host.supervisor.delete(id, { permanently: true })).toEqual({ trashed: false })
  expect(removed).toEqual([id])
  expect(host.supervisor.list()).toEqual([])
  await expect(stat(folder)).rejects.toThrow()
})

test('each event of a life is a line of the machine’s log', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  await host.supervisor.start(id)
  await host.supervisor.powerOff(id)
  await host.supervisor.close('keepRunning')
  const lines = (await readFile(host.library.get(id).paths.machineLog, 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as { event: string })
  expect(lines.map((line) => line.event)).toEqual(expect.arrayContaining(['state', 'start', 'worker.holds', 'powerOff', 'run.ended']))
})

test('quitting by shutting down waits for guests and names those that do not end', async () => {
  await using host = await HostFixture.make()
  const good = await host.addMachine('good')
  const stubborn = await host.addMachine('stubborn')
  await host.supervisor.start(good)
  await host.supervisor.start(stubborn)
  await host.supervisor.pause(good)
  const closing = host.supervisor.close('shutDown', { timeoutMs: 300 })
  await vi.waitFor(() => { expect(host.engine.machines.get(good)?.calls).toContain('pressPowerButton') })
  await host.engine.machines.get(good)?.end(true)
  expect(await closing).toMatchObject([{ machine: { id: stubborn, state: 'stopping' }, reason: 'It did not end in time.' }])
  expect(await host.supervisor.close('save')).toMatchObject([{ machine: { id: stubborn } }])
  expect(await host.supervisor.close('keepRunning')).toEqual([])
  expect(host.engine.machines.size).toBe(1)
})

test('the command line is that of the run, or of the next', async () => {
  await using host = await HostFixture.make()
  const id = await host.addMachine('one')
  const argv = ['qemu', '-accel', 'tcg']
  expect(await host.supervisor.commandLine(id)).toEqual({ argv, last: null, next: argv })
  await host.supervisor.start(id)
  expect(await host.supervisor.commandLine(id)).toMatchObject({ argv, last: { argv }, next: argv })
  await host.supervisor.powerOff(id)
  expect(await host.supervisor.commandLine(id)).toMatchObject({ argv, last: { argv }, next: argv })
})
