import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { dataPaths } from '@core/library'
import type { CloneRequest, MachineView } from '@shared/model'
import { assembleCounterDisk } from './support/counter-guest'
import { emptyLedgerDisk, ledgerWords } from './support/ledger-guest'
import { LedgerConsole, ledgerMachine } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { HostProcess, addMachines, type NewMachine } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { checkImages, digests, ledgerOf, ownFiles, readDisks, readSnapshot } from './support/sound-machine'
import { qemuImg } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

const at = useLibrary()

const nic = (id: string, macAddress: string): NonNullable<NonNullable<NewMachine['definition']>['nics']>[number] => ({ id, model: 'e1000', macAddress, backend: { type: 'user' } })

/** A machine with a ledger and a network card. */
function original(name = 'original', more: NewMachine['definition'] = {}): NewMachine {
  const machine = ledgerMachine(name)
  return { ...machine, definition: { ...machine.definition, nics: [nic('nic0', '52:54:00:00:00:01')], ...more } }
}

function request(id: string, name: string, more: Partial<CloneRequest> = {}): CloneRequest {
  return { id, name, snapshotId: null, kind: 'full', warm: false, ...more }
}

/** What a machine's disks hold now. */
async function content({ folder, definition }: MachineView): Promise<Record<string, Buffer>> {
  return readDisks(folder, definition)
}

async function ledger(machine: MachineView): Promise<number> {
  return ledgerOf(await content(machine)).number
}

/** Starts a machine, lets its guest write some numbers, and pulls its plug when it holds still. */
async function writeSome(host: OpenLibrary, id: string, count = 5): Promise<number> {
  await host.calls.machines.start(id)
  using console = await LedgerConsole.open(host, id)
  await console.write(count)
  const last = await console.verify()
  await host.calls.machines.powerOff(id)
  return last
}

/** Types a letter that the guest has not been sent before, and waits for its answer. */
async function say(host: OpenLibrary, id: string, letter: string, then?: RegExp): Promise<void> {
  const stream = await host.openConsole(id, 'serial')
  using session = new SerialSession(stream)
  session.send(letter)
  await session.waitFor(`<${letter}>`)
  if (then !== undefined) await session.waitFor(then)
  stream.destroy()
}

/** Images of a machine that read from another folder, by what they read from. */
async function outsideReads({ folder }: MachineView): Promise<string[]> {
  const images = (await ownFiles(folder)).filter((file) => file.endsWith('.qcow2'))
  const found = await Promise.all(images.map(async (file) => (JSON.parse(await qemuImg('info', '-U', '--output=json', join(folder, file))) as { 'backing-filename'?: string })['backing-filename']))
  return found.filter((name) => name?.includes('..') === true).map(String)
}

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

test('a full clone of a machine that runs is of one instant; the machine runs on, and nothing of it stays behind', async () => {
  const [id = ''] = await addMachines(at.library, [original()])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  const { run } = await machines.start(id)
  using console = await LedgerConsole.open(host, id)
  const before = await console.write(5)
  const clone = await machines.get(await clones.clone(request(id, 'copy')))
  const after = await console.next()
  expect(await machines.get(id)).toMatchObject({ state: 'running', task: null, run: { qemuPid: run?.qemuPid } })
  const number = await ledger(clone)
  expect(number).toBeGreaterThanOrEqual(before)
  expect(number).toBeLessThan(after)
  expect(clone.definition.origin).toMatchObject({ kind: 'full', snapshotId: null })
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  await console.verify()
  expect(await writeSome(host, clone.id)).toBeGreaterThan(number)
})

test('linked clones of a machine that runs stand on a snapshot of it, and one that nothing was written since serves as well', async () => {
  const [id = ''] = await addMachines(at.library, [original()])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  await machines.start(id)
  using console = await LedgerConsole.open(host, id)
  const before = await console.write(5)
  const one = await machines.get(await clones.clone(request(id, 'one', { kind: 'linked' })))
  expect(await ledger(one)).toBeGreaterThanOrEqual(before)
  await machines.pause(id)
  // It has written since.
  const two = await machines.get(await clones.clone(request(id, 'two', { kind: 'linked' })))
  const three = await machines.get(await clones.clone(request(id, 'three', { kind: 'linked' })))
  expect((await snapshots.tree(id)).snapshots.map(({ name, clones: on }) => [name, on.map((clone) => clone.name)])).toEqual([['Base of one', ['one']], ['Base of two', ['three', 'two']]])
  expect(await ledger(two)).toBe(await ledger(three))
  await machines.resume(id)
  await console.verify()
  expect(await writeSome(host, two.id)).toBeGreaterThan(await ledger(three))
})

