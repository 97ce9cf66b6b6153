import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { dataPaths } from '@core/library'
import type { MachineView } from '@shared/model'
import { content, ledger, original, outsideReads, request, writeSome } from './support/clone-machines'
import { assembleCounterDisk } from './support/counter-guest'
import { emptyLedgerDisk } from './support/ledger-guest'
import { OpenLibrary } from './support/open-library'
import { addMachines } from './support/real-host'
import { checkImages, digests, ledgerOf, ownFiles, readSnapshot } from './support/sound-machine'
import { qemuImg } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

const at = useLibrary()

test('a full clone of a machine that is off is another machine with the same disks, and neither is the other’s business', async () => {
  const [id = ''] = await addMachines(at.library, [original('web', { notes: 'the shop' })])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  await writeSome(host, id)
  const before = await machines.get(id)
  const written = digests(await content(before))
  const clone = await machines.get(await clones.clone(request(id, 'staging')))
  expect(clone).toMatchObject({
    state: 'stopped', definition: { name: 'staging', notes: 'the shop', origin: { kind: 'full', machineId: id, machineName: 'web', snapshotId: null }, snapshotParentId: null, template: false },
  })
  expect(clone.id).not.toBe(id)
  expect(clone.definition.nics[0]?.macAddress).toMatch(/^52:54:00:/u)
  expect(clone.definition.nics[0]?.macAddress).not.toBe('52:54:00:00:00:01')
  expect(digests(await content(clone))).toEqual(written)
  expect(await outsideReads(clone)).toEqual([])
  expect(await ownFiles(clone.folder)).toEqual(['disks/disk0.qcow2', 'disks/disk1.qcow2', 'machine.json'])
  // The original has noticed nothing.
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  expect(await machines.get(id)).toEqual(before)

  expect(await writeSome(host, clone.id)).toBeGreaterThan(ledgerOf(await content(before)).number)
  expect(digests(await content(before))).toEqual(written)
  await machines.delete(id, { permanently: true })
  await writeSome(host, clone.id)
  expect(await checkImages(clone.folder)).toEqual({})
})

test('linked clones stand on one snapshot, go their own ways, and keep their original from being deleted until they are independent', async () => {
  const [id = ''] = await addMachines(at.library, [original()])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  const written = await writeSome(host, id)
  const one = await machines.get(await clones.clone(request(id, 'one', { kind: 'linked' })))
  const two = await machines.get(await clones.clone(request(id, 'two', { kind: 'linked' })))
  const tree = await snapshots.tree(id)
  expect(tree.snapshots).toMatchObject([{ name: 'Base of one', kind: 'base', clones: [{ id: one.id, name: 'one' }, { id: two.id, name: 'two' }] }])
  const [base] = tree.snapshots
  expect(tree.current.parentId).toBe(base?.id)
  expect(one.definition.origin).toEqual({ kind: 'linked', machineId: id, machineName: 'original', snapshotId: base?.id })
  expect(await outsideReads(one)).toHaveLength(2)
  expect(await clones.linkedClones(id)).toEqual([{ id: one.id, name: 'one' }, { id: two.id, name: 'two' }])

  // All three write, each on its own, also at the same time.
  await Promise.all([writeSome(host, id, 3), writeSome(host, one.id, 6), writeSome(host, two.id, 9)])
  expect(ledgerOf(await readSnapshot((await machines.get(id)).folder, base?.id ?? '')).number).toBeGreaterThanOrEqual(written)

  await expect(machines.delete(id, { permanently: true })).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringMatching(/“original” can't be deleted.*2 linked clones.*“one”, “two”/u) as string })
  await expect(host.services.library.deletePlan(id)).rejects.toMatchObject({ code: 'DISK_IN_USE' })
  await expect(snapshots.delete(id, base?.id ?? '', { children: false })).rejects.toMatchObject({ message: expect.stringMatching(/“one”.*“two”/u) as string })

  const number = await ledger(one)
  await clones.detach(one.id)
  expect(await outsideReads(one)).toEqual([])
  expect((await machines.get(one.id)).definition.origin).toMatchObject({ kind: 'full', machineId: id })
  expect(await ledger(one)).toBe(number)
  await expect(clones.detach(one.id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('independent already') as string })
  await expect(machines.delete(id, { permanently: true })).rejects.toMatchObject({ message: expect.stringMatching(/A linked clone reads.*“two”/u) as string })
  await machines.delete(two.id, { permanently: true })
  await machines.delete(id, { permanently: true })
  expect(await writeSome(host, one.id)).toBeGreaterThan(number)
  expect(await checkImages(one.folder)).toEqual({})
})

test('ten linked clones of a template at once; the template holds still as long as they live', async () => {
  const [id = ''] = await addMachines(at.library, [original('golden')])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  const written = await writeSome(host, id)
  await clones.makeTemplate(id, { memory: false })
  const before = digests(await content(await machines.get(id)))
  const names = Array.from({ length: 10 }, (_, index) => `shop ${String(index + 1).padStart(2, '0')}`)
  const ids = await Promise.all(names.map((name) => clones.clone(request(id, name, { kind: 'linked' }))))
  expect(await clones.linkedClones(id)).toEqual(names.map((name, index) => ({ id: ids[index], name })))
  const addresses = await Promise.all(ids.map(async (clone) => (await machines.get(clone)).definition.nics[0]?.macAddress))
  expect(new Set(addresses).size).toBe(10)
  // No snapshot is needed: the template itself is frozen.
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  for (const clone of ids.slice(0, 2)) expect(await writeSome(host, clone)).toBeGreaterThan(written)

  await expect(machines.start(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('template') as string })
  await expect(host.services.machines.start(id, { disposable: true })).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await expect(clones.unmakeTemplate(id)).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringMatching(/turned back.*10 linked clones.*“shop 01”.*“shop 10”/u) as string })
  expect(digests(await content(await machines.get(id)))).toEqual(before)

  for (const clone of ids.slice(1)) await machines.delete(clone, { permanently: true })
  await clones.detach(ids[0] ?? '')
  await clones.unmakeTemplate(id)
  expect(await writeSome(host, id)).toBeGreaterThan(written)
})

