import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { content, original, request, say } from './support/clone-machines'
import { ledgerWords } from './support/ledger-guest'
import { LedgerConsole } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines } from './support/real-host'
import { ledgerOf } from './support/sound-machine'
import { useLibrary } from './support/test-library'

const at = useLibrary()

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