test('warm clones of a template go on from its memory, several at once, each on its own disks; started cold they are machines like others', async () => {
  const [id = ''] = await addMachines(at.library, [original('golden')])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones } = host.calls
  await machines.start(id)
  let number: number
  {
    using console = await LedgerConsole.open(host, id)
    number = await console.write(5)
  }
  await clones.makeTemplate(id, { memory: true })
  const golden = await machines.get(id)
  expect(golden).toMatchObject({ state: 'saved', task: null, definition: { template: true } })
  const one = await machines.get(await clones.clone(request(id, 'one', { kind: 'linked', warm: true })))
  const two = await machines.get(await clones.clone(request(id, 'two', { kind: 'full', warm: true })))
  for (const clone of [one, two]) {
    expect(clone).toMatchObject({ state: 'saved', saved: { at: golden.saved?.at, sizeBytes: golden.saved?.sizeBytes } })
    // One file with several names.
    expect((await stat(join(clone.folder, 'saved/ram.state'))).ino).toBe((await stat(join(golden.folder, 'saved/ram.state'))).ino)
  }
  const running = [await machines.start(one.id), await machines.start(two.id)]
  for (const { id: clone, definition, run } of running) {
    expect(run?.notes).toContainEqual(expect.stringMatching(/“golden”.*52:54:00:00:00:01/u))
    expect(definition.nics[0]?.macAddress).not.toBe('52:54:00:00:00:01')
    using console = await LedgerConsole.open(host, clone)
    // Nobody has booted: it counts on where the original stopped, and its disks fit its memory.
    expect(await console.verify()).toBeGreaterThanOrEqual(number)
    await console.write(3)
    expect((await readFile(join((await machines.get(clone)).folder, 'logs/serial0.log'), 'latin1'))).not.toMatch(ledgerWords.kept)
  }
  await machines.powerOff(one.id)
  const cold = await machines.start(one.id)
  expect(cold.run?.notes.filter((note) => note.includes('52:54'))).toEqual([])
  using console = await LedgerConsole.open(host, one.id)
  // What its plug was pulled in the middle of is written again.
  await console.write(2)
  await console.verify()
  // The original's memory is still there for more.
  expect(await machines.get(id)).toMatchObject({ state: 'saved', saved: golden.saved })
  const three = await clones.clone(request(id, 'three', { kind: 'linked', warm: true }))
  await machines.start(three)
  using another = await LedgerConsole.open(host, three)
  expect(await another.verify()).toBeGreaterThanOrEqual(number)
})

test('of a machine that is saved: warm clones have the memory that was saved, not that of an earlier snapshot, and it can go on itself', async () => {
  const [id = ''] = await addMachines(at.library, [original()])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  await machines.start(id)
  {
    using console = await LedgerConsole.open(host, id)
    await console.write(3)
  }
  // From here on nothing is written, and memory alone goes on.
  await say(host, id, 'p')
  const { id: early } = await snapshots.take(id, { name: 'early', description: '', memory: true, quiesce: false })
  await say(host, id, 'Z')
  await machines.save(id)
  const warm = await machines.get(await clones.clone(request(id, 'warm', { kind: 'linked', warm: true })))
  const cold = await machines.get(await clones.clone(request(id, 'cold', { kind: 'linked' })))
  // Nothing was written since, so both stand on the snapshot that was there.
  expect((await snapshots.tree(id)).snapshots.map((each) => [each.name, each.clones.length])).toEqual([['early', 2]])
  for (const { definition } of [warm, cold]) expect(definition.origin?.snapshotId).toBe(early)
  expect([warm.state, cold.state]).toEqual(['saved', 'stopped'])
  await Promise.all([machines.start(warm.id), machines.start(cold.id), machines.start(id)])
  for (const each of [warm.id, id]) {
    await say(host, each, 'g', /n=\d{6}/u)
    await machines.pause(each)
    expect(ledgerOf(await content(await machines.get(each))).mark).toBe('Z')
    await machines.resume(each)
    using console = await LedgerConsole.open(host, each)
    await console.verify()
  }
  using console = await LedgerConsole.open(host, cold.id)
  await console.write(2)
  await console.verify()
})

