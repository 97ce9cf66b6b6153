import { appendFile, copyFile, mkdir, readdir, readFile, rename, symlink, truncate, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { SnapshotService } from '@core/snapshot'
import { OpenLibrary } from './support/open-library'
import { addCounters, type NewMachine } from './support/real-host'
import { SnapshotBench, bytesOf, places, reverting, shape, taking } from './support/snapshot-bench'
import { checkImages, digests, readDisks } from './support/sound-machine'
import { StepHooks } from './support/step-hooks'
import { qemuImg } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* Snapshots of machines that are not as they should be. */

const at = useLibrary()
const set = (machine?: NewMachine, hooks?: StepHooks): Promise<SnapshotBench> => SnapshotBench.set(at, machine, hooks)

test('disks that snapshots can’t hold are named, brought in when asked, and their original files stay', async () => {
  const [id = ''] = await addCounters(at.library, ['Raw'])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = open.calls
  const { folder } = await machines.get(id)
  const outside = join(at.library.data, 'outside.vmdk')
  await qemuImg('create', '-q', '-f', 'vmdk', outside, '4M')
  const linked = join(at.library.data, 'linked.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', linked, '4M')
  await symlink(linked, join(folder, 'disks', 'linked.qcow2'))
  await open.services.library.update(id, (definition) => ({
    ...definition,
    disks: [
      ...definition.disks,
      { id: 'outside', image: { kind: 'external', path: outside }, format: 'vmdk', bus: 'sata', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false },
      { id: 'linked', image: { kind: 'own', path: 'disks/linked.qcow2' }, format: 'qcow2', bus: 'sata', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false },
      { id: 'manual', image: { kind: 'external', path: join(at.library.data, 'manual.iso') }, format: 'raw', bus: 'sata', readOnly: true, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false },
    ],
  }))
  expect(await snapshots.plan(id)).toMatchObject({
    memory: { method: 'none', reason: null }, freeze: { available: false }, issues: [],
    obstacles: [
      { diskId: 'disk0', convertible: true, reason: expect.stringContaining('raw') as string, bytes: expect.any(Number) as number },
      { diskId: 'outside', convertible: true, reason: expect.stringContaining('outside') as string },
      { diskId: 'linked', convertible: true, reason: expect.stringContaining('link') as string },
    ],
  })
  await expect(snapshots.take(id, { ...taking, name: 'No' })).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED', data: { hint: expect.stringContaining('Convert') as string } })
  const before = digests({ raw: await readFile(join(folder, 'disks', 'disk0.raw')), outside: await readFile(outside), linked: await readFile(linked) })

  await snapshots.convertDisks(id)
  const { definition } = await machines.get(id)
  expect(definition.disks.map(({ image, format }) => [image.path, format])).toEqual([
    ['disks/disk0.qcow2', 'qcow2'], ['disks/outside.qcow2', 'qcow2'], [expect.stringMatching(/^disks\/linked\.[0-9a-f]{8}\.qcow2$/u) as string, 'qcow2'], [join(at.library.data, 'manual.iso'), 'raw'],
  ])
  expect(digests({ raw: await readFile(join(folder, 'disks', 'disk0.raw')), outside: await readFile(outside), linked: await readFile(linked) })).toEqual(before)
  expect(await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', join(folder, 'disks', 'disk0.raw'), join(folder, 'disks', 'disk0.qcow2'))).toContain('identical')
  expect(await snapshots.plan(id)).toMatchObject({ obstacles: [] })
  await expect(snapshots.convertDisks(id)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await open.services.library.update(id, (now) => ({ ...now, disks: now.disks.filter((disk) => disk.id !== 'manual') }))
  await snapshots.take(id, { ...taking, name: 'Converted' })
  // What was converted is left over now, and only goes when a person says so.
  expect((await snapshots.tree(id)).orphans.map(({ path }) => path).toSorted()).toEqual(['disks/disk0.raw', 'disks/linked.qcow2'])
  await snapshots.cleanUp(id, ['disks/disk0.raw', 'disks/linked.qcow2'], { permanently: true })
  // The link went, and not what it led to.
  expect(digests({ outside: await readFile(outside), linked: await readFile(linked) })).toEqual({ outside: before['outside'], linked: before['linked'] })
  expect(await checkImages(folder)).toEqual({})
})

test('a conversion that fails or is cancelled leaves the machine and its folder as they were', async () => {
  const hooks = new StepHooks()
  const [id = ''] = await addCounters(at.library, ['Raw'])
  await using open = await OpenLibrary.open(at.programs, at.library, hooks)
  const { machines, snapshots } = open.calls
  const { folder } = await machines.get(id)
  const thief = join(at.library.data, 'thief.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', '/etc/passwd', '-F', 'raw', thief, '4M')
  await open.services.library.update(id, (definition) => ({
    ...definition, disks: [...definition.disks, { id: 'thief', image: { kind: 'external', path: thief }, format: 'qcow2', bus: 'sata', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false }],
  }))
  const { definition } = await machines.get(id)
  await expect(snapshots.convertDisks(id)).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  expect(await readdir(join(folder, 'disks'))).toEqual(['disk0.raw'])
  expect(await machines.get(id)).toMatchObject({ definition: { disks: definition.disks }, state: 'stopped', task: null })

  await open.services.library.update(id, (now) => ({ ...now, disks: now.disks.filter((disk) => disk.id !== 'thief') }))
  const abort = new AbortController()
  const steps: string[] = []
  const converting = hooks.during(() => { abort.abort() }, () => open.services.snapshots.convertDisks(id, { signal: abort.signal, report: (_, step) => { steps.push(step) } }))
  await expect(converting).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(steps).toContain('Converting “disk0”')
  expect(await readdir(join(folder, 'disks'))).toEqual(['disk0.raw'])
  expect((await machines.get(id)).definition.disks).toMatchObject([{ format: 'raw' }])
})

test('what belongs to nothing is listed with what it seems to be, goes when a person says so, and nothing else goes', async () => {
  await using bench = await set()
  const kept = await bench.take('Kept')
  const { folder } = await bench.get()
  const disks = join(folder, 'disks')
  await writeFile(join(disks, 'note.txt'), 'mine')
  await mkdir(join(disks, 'old'))
  await writeFile(join(disks, 'old', 'disk.vdi'), Buffer.alloc(8192))
  const top = (await bench.get()).definition.disks[1]?.image.path ?? ''
  await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', basename(top), '-F', 'qcow2', join(disks, 'data.0000dead.qcow2'), '16M')
  const cutOff = join(folder, 'snapshots', '6f6c1b0e-9c5c-4a35-8d4e-1f2f3c4d5e6f')
  await mkdir(cutOff)
  await writeFile(join(cutOff, 'ram.state.partial'), Buffer.alloc(100_000))
  await writeFile(join(folder, 'snapshots', kept.id, 'ram.state.partial'), 'cut off')
  const tree = await bench.tree()
  expect(Object.fromEntries(tree.orphans.map(({ path, about }) => [path, about]))).toEqual({
    'disks/note.txt': 'A file that neither the machine nor a snapshot uses.',
    'disks/old': 'A folder that nothing of this machine uses.',
    'disks/data.0000dead.qcow2': 'A layer of disk “data” that neither the machine nor a snapshot uses; something that was cut off has left it.',
    'snapshots/6f6c1b0e-9c5c-4a35-8d4e-1f2f3c4d5e6f': 'A snapshot that was cut off before it was whole.',
    [`snapshots/${kept.id}/ram.state.partial`]: 'A file in the folder of a snapshot that is no part of it (ram.state.partial).',
  })
  expect(tree.orphans[0]).toMatchObject({ path: 'disks/data.0000dead.qcow2' })

  for (const path of ['machine.json', 'disks/data.qcow2', 'disks/../machine.json', top, `snapshots/${kept.id}`, 'disks/none']) {
    await expect(bench.snapshots.cleanUp(bench.id, ['disks/note.txt', path], { permanently: true }), path).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  }
  await expect(bench.snapshots.cleanUp(bench.id, ['disks/note.txt'], { permanently: false })).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
  expect(await readFile(join(disks, 'note.txt'), 'utf8')).toBe('mine')
  const trashed: string[] = []
  const { services } = bench.open
  const withTrash = new SnapshotService({
    ...(services.snapshots as SnapshotService).context,
    trash: async (path) => {
      trashed.push(path)
      await rename(path, join(at.library.data, 'trashed'))
    },
  })
  await withTrash.cleanUp(bench.id, ['disks/old'], { permanently: false }, { signal: new AbortController().signal, report: () => undefined })
  await withTrash.close()
  expect(trashed).toEqual([join(disks, 'old')])
  expect(await readdir(join(at.library.data, 'trashed'))).toEqual(['disk.vdi'])
  const left = tree.orphans.filter(({ path }) => path !== 'disks/old')
  const { freedBytes } = await bench.snapshots.cleanUp(bench.id, left.map(({ path }) => path), { permanently: true })
  expect(freedBytes).toBe(left.reduce((sum, { bytes }) => sum + bytes, 0))
  expect(await bench.tree()).toMatchObject({ orphans: [], problems: [] })
  expect(await bench.readSnapshot(kept.id)).toEqual(places({}))
  await bench.sound()
})

test('a record that is damaged or of a newer version is told and left, its layers are no left-overs, and the others can be used and deleted', async () => {
  await using bench = await set()
  await bench.write(1, 0)
  const damaged = await bench.take('Damaged')
  await bench.write(2, 1)
  const newer = await bench.take('Newer')
  await bench.write(3, 2)
  const whole = await bench.take('Whole')
  const { folder } = await bench.get()
  const record = (id: string): string => join(folder, 'snapshots', id, 'snapshot.json')
  const [damagedText, newerText] = [await readFile(record(damaged.id), 'utf8'), await readFile(record(newer.id), 'utf8')]
  await truncate(record(damaged.id), damagedText.length - 40)
  await writeFile(record(newer.id), newerText.replace('"schemaVersion": 1,', '"schemaVersion": 99,'))
  const tree = await bench.tree()
  expect(shape(tree)).toEqual(['Whole < -'])
  expect(tree.orphans).toEqual([])
  expect(tree.problems.map(({ path, code }) => [path, code]).toSorted()).toEqual([[record(damaged.id), 'DEFINITION_DAMAGED'], [record(newer.id), 'DEFINITION_NEWER']].toSorted())
  await expect(bench.revert(damaged.id)).rejects.toMatchObject({ code: 'DEFINITION_DAMAGED' })
  await expect(bench.delete(newer.id)).rejects.toMatchObject({ code: 'DEFINITION_NEWER' })
  await bench.delete(whole.id)
  // The owner has mended both: nothing of them was lost.
  await writeFile(record(damaged.id), damagedText)
  await writeFile(record(newer.id), newerText)
  expect(shape(await bench.tree())).toEqual(['Damaged < -', 'Newer < Damaged'])
  expect(await bench.readSnapshot(damaged.id)).toEqual(places({ 0: 1 }))
  expect(await bench.readSnapshot(newer.id)).toEqual(places({ 0: 1, 1: 2 }))
  expect(await bench.read()).toEqual(places({ 0: 1, 1: 2, 2: 3 }))
  await bench.sound()
})

test('a record without any sense in it keeps every hidden layer from being touched', async () => {
  await using bench = await set()
  await bench.write(1, 0)
  const lost = await bench.take('Lost')
  await bench.write(2, 1)
  const other = await bench.take('Other')
  const { folder } = await bench.get()
  const record = join(folder, 'snapshots', lost.id, 'snapshot.json')
  const text = await readFile(record, 'utf8')
  await writeFile(record, '')
  await bench.delete(other.id)
  expect((await bench.tree()).orphans).toEqual([])
  await writeFile(record, text)
  expect(await bench.readSnapshot(lost.id)).toEqual(places({ 0: 1 }))
  expect(await bench.read()).toEqual(places({ 0: 1, 1: 2 }))
})

test('a layer that is gone is a problem of the snapshots that need it, which are refused and can be deleted', async () => {
  await using bench = await set()
  const snapshot = await bench.take('Broken')
  await bench.write(1, 0)
  const { folder } = await bench.get()
  await rename(join(folder, 'disks', 'data.qcow2'), join(folder, 'data.aside'))
  expect(await bench.tree()).toMatchObject({ snapshots: [{ name: 'Broken' }], problems: [{ code: 'FILE_NOT_FOUND', message: expect.stringContaining('data.qcow2') as string }] })
  await expect(bench.revert(snapshot.id)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await rename(join(folder, 'data.aside'), join(folder, 'disks', 'data.qcow2'))
  await bench.revert(snapshot.id, { start: false })
  expect(await bench.read()).toEqual(places({}))
})

test('names are unique within a machine, whatever their case, and can be changed while it runs', async () => {
  await using bench = await set()
  const first = await bench.take('Before the update')
  await expect(bench.take('before THE update')).rejects.toMatchObject({ code: 'NAME_TAKEN' })
  const second = await bench.take('After')
  await expect(bench.snapshots.change(bench.id, second.id, { name: 'BEFORE the update' })).rejects.toMatchObject({ code: 'NAME_TAKEN' })
  await expect(bench.revert(first.id, { keepPresent: 'after' })).rejects.toMatchObject({ code: 'NAME_TAKEN' })
  await bench.machines.start(bench.id)
  expect(await bench.snapshots.change(bench.id, second.id, { name: 'AFTER', description: 'It works.' })).toMatchObject({ name: 'AFTER', description: 'It works.', parentId: first.id })
  await expect(bench.snapshots.change(bench.id, second.id, { name: 'two\nlines' })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await expect(bench.snapshots.change(bench.id, crypto.randomUUID(), { name: 'Nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect((await bench.tree()).snapshots.map(({ name }) => name)).toEqual(['Before the update', 'AFTER'])
})

test('a machine whose folder is a mess opens, and its snapshots can be used', async () => {
  const bench = await set()
  await bench.write(1, 0)
  const snapshot = await bench.take('Whole')
  const { folder } = await bench.get()
  await bench.open.close()
  await writeFile(join(folder, 'disks', 'zero.qcow2'), '')
  await writeFile(join(folder, 'disks', 'cut.0000beef.qcow2'), (await readFile(join(folder, 'disks', 'data.qcow2'))).subarray(0, 50))
  await symlink('/dev/zero', join(folder, 'disks', 'zero'))
  await symlink(join(folder, 'disks'), join(folder, 'firmware', 'circle'))
  await writeFile(join(folder, 'snapshots', 'a file'), '')
  await mkdir(join(folder, 'snapshots', 'a copy of a snapshot'))
  await copyFile(join(folder, 'snapshots', snapshot.id, 'snapshot.json'), join(folder, 'snapshots', 'a copy of a snapshot', 'snapshot.json'))
  await mkdir(join(folder, 'snapshots', '.deleted-nonsense'))
  await appendFile(join(dirname(folder), 'a file beside'), '')
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { snapshots } = open.calls
  const tree = await snapshots.tree(bench.id)
  expect(tree.snapshots).toMatchObject([{ name: 'Whole' }])
  expect(tree.problems).toMatchObject([{ code: 'DEFINITION_DAMAGED', message: expect.stringContaining('copied or renamed') as string }])
  // What the cut one reads from can't be told, perhaps the empty one: only the cut one may go.
  expect(tree.orphans.map(({ path }) => path)).toEqual(expect.arrayContaining(['disks/cut.0000beef.qcow2', 'disks/zero', 'firmware/circle', 'snapshots/a file']))
  await snapshots.revert(bench.id, { ...reverting, start: false, snapshotId: snapshot.id })
  const { definition } = await open.calls.machines.get(bench.id)
  expect(bytesOf((await readDisks(folder, definition))['data'])).toEqual(places({ 0: 1 }))
})
