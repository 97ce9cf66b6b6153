import { chmod, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeQcow2, type Qcow2Options } from '../storage/images.fixture'
import { LayerReader } from './layer-file'
import type { LayerGraph } from './layer-graph'
import { readLayers } from './layers'
import { machineIn, outsideReaders } from './readers'

let library: string
let machine: string

beforeEach(async () => {
  library = await realpath(await mkdtemp(join(tmpdir(), 'ringside-layers-')))
  machine = join(library, 'web-00000001')
})
afterEach(() => rm(library, { recursive: true, force: true }))

async function put(path: string, content: Buffer | string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return path
}

function layer(own: string, options: Qcow2Options = {}, folder = machine): Promise<string> {
  return put(join(folder, own), makeQcow2({ ...(options.backingFile === undefined ? {} : { backingFormat: 'qcow2' }), ...options }))
}

async function graph(bases: string[] = []): Promise<LayerGraph> {
  return (await readLayers(new LayerReader(), machine, bases)).graph
}

const names = (layers: Iterable<{ own: string | null; path: string }>): string[] => [...layers].map(({ own, path }) => own ?? path)

test('layers are found in their order, with who reads from whom, and what else lies there is listed', async () => {
  await layer('disks/disk0.qcow2')
  await layer('disks/disk0.00000001.qcow2', { backingFile: 'disk0.qcow2' })
  await layer('disks/disk0.00000002.qcow2', { backingFile: 'disk0.00000001.qcow2' })
  await layer('disks/disk0.00000003.qcow2', { backingFile: 'disk0.00000001.qcow2' })
  await layer('firmware/nvram.qcow2')
  await put(join(machine, 'disks/note.txt'), 'mine')
  await put(join(machine, 'disks/old/disk.qcow2'), makeQcow2())
  await symlink(join(library, 'elsewhere'), join(machine, 'disks/link.qcow2'))
  const { graph, entries } = await readLayers(new LayerReader(), machine, [])
  const top = graph.own('disks/disk0.00000002.qcow2')
  expect(names(graph.downFrom(top?.path ?? ''))).toEqual(['disks/disk0.00000002.qcow2', 'disks/disk0.00000001.qcow2', 'disks/disk0.qcow2'])
  expect(names(graph.readersOf(graph.own('disks/disk0.00000001.qcow2')?.path ?? '')).toSorted()).toEqual(['disks/disk0.00000002.qcow2', 'disks/disk0.00000003.qcow2'])
  expect(top).toMatchObject({ virtualBytes: 1024 * 1024, format: 'qcow2', fault: null, dirty: false })
  expect(graph.own('disks/note.txt')).toMatchObject({ format: 'other', fault: null, below: null })
  expect(graph.faultBelow(top?.path ?? '')).toBeNull()
  expect(entries.map(({ own, kind }) => `${kind} ${own}`).toSorted()).toEqual([
    'file disks/disk0.00000001.qcow2', 'file disks/disk0.00000002.qcow2', 'file disks/disk0.00000003.qcow2', 'file disks/disk0.qcow2',
    'file disks/note.txt', 'file firmware/nvram.qcow2', 'folder disks/old', 'other disks/link.qcow2',
  ])
})

test('a machine without any of its folders has no layers', async () => {
  await mkdir(machine)
  expect(await readLayers(new LayerReader(), machine, [])).toMatchObject({ entries: [] })
})

test('damaged and foreign files are told with what is wrong with them, and the others are read all the same', async () => {
  await layer('disks/a.qcow2')
  await layer('disks/corrupt.qcow2', { features: 2n, backingFile: 'a.qcow2' })
  await layer('disks/newer.qcow2', { version: 9 })
  await layer('disks/data.qcow2', { dataFile: '/etc/passwd' })
  await layer('disks/guess.qcow2', { backingFile: 'a.qcow2', backingFormat: '' })
  await layer('disks/net.qcow2', { backingFile: 'nbd:localhost:1' })
  await put(join(machine, 'disks/short.qcow2'), makeQcow2().subarray(0, 40))
  await put(join(machine, 'disks/cut.qcow2'), makeQcow2().subarray(0, 70_000))
  const found = await graph()
  const fault = (own: string): string | null => found.own(`disks/${own}.qcow2`)?.fault ?? null
  expect(fault('a')).toBeNull()
  expect(fault('corrupt')).toContain('corrupt')
  expect(fault('newer')).toContain('version')
  expect(fault('data')).toContain('another file')
  expect(fault('guess')).toContain('format')
  expect(fault('net')).toContain('no file')
  expect(fault('short')).toContain('damaged')
  expect(fault('cut')).toContain('cut short')
  // What a faulty layer reads from is used by it.
  expect(names(found.readersOf(found.own('disks/a.qcow2')?.path ?? ''))).toContain('disks/corrupt.qcow2')
  expect(found.isBlind).toBe(true)
})