test('a branch from the memory of a snapshot, while the machine that it was taken of runs on', async () => {
  const [id = ''] = await addMachines(at.library, [original()])
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, clones, snapshots } = host.calls
  await machines.start(id)
  using console = await LedgerConsole.open(host, id)
  const before = await console.write(3)
  const snapshot = await snapshots.take(id, { name: 'then', description: '', memory: true, quiesce: false })
  expect(snapshot.memory).not.toBeNull()
  const after = await console.write(5)
  const branch = await machines.get(await clones.clone(request(id, 'branch', { kind: 'linked', warm: true, snapshotId: snapshot.id })))
  expect(branch).toMatchObject({ state: 'saved', definition: { origin: { kind: 'linked', snapshotId: snapshot.id } } })
  await machines.start(branch.id)
  using there = await LedgerConsole.open(host, branch.id)
  const number = await there.verify()
  expect(number).toBeGreaterThanOrEqual(before)
  await there.write(2)
  expect(await console.verify()).toBeGreaterThanOrEqual(after)
  // From the present of what runs, too: its memory is kept for that.
  const now = await machines.get(await clones.clone(request(id, 'now', { kind: 'full', warm: true })))
  expect(now.state).toBe('saved')
  expect((await snapshots.tree(id)).snapshots.map(({ name }) => name)).toEqual(['then'])
  await machines.start(now.id)
  using third = await LedgerConsole.open(host, now.id)
  expect(await third.verify()).toBeGreaterThanOrEqual(after)
  expect(await console.verify()).toBeGreaterThan(after)
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

/** A file of so many MiB that no two blocks of are alike, so that copying it takes its time. */
async function bulk(path: string, mebibytes: number): Promise<void> {
  const file = await open(path, 'w')
  for (let index = 0; index < mebibytes; index += 1) await file.write(randomBytes(2 ** 20))
  await file.close()
}

async function addBulky(name: string, elsewhere: TemporaryFolder): Promise<string> {
  await bulk(elsewhere.in('bulk.raw'), 128)
  const [id = ''] = await addMachines(at.library, [{
    ...original(name),
    definition: { ...original().definition, disks: [...(original().definition?.disks ?? []), { id: 'bulk', image: { kind: 'own', path: 'disks/bulk.qcow2' }, format: 'qcow2', bus: 'sata' }] },
    async prepare(files) {
      await original().prepare?.(files)
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', elsewhere.in('bulk.raw'), join(files.disksFolder, 'bulk.qcow2'))
    },
  }])
  return id
}

test('progress is that of all disks, a cancel leaves nothing, and the machine’s plug can be pulled meanwhile', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const id = await addBulky('bulky', elsewhere)
  await using host = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = host.calls
  const { clones, jobs } = host.services
  const folders = async (): Promise<string[]> => (await readdir(dataPaths(at.library.data).library)).sort()
  const before = await folders()
  await machines.start(id)

  const seen: number[] = []
  const cancelled = jobs.run({ kind: 'machine.clone', title: 'cancelled', machineId: null, cancellable: true }, async (job) => {
    await clones.clone(request(id, 'cancelled'), { ...job, report: (fraction, step) => {
      job.report(fraction, step)
      if (fraction !== null && step.includes('bulk')) seen.push(fraction)
      if (seen.length === 3) jobs.cancel(cancelled.id)
    } })
  })
  expect(await jobs.ended(cancelled.id)).toMatchObject({ state: 'cancelled' })
  expect(await folders()).toEqual(before)
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  // The ledger's two disks are small beside it.
  expect(seen[0]).toBeLessThan(0.2)

  const copying = Promise.withResolvers<undefined>()
  const cloning = jobs.run({ kind: 'machine.clone', title: 'copy', machineId: null, cancellable: true }, async (job) => ({
    machineId: await clones.clone(request(id, 'copy'), { ...job, report: (_, step) => { if (step.includes('bulk')) copying.resolve(undefined) } }),
  }))
  await copying.promise
  await expect(machines.pause(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('being cloned') as string })
  const off = await machines.powerOff(id)
  expect(off).toMatchObject({ state: 'stopped', task: 'clone', crash: null })
  const { machineId, state } = await jobs.ended(cloning.id)
  expect(state).toBe('succeeded')
  expect((await snapshots.tree(id)).snapshots).toEqual([])
  expect(await writeSome(host, machineId ?? '')).toBeGreaterThan(0)
  expect(await writeSome(host, id)).toBeGreaterThan(0)
  expect(await checkImages(off.folder)).toEqual({})
})

test('kill -9 of the host in the middle of a clone leaves only what the next host clears away', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const id = await addBulky('bulky', elsewhere)
  const libraryFolder = dataPaths(at.library.data).library
  const first = await HostProcess.start(at.programs, at.library)
  await first.do('start', id)
  const cloning = first.calls.clones.clone(request(id, 'copy')).catch(() => undefined)
  const target = async (): Promise<string | undefined> => {
    for (const name of (await readdir(libraryFolder)).filter((one) => one.startsWith('.new-'))) {
      if ((await readdir(join(libraryFolder, name, 'disks')).catch((): string[] => [])).includes('bulk.qcow2')) return name
    }
    return undefined
  }
  await expect.poll(target, { interval: 10 }).toBeDefined()
  await first.kill()
  await cloning
  expect((await readdir(libraryFolder)).filter((name) => name.startsWith('.new-'))).toHaveLength(1)
  await using host = await OpenLibrary.open(at.programs, at.library)
  expect(await readdir(libraryFolder)).toHaveLength(1)
  // What was taken for it goes in the background.
  await expect.poll(async () => (await host.calls.snapshots.tree(id)).snapshots.length).toBe(0)
  using console = await LedgerConsole.open(host, id)
  await console.verify()
  expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running' })
  const clone = await host.calls.clones.clone(request(id, 'copy'))
  expect(await writeSome(host, clone)).toBeGreaterThan(0)
})
