import { describe, expect, test, vi } from 'vitest'
import type { HostEvent } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import { Snapshot, SnapshotDeletePlan, SnapshotPlan, SnapshotTree } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { fakeCloneIds, fakeSnapshotIds } from '../fakes/fake-snapshot-data'
import { overBothTransports } from './frames'
import { failure } from './transports'

const nobody = '00000000-0000-4000-8000-000000000000'
const { running, busy, stopped, paused } = fakeIds

overBothTransports('snapshots and clones', ({ client, ended, host, connection }) => {
  const treeOf = (id: string): Promise<SnapshotTree> => client.snapshot.tree({ id })

  describe('looking', () => {
    test('a tree holds what its schema promises, parents before their children', async () => {
      const tree = SnapshotTree.parse(await treeOf(running))
      expect(tree).toEqual(await host.snapshots.tree(running))
      const seen = new Set<string | null>([null])
      for (const { id, parentId } of tree.snapshots) {
        expect(seen).toContain(parentId)
        seen.add(id)
      }
      expect(tree.current.parentId).toBe(fakeSnapshotIds.lastHour)
      expect(tree.snapshots.find(({ id }) => id === fakeSnapshotIds.base)?.clones).toEqual([{ id: fakeCloneIds.snapshotClone, name: 'staging' }])
      expect(tree.orphans).toHaveLength(2)
      expect(tree.problems).toMatchObject([{ code: 'DEFINITION_DAMAGED' }])
      expect(await treeOf(stopped)).toMatchObject({ snapshots: [], current: { parentId: null } })
      expect((await treeOf(busy)).snapshots).toHaveLength(50)
    })

    test('a plan says which method and why, and what stands in the way', async () => {
      expect(SnapshotPlan.parse(await client.snapshot.plan({ id: running })).memory).toEqual({ method: 'live', reason: null })
      expect((await client.snapshot.plan({ id: busy })).memory).toEqual({ method: 'paused', reason: expect.stringMatching(/stands still/u) as string })
      expect((await client.snapshot.plan({ id: fakeIds.headless })).memory).toMatchObject({ method: 'none', reason: expect.any(String) as string })
      expect((await client.snapshot.plan({ id: fakeCloneIds.imported })).obstacles).toMatchObject([{ diskId: 'disk0', convertible: true }])
      expect((await client.snapshot.plan({ id: fakeCloneIds.template })).issues).toMatchObject([{ severity: 'error', code: 'ILLEGAL_STATE' }])
    })

    test('the screen arrives byte for byte, or as null where there was none', async () => {
      const picture = await client.snapshot.screen({ id: running, snapshotId: fakeSnapshotIds.configured })
      expect(picture?.type).toBe('image/png')
      const bytes = Buffer.from(await picture?.arrayBuffer() ?? new ArrayBuffer(0))
      const sent = await host.snapshots.screen(running, fakeSnapshotIds.configured)
      expect(sent !== null && bytes.equals(sent)).toBe(true)
      expect(await client.snapshot.screen({ id: running, snapshotId: fakeSnapshotIds.installed })).toBeNull()
    })

    test('differences to now, in words', async () => {
      expect(await client.snapshot.compare({ id: running, snapshotId: fakeSnapshotIds.installed })).toEqual([
        { path: 'memoryMiB', label: 'Memory', then: '1024 MiB', now: '2048 MiB' }, { path: 'processors', label: 'Processors', then: '1', now: '2' },
      ])
      expect(await client.snapshot.compare({ id: running, snapshotId: fakeSnapshotIds.upgrade })).toEqual([{ path: 'disks.disk1', label: 'Disk disk1', then: 'disks/disk1.qcow2', now: null }])
    })

    test('what a delete would take is told before', async () => {
      const plan = SnapshotDeletePlan.parse(await client.snapshot.deletePlan({ id: running, snapshotId: fakeSnapshotIds.experiment, children: true }))
      expect(plan.snapshots.map(({ name }) => name)).toEqual(['Experiment', 'Experiment, tuned'])
      expect(plan.freesBytes).toBeGreaterThan(0)
      expect(await client.snapshot.deletePlan({ id: running, snapshotId: fakeSnapshotIds.base })).toMatchObject({ snapshots: [{ name: 'Base of staging' }], issues: [{ code: 'DISK_IN_USE' }] })
    })

    test('linked clones of a template', async () => {
      expect((await client.machine.linkedClones({ id: fakeCloneIds.template })).map(({ name }) => name)).toEqual(['shop-01', 'shop-02'])
      expect(await client.machine.linkedClones({ id: stopped })).toEqual([])
    })
  })

  describe('jobs', () => {
    test('taking one: progress, the task in the machine’s view, then a new place in the tree', async () => {
      const events = await client.host.watch()
      await events.next()
      const job = await client.snapshot.take({ id: running, name: '  First light ', description: 'two\nlines' })
      expect(job).toMatchObject({ kind: 'snapshot.take', title: 'Taking the snapshot “First light” of “web-01”', machineId: running, state: 'running', cancellable: true })
      const seen: HostEvent[] = []
      for await (const event of events) {
        seen.push(event)
        if (event.type === 'jobChanged' && event.job.state !== 'running') break
      }
      expect(seen.at(-1)).toMatchObject({ job: { id: job.id, state: 'succeeded' } })
      expect(seen).toContainEqual({ type: 'snapshotsChanged', id: running })
      const { snapshots, current } = await treeOf(running)
      const made = Snapshot.parse(snapshots.find(({ name }) => name === 'First light'))
      expect(made).toMatchObject({ description: 'two\nlines', kind: 'manual', method: 'live', parentId: fakeSnapshotIds.lastHour, machineState: 'running' })
      expect(current.parentId).toBe(made.id)
      expect((await client.machine.get({ id: running })).task).toBeNull()
    })

    test('reverting keeps the present when asked, and the machine’s own name', async () => {
      await ended(await client.snapshot.revert({ id: running, snapshotId: fakeSnapshotIds.installed, keepPresent: 'As it was' }))
      const { snapshots, current } = await treeOf(running)
      expect(current.parentId).toBe(fakeSnapshotIds.installed)
      expect(snapshots.find(({ name }) => name === 'As it was')?.parentId).toBe(fakeSnapshotIds.lastHour)
      expect(await client.machine.get({ id: running })).toMatchObject({ state: 'running', definition: { name: 'web-01', memoryMiB: 1024, snapshotParentId: fakeSnapshotIds.installed } })
      await ended(await client.snapshot.revert({ id: running, snapshotId: fakeSnapshotIds.configured, start: false }))
      expect(await client.machine.get({ id: running })).toMatchObject({ state: 'saved' })
      await ended(await client.snapshot.revert({ id: running, snapshotId: fakeSnapshotIds.configured, start: false, memory: false }))
      expect(await client.machine.get({ id: running })).toMatchObject({ state: 'stopped', saved: null })
    })

    test('deleting from the middle leaves the others, below what is left', async () => {
      await ended(await client.snapshot.delete({ id: running, snapshotId: fakeSnapshotIds.configured }))
      const { snapshots } = await treeOf(running)
      expect(snapshots).toHaveLength(7)
      expect(snapshots.find(({ id }) => id === fakeSnapshotIds.upgrade)?.parentId).toBe(fakeSnapshotIds.installed)
      expect(await ended(await client.snapshot.delete({ id: running, snapshotId: fakeSnapshotIds.installed, children: true }))).toMatchObject({ state: 'failed', error: { code: 'DISK_IN_USE' } })
      expect((await treeOf(running)).snapshots).toHaveLength(7)
    })

    test('disks are converted, files that belong to nothing go', async () => {
      expect(await ended(await client.snapshot.take({ id: fakeCloneIds.imported, name: 'Too early' }))).toMatchObject({ state: 'failed', error: { code: 'IMAGE_UNSUPPORTED' } })
      expect(await ended(await client.snapshot.convertDisks({ id: fakeCloneIds.imported }))).toMatchObject({ kind: 'disk.convert', state: 'succeeded' })
      expect((await client.snapshot.plan({ id: fakeCloneIds.imported })).obstacles).toEqual([])
      expect(await ended(await client.snapshot.cleanUp({ id: running, paths: ['snapshots/notes.txt'] }))).toMatchObject({ kind: 'snapshot.cleanUp', state: 'succeeded' })
      expect((await treeOf(running)).orphans).toMatchObject([{ path: 'disks/disk0.0badf00d.qcow2' }])
      expect(await ended(await client.snapshot.cleanUp({ id: running, paths: ['../machine.json'] }))).toMatchObject({ state: 'failed', error: { code: 'INVALID_INPUT', data: { path: '../machine.json' } } })
    })

    test('clones: full, linked with a base of its own, warm, and started at once', async () => {
      const full = await ended(await client.machine.clone({ id: stopped, name: 'windows-copy', kind: 'full', startWhenCreated: true }))
      expect(full).toMatchObject({ kind: 'machine.clone', title: 'Cloning “windows-11” as “windows-copy”', state: 'succeeded' })
      expect(await client.machine.get({ id: full.machineId ?? '' })).toMatchObject({ state: 'running', definition: { name: 'windows-copy', origin: { kind: 'full', machineId: stopped, snapshotId: null } } })
      const linked = await ended(await client.machine.clone({ id: running, name: 'web-02', kind: 'linked' }))
      const base = (await treeOf(running)).snapshots.find(({ clones }) => clones.some(({ id }) => id === linked.machineId))
      expect((await client.machine.get({ id: linked.machineId ?? '' })).definition.origin).toMatchObject({ kind: 'linked', machineId: running, snapshotId: base?.id })
      const warm = await ended(await client.machine.clone({ id: fakeCloneIds.template, name: 'shop-03', kind: 'linked', warm: true }))
      expect(await client.machine.get({ id: warm.machineId ?? '' })).toMatchObject({ state: 'saved', definition: { template: false } })
      expect(await ended(await client.machine.clone({ id: stopped, name: 'web-01', kind: 'full' }))).toMatchObject({ state: 'failed', error: { code: 'NAME_TAKEN' } })
      expect(await ended(await client.machine.clone({ id: stopped, name: 'cold', kind: 'full', warm: true }))).toMatchObject({ state: 'failed', error: { code: 'CAPABILITY_MISSING' } })
    })

    test('a template is made and turned back; a linked clone is made independent', async () => {
      await ended(await client.machine.makeTemplate({ id: paused, memory: true }))
      expect(await client.machine.get({ id: paused })).toMatchObject({ state: 'saved', definition: { template: true } })
      expect((await client.machine.unmakeTemplate({ id: paused })).definition.template).toBe(false)
      expect(await failure(client.machine.unmakeTemplate({ id: fakeCloneIds.template }))).toMatchObject({ code: 'DISK_IN_USE', message: expect.stringContaining('“shop-01”, “shop-02”') as string })
      expect(await failure(client.machine.deletePlan({ id: fakeCloneIds.template }))).toMatchObject({ code: 'DISK_IN_USE' })
      expect(await failure(client.machine.delete({ id: fakeCloneIds.template }))).toMatchObject({ code: 'DISK_IN_USE' })
      await ended(await client.machine.detach({ id: fakeCloneIds.otherTemplateClone }))
      expect((await client.machine.linkedClones({ id: fakeCloneIds.template })).map(({ name }) => name)).toEqual(['shop-01'])
    })

    test('one that is cancelled leaves everything', async () => {
      const before = await treeOf(running)
      const job = await client.snapshot.take({ id: running, name: 'Never' })
      await client.job.cancel({ id: job.id })
      expect(await ended(job)).toMatchObject({ state: 'cancelled', error: null })
      expect(await treeOf(running)).toEqual(before)
    })
  })

  test('a snapshot is renamed and described, a policy set and taken back, a run disposable', async () => {
    const snapshotId = fakeSnapshotIds.configured
    expect(await client.snapshot.change({ id: running, snapshotId, name: 'Ready' })).toMatchObject({ name: 'Ready', description: expect.stringContaining('nginx') as string })
    expect(await client.snapshot.change({ id: running, snapshotId, description: '' })).toMatchObject({ name: 'Ready', description: '' })
    expect(await failure(client.snapshot.change({ id: running, snapshotId, name: 'INSTALLED' }))).toMatchObject({ code: 'NAME_TAKEN' })
    const policy = { every: 'day' as const, keep: { hourly: 0, daily: 7, weekly: 4 }, memory: true }
    expect((await client.snapshot.setPolicy({ id: stopped, policy })).definition.snapshotPolicy).toEqual(policy)
    expect((await client.snapshot.setPolicy({ id: stopped, policy: null })).definition.snapshotPolicy).toBeNull()
    expect((await client.machine.start({ id: stopped, disposable: true })).run?.disposable).toBe(true)
    expect(await failure(client.snapshot.take({ id: stopped, name: 'Nothing to keep' }))).toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('in a disposable run') as string })
  })

  test('refusals come before a job begins, typed', async () => {
    const snapshotId = fakeSnapshotIds.configured
    const template = { id: fakeCloneIds.template }
    for (const call of [
      client.snapshot.take({ ...template, name: 'x' }), client.snapshot.revert({ ...template, snapshotId }), client.snapshot.delete({ ...template, snapshotId }), client.snapshot.convertDisks(template),
      client.machine.makeTemplate(template), client.machine.detach(template), client.snapshot.cleanUp({ ...template, paths: ['x'] }), client.machine.start(template),
    ]) expect(await failure(call)).toMatchObject({ code: 'ILLEGAL_STATE', defined: true, data: { state: 'saved' }, message: expect.stringContaining('a template') as string })
    host.set(running, { task: 'snapshot' })
    expect(await failure(client.machine.clone({ id: running, name: 'x', kind: 'full' }))).toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('a snapshot is being taken') as string })
    expect(await client.job.list()).toEqual([])
  })

  test('what is not there is NOT_FOUND, what is wrong is named with its path', async () => {
    for (const call of [
      client.snapshot.tree({ id: nobody }), client.snapshot.plan({ id: nobody }), client.machine.linkedClones({ id: nobody }), client.snapshot.setPolicy({ id: nobody, policy: null }),
      client.snapshot.screen({ id: running, snapshotId: nobody }), client.snapshot.compare({ id: running, snapshotId: nobody }), client.snapshot.change({ id: running, snapshotId: nobody, name: 'x' }),
      client.snapshot.deletePlan({ id: running, snapshotId: nobody }), client.machine.clone({ id: nobody, name: 'x', kind: 'full' }),
    ]) expect(await failure(call)).toMatchObject({ code: 'NOT_FOUND', defined: true })
    const faults = async (call: Promise<unknown>): Promise<string[]> => ((await failure(call)).data.issues ?? []).map(({ path, message }) => `${path}: ${message}`)
    expect(await faults(client.snapshot.take({ id: running, name: ' ' }))).toEqual(['name: Give the snapshot a name.'])
    expect(await faults(client.snapshot.take({ id: running, name: 'x'.repeat(101) }))).toEqual(['name: A name has at most 100 characters; this one has 101.'])
    expect(await faults(client.snapshot.take({ id: running, name: 'a\u202eb', description: 'd'.repeat(10_001) }))).toEqual([
      'name: A name has no control characters; leave them out.', 'description: A description has at most 10,000 characters.',
    ])
    expect(await faults(client.machine.clone({ id: running, name: 'a/b', kind: 'full' }))).toEqual(['name: A name has no slashes, backslashes or control characters; leave them out.'])
    expect(await faults(client.snapshot.setPolicy({ id: running, policy: { every: 'hour', keep: { hourly: 0, daily: 0, weekly: 0 } } }))).toEqual(['policy.keep: Keep at least one.'])
    expect(await faults(client.snapshot.revert({ id: running, snapshotId: 'nonsense' }))).toHaveLength(1)
    expect(await faults(client.snapshot.cleanUp({ id: running, paths: [] }))).toHaveLength(1)
  })

  test('an error in a job keeps its hint; a defect of a service is told and logged', async () => {
    host.snapshots.revert = () => Promise.reject(new RingsideError('QEMU_FAILED', 'The memory does not fit this QEMU.', { hint: 'Revert without memory.' }))
    expect(await ended(await client.snapshot.revert({ id: running, snapshotId: fakeSnapshotIds.configured }))).toMatchObject({ state: 'failed', error: { code: 'QEMU_FAILED', data: { hint: 'Revert without memory.' } } })
    host.snapshots.tree = () => Promise.reject(new TypeError('oops'))
    expect(await failure(treeOf(running))).toMatchObject({ code: 'INTERNAL', message: 'Ringside made a mistake in snapshot.tree: oops' })
    expect(connection.defects).toMatchObject([{ message: 'oops' }])
  })

  test('changes of a tree that nobody has read yet are told once', async () => {
    const events = await client.host.watch()
    await events.next()
    const snapshotId = fakeSnapshotIds.configured
    for (let number = 0; number < 20; number++) await host.snapshots.change(running, snapshotId, { name: `Name ${String(number)}` })
    host.set(stopped, { state: 'crashed' })
    const seen: HostEvent[] = []
    for await (const event of events) {
      seen.push(event)
      if (event.type === 'machineChanged' && event.machine.id === stopped) break
    }
    expect(seen.filter(({ type }) => type === 'snapshotsChanged').length).toBeLessThanOrEqual(2)
    expect(seen).toContainEqual({ type: 'snapshotsChanged', id: running })
    await events.return?.()
    await vi.waitFor(() => { expect(host.listeners().snapshots).toBe(0) })
  })
})