test('a file that is missing below, one that leads in a circle and one that is outside are told', async () => {
  await layer('disks/lost.qcow2', { backingFile: 'gone.qcow2' })
  await layer('disks/one.qcow2', { backingFile: 'two.qcow2' })
  await layer('disks/two.qcow2', { backingFile: 'one.qcow2' })
  await layer('disks/thief.qcow2', { backingFile: '../../secret.qcow2' })
  await put(join(library, 'secret.qcow2'), makeQcow2())
  const found = await graph()
  const fault = (own: string): string | null => found.faultBelow(found.own(own)?.path ?? '')
  expect(fault('disks/lost.qcow2')).toContain('gone.qcow2')
  expect(fault('disks/one.qcow2')).toContain('itself')
  expect(fault('disks/thief.qcow2')).toContain('secret.qcow2')
  expect(names(found.downFrom(found.own('disks/thief.qcow2')?.path ?? ''))).toEqual(['disks/thief.qcow2'])
})

test('a linked clone reads on in the folders of its originals, and in no others', async () => {
  const original = join(library, 'original-00000002')
  await layer('disks/disk0.qcow2', {}, original)
  await layer('disks/disk0.0000000a.qcow2', { backingFile: 'disk0.qcow2' }, original)
  await layer('disks/disk0.0000000b.qcow2', { backingFile: '../../original-00000002/disks/disk0.0000000a.qcow2' })
  const top = (found: LayerGraph): string => found.own('disks/disk0.0000000b.qcow2')?.path ?? ''
  const allowed = await graph([original])
  expect(names(allowed.downFrom(top(allowed)))).toEqual(['disks/disk0.0000000b.qcow2', join(original, 'disks/disk0.0000000a.qcow2'), join(original, 'disks/disk0.qcow2')])
  expect(allowed.ownLayers()).toHaveLength(1)
  const refused = await graph()
  expect(refused.faultBelow(top(refused))).toContain('original-00000002')
})

test('the library may be reached by a link', async () => {
  await layer('disks/disk0.qcow2')
  await layer('disks/disk0.00000001.qcow2', { backingFile: join(machine, 'disks/disk0.qcow2') })
  const link = `${library}-link`
  await symlink(library, link)
  try {
    const { graph } = await readLayers(new LayerReader(), join(link, 'web-00000001'), [])
    expect(names(graph.downFrom(graph.own('disks/disk0.00000001.qcow2')?.path ?? ''))).toEqual(['disks/disk0.00000001.qcow2', 'disks/disk0.qcow2'])
  } finally {
    await rm(link)
  }
})

test('a header that changes is read anew, also within the time that its file system tells apart', async () => {
  const reader = new LayerReader()
  const path = await layer('disks/disk0.qcow2', { backingFile: 'a.qcow2' })
  for (const name of ['a', 'b', 'c', 'd']) {
    await writeFile(path, makeQcow2({ backingFile: `${name}.qcow2`, backingFormat: 'qcow2' }))
    expect((await reader.read(path))?.backing?.name).toBe(`${name}.qcow2`)
  }
  await layer('disks/other.qcow2', { backingFile: 'e.qcow2' })
  await rename(join(machine, 'disks/other.qcow2'), path)
  expect((await reader.read(path))?.backing?.name).toBe('e.qcow2')
  await rm(path)
  expect(await reader.read(path)).toBeNull()
})

test('whoever in the library reads from a machine is found by headers alone, and told by name as far as it has one', async () => {
  await layer('disks/disk0.qcow2')
  await layer('disks/disk0.00000001.qcow2', { backingFile: 'disk0.qcow2' })
  const backingFile = '../../web-00000001/disks/disk0.00000001.qcow2'
  const clone = join(library, 'clone-00000003')
  await layer('disks/disk0.0000000b.qcow2', { backingFile }, clone)
  await put(join(clone, 'machine.json'), '{"id":"8f14e45f-ceea-467f-a7e6-3b2b0e0c0f3a","name":"The clone","nonsense":')
  const named = join(library, 'named-00000004')
  await layer('firmware/nvram.0000000b.qcow2', { backingFile: '../../web-00000001/disks/disk0.qcow2' }, named)
  await put(join(named, 'machine.json'), '{"id":"8f14e45f-ceea-467f-a7e6-3b2b0e0c0f3a","name":"Of a newer version","schemaVersion":99}')
  await layer('disks/disk0.qcow2', { backingFile }, join(library, '.new-00000005'))
  await layer('disks/disk0.qcow2', { backingFile: 'base.qcow2' }, join(library, 'stranger-00000006'))
  await put(join(library, 'a file'), 'of the user')
  await layer('disks/disk0.qcow2', { backingFile }, join(library, 'locked-00000007'))
  await chmod(join(library, 'locked-00000007'), 0)

  const found = await outsideReaders(new LayerReader(), library, machine)
  await chmod(join(library, 'locked-00000007'), 0o700)
  const expected = [['.new-00000005', 'disk0.00000001'], ['clone-00000003', 'disk0.00000001'], ['named-00000004', 'disk0']]
  // Root may look into any folder.
  if (process.getuid?.() === 0) expected.splice(2, 0, ['locked-00000007', 'disk0.00000001'])
  expect(found.map(({ folder, reads }) => [folder.slice(library.length + 1), reads.slice(machine.length + 7, -6)]).toSorted()).toEqual(expected.toSorted())
  const none = { list: () => [] }
  expect((await machineIn(none, named)).name).toBe('Of a newer version')
  expect((await machineIn(none, clone)).name).toBe('clone-00000003')
})
