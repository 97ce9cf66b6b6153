import { expect, test } from 'vitest'
import { HardwarePlan, HardwareProperty, HardwareVersion, MachineHardware, type MachineView } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { overBothTransports } from './frames'
import { failure } from './transports'

const { running, stopped, saved } = fakeIds

overBothTransports('hardware', ({ client, ended }) => {
  const hardwareOf = async (id: string): Promise<MachineHardware> => {
    const { next, definition }: MachineView = await client.machine.get({ id })
    return MachineHardware.parse(next ?? definition)
  }

  test('properties say what may be, and where not, why', async () => {
    const properties = await client.hardware.properties({ id: running })
    for (const property of properties) expect(HardwareProperty.parse(property)).toEqual(property)
    expect(properties.find(({ path }) => path === 'cdroms.*.image')?.live).toEqual({ possible: true, reason: null })
    expect(properties.find(({ path }) => path === 'memory.hugePages')?.obstacle).toMatch(/^[A-Z].*\.$/u)
  })

  test('a plan tells all faults at once, whatever it is given, and changes nothing', async () => {
    const before = await hardwareOf(running)
    const [nic] = before.nics
    const plan = HardwarePlan.parse(await client.hardware.plan({ id: running, hardware: { ...before, memoryMiB: 99_999_999, clock: 'noon', nics: [{ ...nic, macAddress: 'x' }] } }))
    expect(plan.issues.map(({ path }) => path).sort()).toEqual(['clock', 'memoryMiB', 'nics.0.macAddress'])
    for (const nonsense of [null, 'text', [], {}]) expect((await client.hardware.plan({ id: running, hardware: nonsense })).issues).not.toEqual([])
    expect((await client.hardware.plan({ id: running, hardware: { ...before, memoryMiB: 4096, nics: [{ ...nic, linkUp: false }] } })).differences).toMatchObject([
      { path: 'memoryMiB', when: 'nextStart', reason: expect.stringMatching(/\.$/u) as string }, { path: 'nics.net0.linkUp', when: 'now', reason: null },
    ])
    expect(await hardwareOf(running)).toEqual(before)
  })

  test('what is live is so at once; the rest waits, is shown, and can be taken back', async () => {
    const before = await hardwareOf(running)
    const wanted = { ...before, memoryMiB: 4096, nics: before.nics.map((nic) => ({ ...nic, linkUp: false })) }
    const { machine, differences } = await client.hardware.change({ id: running, hardware: wanted, basedOn: before })
    expect(differences.map(({ path, when }) => [path, when])).toEqual([['memoryMiB', 'nextStart'], ['nics.net0.linkUp', 'now']])
    expect(machine).toMatchObject({ definition: { memoryMiB: 2048, nics: [{ linkUp: false }] }, next: { memoryMiB: 4096 } })
    expect(await failure(client.hardware.change({ id: running, hardware: before, basedOn: before }))).toMatchObject({ code: 'ILLEGAL_STATE' })
    expect(await client.hardware.discardPending({ id: running })).toMatchObject({ definition: { memoryMiB: 2048, nics: [{ linkUp: false }] }, next: null })
  })

  test('a change with faults changes nothing, and tells them all', async () => {
    const before = await hardwareOf(stopped)
    const refused = await failure(client.hardware.change({ id: stopped, hardware: { ...before, memoryMiB: 0, serialPorts: 9 }, basedOn: before }))
    expect(refused).toMatchObject({ code: 'INVALID_INPUT', data: { issues: [{ path: 'memoryMiB' }, { path: 'serialPorts', received: '9' }] } })
    expect(await hardwareOf(stopped)).toEqual(before)
  })

  test('of a machine that is saved what is around its memory changes at once; the rest comes when it goes on, or after its next shut down', async () => {
    const before = await hardwareOf(saved)
    const wanted = { ...before, memoryMiB: before.memoryMiB * 2, processors: { ...before.processors, priority: 'low' as const } }
    const card = { id: 'net9', model: 'virtio-net', macAddress: '52:54:00:00:00:09', backend: { type: 'user' }, linkUp: true, slot: null } as const
    expect((await client.hardware.plan({ id: saved, hardware: { ...wanted, nics: [...wanted.nics, card] } })).differences).toContainEqual(expect.objectContaining({ path: 'nics.net9', when: 'goesOn', reason: null }))
    const { machine, differences } = await client.hardware.change({ id: saved, hardware: wanted, basedOn: before })
    expect(differences).toMatchObject([{ path: 'memoryMiB', when: 'nextStart', reason: expect.stringContaining('next shut down') as string }, { path: 'processors.priority', when: 'now', reason: null }])
    expect(machine).toMatchObject({ state: 'saved', definition: { memoryMiB: before.memoryMiB, processors: { priority: 'low' } }, next: { memoryMiB: before.memoryMiB * 2 } })
    expect((await client.hardware.plan({ id: saved, hardware: wanted })).waiting).toMatchObject([{ path: 'memoryMiB', when: 'nextStart' }])
    expect(await client.hardware.discardPending({ id: saved })).toMatchObject({ state: 'saved', definition: { memoryMiB: before.memoryMiB, processors: { priority: 'low' } }, next: null })
  })

  test('disks are added and taken out by jobs, and every earlier form is kept to go back to', async () => {
    const before = await hardwareOf(stopped)
    expect(await ended(await client.hardware.addDisk({ id: stopped, source: { kind: 'new', sizeBytes: 2 ** 30 }, bus: 'virtio-blk', readOnly: false }))).toMatchObject({ kind: 'disk.add', state: 'succeeded', machineId: stopped })
    const more = await hardwareOf(stopped)
    expect(more.disks).toHaveLength(before.disks.length + 1)
    expect(await ended(await client.hardware.addDisk({ id: stopped, source: { kind: 'copy', path: '/missing.img', format: 'raw' }, bus: 'sata', readOnly: false }))).toMatchObject({ state: 'failed', error: { code: 'FILE_NOT_FOUND' } })
    expect(await ended(await client.hardware.removeDisk({ id: stopped, diskId: more.disks.at(-1)?.id ?? '', file: 'trash' }))).toMatchObject({ kind: 'disk.remove', state: 'succeeded' })
    expect(await hardwareOf(stopped)).toEqual(before)
    const history = await client.hardware.history({ id: stopped })
    expect(history).toHaveLength(2)
    for (const version of history) expect(HardwareVersion.parse(version)).toEqual(version)
    expect(await client.hardware.version({ id: stopped, versionId: history[0]?.id ?? '' })).toEqual(more)
    await client.hardware.change({ id: stopped, hardware: more, basedOn: before })
    expect(await hardwareOf(stopped)).toEqual(more)
    expect(await failure(client.hardware.version({ id: stopped, versionId: 'nonsense' }))).toMatchObject({ code: 'NOT_FOUND' })
  })

  test('a job to add a disk can be cancelled, and nothing is there then', async () => {
    const before = await hardwareOf(running)
    const job = await client.hardware.addDisk({ id: running, source: { kind: 'copy', path: '/disk.img', format: 'raw' }, bus: 'virtio-blk', readOnly: false })
    await client.job.cancel({ id: job.id })
    expect(await ended(job)).toMatchObject({ state: 'cancelled' })
    expect(await hardwareOf(running)).toEqual(before)
  })
})