test('UEFI variables, CD images, kernels and disks from elsewhere come along as they should', async () => {
  await using elsewhere = await TemporaryFolder.make()
  await writeFile(elsewhere.in('data.raw'), emptyLedgerDisk())
  await writeFile(elsewhere.in('tools.raw'), emptyLedgerDisk())
  const [id = ''] = await addMachines(at.library, [{
    name: 'many', disk: assembleCounterDisk(),
    definition: {
      firmware: { type: 'uefi' }, memoryMiB: 128,
      disks: [
        { id: 'disk0', image: { kind: 'own', path: 'disks/disk0.raw' }, format: 'raw', bus: 'sata' },
        { id: 'data', image: { kind: 'external', path: elsewhere.in('data.raw') }, format: 'raw', bus: 'sata' },
        { id: 'tools', image: { kind: 'external', path: elsewhere.in('tools.raw') }, format: 'raw', bus: 'virtio-blk', readOnly: true },
      ],
      cdroms: [{ id: 'cd0', image: { kind: 'own', path: 'media/setup.iso' }, bus: 'sata' }, { id: 'cd1', image: { kind: 'external', path: elsewhere.in('tools.raw') }, bus: 'sata' }],
    },
    async prepare({ folder }) {
      await mkdir(join(folder, 'media'))
      await writeFile(join(folder, 'media/setup.iso'), emptyLedgerDisk())
    },
  }])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones } = host.calls
  await machines.start(id)
  await machines.powerOff(id)
  const before = await machines.get(id)
  const clone = await machines.get(await clones.clone(request(id, 'copy')))
  expect(await ownFiles(clone.folder)).toEqual(['disks/data.qcow2', 'disks/disk0.qcow2', 'firmware/nvram.qcow2', 'machine.json', 'media/setup.iso'])
  expect(clone.definition.disks).toMatchObject([
    { image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2' }, { image: { kind: 'own', path: 'disks/data.qcow2' }, format: 'qcow2' },
    { image: { kind: 'external', path: elsewhere.in('tools.raw') }, format: 'raw', readOnly: true },
  ])
  const variables = ({ folder }: MachineView): string => join(folder, 'firmware/nvram.qcow2')
  expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'qcow2', variables(before), variables(clone))).toContain('identical')
  expect(await machines.start(clone.id)).toMatchObject({ state: 'running' })
  await machines.powerOff(clone.id)
  await clones.makeTemplate(id, { memory: false })
  await expect(clones.clone(request(id, 'linked', { kind: 'linked' }))).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED', data: { path: elsewhere.in('data.raw') } })
  expect((await machines.list()).map(({ definition }) => definition.name)).toEqual(['copy', 'many'])
})

