import { expect, test, vi } from 'vitest'
import { contractVersion, type HostEvent, type MetricsEvent, type ThumbnailEvent } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import { HostDevices, HostInfo, OsCatalog, ProbeReport } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { overBothTransports } from './frames'
import { failure } from './transports'

const nobody = '00000000-0000-4000-8000-000000000000'
const request = {
  name: 'new-one', osId: 'debian', source: { type: 'blank' as const }, processors: 1, memoryMiB: 512, newDiskGiB: 8, network: 'user' as const, hardware: {}, startWhenCreated: false,
}

overBothTransports('the contract', ({ connection, host }) => {
  test('requests are answered with what the schemas promise', async () => {
    expect(HostInfo.parse(await connection.client.host.info()).shell).toBe('test')
    expect(OsCatalog.parse(await connection.client.host.catalog()).entries.length).toBeGreaterThan(3)
    expect(HostDevices.parse(await connection.client.host.devices()).usb.length).toBeGreaterThan(1)
    expect(ProbeReport.parse(await connection.client.host.probe({ refresh: false })).bestAccelerator).toBe('tcg')
    expect(await connection.client.machine.list()).toHaveLength(host.machines.list().length)
    expect((await connection.client.machine.get({ id: fakeIds.running })).definition.name).toBe('web-01')
    expect((await connection.client.machine.commandLine({ id: fakeIds.running })).argv[0]).toMatch(/qemu-system/u)
    expect(await connection.client.machine.deletePlan({ id: fakeIds.stopped })).toMatchObject({ toTrash: true, keeps: ['/home/ada/isos/debian-12.iso'] })
    expect(await connection.client.machine.log({ id: fakeIds.stopped, log: 'qemu' })).toMatchObject({ path: expect.stringMatching(/logs.qemu\.log$/u) as string, text: '' })
    expect((await connection.client.storage.listFolder({ path: null })).entries.length).toBeGreaterThan(0)
  })

  test('settings are changed field by field', async () => {
    expect(await connection.client.host.changeSettings({ onQuit: 'save' })).toEqual({ schemaVersion: 1, qemuPath: null, onQuit: 'save', storageFolders: [] })
    expect(await connection.client.host.settings()).toMatchObject({ onQuit: 'save' })
  })

  test('actions change the machine and answer with it', async () => {
    expect((await connection.client.machine.pause({ id: fakeIds.running })).state).toBe('paused')
    expect((await connection.client.machine.resume({ id: fakeIds.running })).state).toBe('running')
    expect((await connection.client.machine.rename({ id: fakeIds.running, name: '  web-02 ' })).definition.name).toBe('web-02')
    expect((await connection.client.machine.start({ id: fakeIds.stopped })).state).toBe('running')
    expect((await connection.client.machine.shutDown({ id: fakeIds.stopped })).state).toBe('stopping')
    expect(await connection.client.machine.discardSaved({ id: fakeIds.saved })).toMatchObject({ state: 'stopped', saved: null })
    expect((await connection.client.machine.powerOff({ id: fakeIds.busy })).state).toBe('stopped')
    expect(await connection.client.machine.delete({ id: fakeIds.busy })).toEqual({ trashed: true })
  })

  test('declared errors arrive typed, with their data', async () => {
    const missing = await failure(connection.client.machine.get({ id: nobody }))
    expect(missing).toMatchObject({ code: 'NOT_FOUND', defined: true, message: expect.stringContaining(nobody) as string })
    const illegal = await failure(connection.client.machine.pause({ id: fakeIds.stopped }))
    expect(illegal).toMatchObject({ code: 'ILLEGAL_STATE', defined: true, data: { state: 'stopped' }, message: 'Cannot pause a machine that is stopped; it must be running.' })
    expect(await failure(connection.client.machine.save({ id: fakeIds.saved }))).toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'saved' } })
    const file = await failure(connection.client.storage.inspect({ path: '/isos/missing.iso' }))
    expect(file).toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: '/isos/missing.iso', hint: expect.any(String) as string } })
    expect(connection.defects).toEqual([])
  })

  test('faults of the input come all at once, each with its path and what was received', async () => {
    const error = await failure(connection.client.machine.create({ ...request, name: 'a/b', processors: 0, memoryMiB: 1 }))
    expect(error).toMatchObject({ code: 'INVALID_INPUT', defined: true })
    expect(error.data.issues).toEqual([
      { path: 'name', message: 'A name has no slashes, backslashes or control characters; leave them out.', received: 'a/b', severity: 'error' },
      { path: 'processors', message: 'A machine needs at least one processor.', received: '0', severity: 'error' },
      { path: 'memoryMiB', message: 'A machine needs at least 4 MiB of memory.', received: '1', severity: 'error' },
    ])
  })

  test('faults that only the host can know refuse a creation before any job begins', async () => {
    const error = await failure(connection.client.machine.create({ ...request, name: 'WEB-01', source: { type: 'cdrom', path: '/missing.iso' } }))
    expect(error).toMatchObject({ code: 'INVALID_INPUT', data: { issues: [{ path: 'name' }, { path: 'source.path', message: 'There is no file /missing.iso.' }] } })
    expect(await connection.client.job.list()).toEqual([])
  })

  test('a request that is checked gets its faults as an answer', async () => {
    expect(await connection.client.machine.check(request)).toEqual([])
    expect(await connection.client.machine.check({ ...request, name: '' })).toMatchObject([{ path: 'name', message: 'Give the machine a name.' }])
    expect((await connection.client.machine.check('nonsense')).length).toBeGreaterThan(0)
  })

  test('a defect becomes INTERNAL for the client and is logged by the host', async () => {
    host.machines.reset = () => Promise.reject(new TypeError('oops'))
    const error = await failure(connection.client.machine.reset({ id: fakeIds.running }))
    expect(error).toMatchObject({ code: 'INTERNAL', defined: true, message: 'Ringside made a mistake in machine.reset: oops' })
    expect(connection.defects).toMatchObject([{ message: 'oops' }])
  })

  test('an error of a subscription arrives typed too', async () => {
    host.machines.watchMetrics = () => { throw new RingsideError('QEMU_FAILED', 'No figures.', { hint: 'Wait.' }) }
    const error = await failure(connection.client.metrics.watch().then((events) => events.next()))
    expect(error).toMatchObject({ code: 'QEMU_FAILED', message: 'No figures.', data: { hint: 'Wait.' } })
  })

  test('a watcher sees everything first, then each change, made by whomever', async () => {
    const events = await connection.client.host.watch()
    const opened = (await events.next()).value as HostEvent
    expect(opened).toMatchObject({ type: 'opened', contractVersion, jobs: [] })
    expect(opened.type === 'opened' && opened.machines.length).toBe(host.machines.list().length)

    host.set(fakeIds.running, { state: 'crashed' })
    expect((await events.next()).value).toMatchObject({ type: 'machineChanged', machine: { id: fakeIds.running, state: 'crashed' } })
    await connection.client.machine.delete({ id: fakeIds.stopped, permanently: true })
    expect((await events.next()).value).toEqual({ type: 'machineRemoved', id: fakeIds.stopped })
    await connection.client.host.changeSettings({ onQuit: 'shutDown' })
    expect((await events.next()).value).toMatchObject({ type: 'settingsChanged', settings: { onQuit: 'shutDown' } })
    await connection.client.host.probe({ refresh: true })
    expect((await events.next()).value).toMatchObject({ type: 'probeChanged' })
    await events.return?.()
  })

  test('a job reports progress, ends, and names the machine that it made', async () => {
    const events = await connection.client.host.watch()
    await events.next()
    const job = await connection.client.machine.create({ ...request, startWhenCreated: true })
    expect(job).toMatchObject({ kind: 'machine.create', state: 'running', cancellable: true })
    const seen: HostEvent[] = []
    for await (const event of events) {
      seen.push(event)
      if (event.type === 'jobChanged' && event.job.state !== 'running') break
    }
    const last = seen.at(-1)
    expect(last).toMatchObject({ type: 'jobChanged', job: { id: job.id, state: 'succeeded', progress: 1 } })
    const made = last?.type === 'jobChanged' ? (last.job.machineId ?? '') : ''
    expect((await connection.client.machine.get({ id: made })).state).toBe('running')
    await connection.client.job.dismiss({ id: job.id })
    expect(await connection.client.job.list()).toEqual([])
    expect(await failure(connection.client.job.dismiss({ id: job.id }))).toMatchObject({ code: 'NOT_FOUND' })
  })

  test('a job can be cancelled', async () => {
    host.creation.createSample = async (_name, reporter) => {
      const { signal } = reporter
      reporter.report(0.5, 'Half way')
      await new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }) })
      return nobody
    }
    const job = await connection.client.machine.createSample({})
    await vi.waitFor(async () => { expect(await connection.client.job.list()).toMatchObject([{ step: 'Half way', progress: 0.5 }]) })
    await connection.client.job.cancel({ id: job.id })
    expect(await host.jobs.ended(job.id)).toMatchObject({ state: 'cancelled', error: null, machineId: null })
    expect(await failure(connection.client.job.cancel({ id: job.id }))).toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'cancelled' } })
  })

  test('a failed job keeps its error, and the machine that it left', async () => {
    host.machines.start = () => Promise.reject(new RingsideError('QEMU_FAILED', 'QEMU would not start.', { hint: 'Look at the log.' }))
    const job = await connection.client.machine.createSample({ name: 'demo', startWhenCreated: true })
    const ended = await host.jobs.ended(job.id)
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'QEMU_FAILED', message: 'QEMU would not start.', data: { hint: 'Look at the log.' } } })
    expect((await connection.client.machine.get({ id: ended.machineId ?? '' })).definition.name).toBe('demo')
    expect(await connection.client.job.list()).toEqual([ended])
  })

  test('figures begin with history and go on', async () => {
    const events = await connection.client.metrics.watch()
    const first = (await events.next()).value as MetricsEvent
    expect(first.samples.length).toBeGreaterThan(100)
    const live = host.machines.list().filter((machine) => machine.state === 'running' || machine.state === 'paused').length
    for (let more = 1; more < live; more++) await events.next()
    host.tick()
    expect(((await events.next()).value as MetricsEvent).samples).toHaveLength(1)
    await events.return?.()
  })

  test('thumbnails are pictures, and null when the display goes off', async () => {
    const events = await connection.client.thumbnail.watch()
    const first = (await events.next()).value as ThumbnailEvent
    expect(Buffer.from(first.pngBase64 ?? '', 'base64').subarray(1, 4).toString()).toBe('PNG')
    host.set(fakeIds.running, { state: 'stopped' })
    for await (const event of events) if (event.id === fakeIds.running && event.pngBase64 === null) break
  })

  test('a screenshot arrives byte for byte', async () => {
    const bytes = new Uint8Array(3 << 20).map((_, index) => (index * 7919) & 255)
    host.machines.screenshot = () => Promise.resolve(bytes)
    const blob = await connection.client.machine.screenshot({ id: fakeIds.running })
    expect(blob.type).toBe('image/png')
    expect(Buffer.from(await blob.arrayBuffer()).equals(bytes)).toBe(true)
  })

  test('many requests at once, and large ones, get their own answers', async () => {
    const notes = 'é'.repeat(90_000)
    host.set(fakeIds.running, { definition: { ...host.machines.get(fakeIds.running).definition, notes } })
    const ids = Object.values(fakeIds)
    const answers = await Promise.all(Array.from({ length: 500 }, (_, index) => connection.client.machine.get({ id: ids[index % ids.length] ?? '' })))
    answers.forEach((answer, index) => { expect(answer.id).toBe(ids[index % ids.length]) })
    expect(answers[0]?.definition.notes).toBe(notes)
  })

  test('a console gets a ticket only where one can be opened', async () => {
    const { ticket } = await connection.client.console.open({ id: fakeIds.running, channel: { type: 'graphics' } })
    expect(host.consoleTickets.redeem(ticket)).toEqual({ machineId: fakeIds.running, channel: { type: 'graphics' } })
    expect(host.consoleTickets.redeem(ticket)).toBeNull()
    expect(await failure(connection.client.console.open({ id: fakeIds.stopped, channel: { type: 'graphics' } }))).toMatchObject({ code: 'ILLEGAL_STATE' })
    expect(await failure(connection.client.console.open({ id: fakeIds.running, channel: { type: 'serial', port: 1 } }))).toMatchObject({ code: 'NOT_FOUND' })
    expect(await failure(connection.client.console.open({ id: fakeIds.headless, channel: { type: 'graphics' } }))).toMatchObject({ code: 'CAPABILITY_MISSING' })
  })

  const nothing = { machines: 0, library: 0, jobs: 0, probe: 0, settings: 0, metrics: 0, thumbnails: 0, snapshots: 0 }

  test('subscriptions end at the host when the client returns', async () => {
    const [all, figures, pictures] = await Promise.all([connection.client.host.watch(), connection.client.metrics.watch(), connection.client.thumbnail.watch()])
    await Promise.all([all.next(), figures.next(), pictures.next()])
    expect(host.listeners()).toEqual({ machines: 1, library: 1, jobs: 1, probe: 1, settings: 1, metrics: 1, thumbnails: 1, snapshots: 1 })
    await Promise.all([all.return?.(), figures.return?.(), pictures.return?.()])
    await vi.waitFor(() => { expect(host.listeners()).toEqual(nothing) })
  })

  test('subscriptions end at the host when the connection drops', async () => {
    const open = await Promise.all(Array.from({ length: 10 }, () => connection.client.host.watch()))
    await Promise.all(open.map((events) => events.next()))
    expect(host.listeners().machines).toBe(10)
    connection.drop()
    await vi.waitFor(() => { expect(host.listeners()).toEqual(nothing) })
  })
})