test('a linked clone of a linked clone, made independent with its snapshots', async () => {
  const [id = ''] = await addMachines(at.library, [original('grandmother')])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  await writeSome(host, id)
  await clones.makeTemplate(id, { memory: false })
  const mother = await clones.clone(request(id, 'mother', { kind: 'linked' }))
  await writeSome(host, mother)
  const child = await machines.get(await clones.clone(request(mother, 'child', { kind: 'linked' })))
  const first = await writeSome(host, child.id)
  const { id: early } = await snapshots.take(child.id, { name: 'early', description: '', memory: true, quiesce: false })
  const last = await writeSome(host, child.id)
  expect((await clones.linkedClones(id)).map(({ name }) => name)).toEqual(['mother'])
  await expect(machines.delete(mother, { permanently: true })).rejects.toMatchObject({ message: expect.stringContaining('“child”') as string })

  await clones.detach(child.id)
  expect(await outsideReads(child)).toEqual([])
  await machines.delete(mother, { permanently: true })
  await machines.delete(id, { permanently: true })
  expect(ledgerOf(await readSnapshot(child.folder, early)).number).toBeGreaterThanOrEqual(first)
  expect(await ledger(await machines.get(child.id))).toBeGreaterThanOrEqual(last)
  await snapshots.revert(child.id, { snapshotId: early, memory: false, keepPresent: null, start: false })
  expect((await machines.get(child.id)).definition.origin).toMatchObject({ kind: 'full', machineId: mother })
  expect(await writeSome(host, child.id)).toBeLessThan(last + 20)
  expect(await checkImages(child.folder)).toEqual({})
})

test('what can’t be is refused in words, and leaves nothing', async () => {
  const [id = '', running = ''] = await addMachines(at.library, [original(), { name: 'raw', disk: assembleCounterDisk() }])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  const folders = async (): Promise<string[]> => (await readdir(dataPaths(at.library.data).library)).sort()
  const before = await folders()
  await expect(clones.clone(request(id, 'ORIGINAL', { kind: 'linked' }))).rejects.toMatchObject({ code: 'NAME_TAKEN', message: expect.stringContaining('“original”') as string })
  await expect(clones.clone(request(id, 'warm', { warm: true }))).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', message: expect.stringContaining('no memory') as string })
  await expect(clones.clone(request(id, 'warm', { warm: true, kind: 'linked' }))).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
  await expect(clones.clone(request(id, 'of nothing', { snapshotId: '99999999-9999-4999-8999-999999999999' }))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(clones.clone(request(running, 'linked', { kind: 'linked' }))).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED', data: { hint: expect.stringContaining('Convert') as string } })
  await expect(clones.makeTemplate(id, { memory: false }).then(() => clones.makeTemplate(id, { memory: false }))).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await clones.unmakeTemplate(id)
  await expect(clones.unmakeTemplate(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: 'This machine is no template.' })
  await machines.start(running)
  await expect(clones.makeTemplate(running, { memory: false })).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('while it is running') as string })
  await machines.powerOff(running)
  await machines.start(running, { disposable: true })
  await expect(clones.clone(request(running, 'copy'))).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('disposable') as string })
  await machines.powerOff(running)
  expect(await folders()).toEqual(before)
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  expect((await snapshots.tree(id)).orphans).toEqual([])
})

test('a clone whose definition is damaged still counts, and one whose original is gone says so', async () => {
  const [id = ''] = await addMachines(at.library, [original('golden')])
  let clone: MachineView
  let golden: MachineView
  {
    await using host = await OpenLibrary.open(at.programs, at.library)
    await host.calls.clones.makeTemplate(id, { memory: false })
    clone = await host.calls.machines.get(await host.calls.clones.clone(request(id, 'shop', { kind: 'linked' })))
    golden = await host.calls.machines.get(id)
  }
  const definition = join(clone.folder, 'machine.json')
  const good = await readFile(definition, 'utf8')
  await writeFile(definition, good.slice(0, 100))
  {
    await using host = await OpenLibrary.open(at.programs, at.library)
    await expect(host.calls.machines.delete(id, { permanently: true })).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringContaining(basename(clone.folder)) as string })
    await expect(host.calls.clones.unmakeTemplate(id)).rejects.toMatchObject({ code: 'DISK_IN_USE' })
  }
  await writeFile(definition, good)
  const away = join(at.library.data, 'away')
  await rename(golden.folder, away)
  {
    await using host = await OpenLibrary.open(at.programs, at.library)
    await expect(host.calls.machines.start(clone.id)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringMatching(/“shop” is a linked clone of “golden”, which is not in the library/u) as string })
    expect((await host.calls.machines.get(clone.id)).state).toBe('stopped')
    await expect(host.calls.clones.detach(clone.id)).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' })
  }
  await rename(away, golden.folder)
  // Turned back by hand, behind everybody's back.
  await writeFile(join(golden.folder, 'machine.json'), (await readFile(join(golden.folder, 'machine.json'), 'utf8')).replace('"template": true', '"template": false'))
  await using host = await OpenLibrary.open(at.programs, at.library)
  await expect(host.calls.machines.start(id)).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringMatching(/was a template.*“shop”/u) as string })
  await expect(host.calls.machines.start(clone.id)).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringContaining('no template any more') as string })
})
