import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MachineDefinition, type MachineOrigin, machineSchemaVersion } from '@shared/model'
import type { MachineLibrary, StoredMachine } from '../app/services'
import { machinePaths } from '../library'
import { requireFrozen } from '../library/base-folders'
import { LayerReader } from '../snapshot/layer-file'
import { makeQcow2 } from '../storage/images.fixture'
import { guardClones } from './guarded-library'
import { findClonesOfPresent, findLinkedClones, type ReaderSearch, requireNoClones } from './linked-clones'

let libraryFolder: string
let machines: StoredMachine[]
let search: ReaderSearch

beforeEach(async () => {
  libraryFolder = await mkdtemp(join(tmpdir(), 'ringside-clones-'))
  machines = []
  search = {
    library: { list: () => machines, get: (id) => machines.find(({ definition }) => definition.id === id) ?? (() => { throw new Error('no machine') })() },
    libraryFolder, layers: new LayerReader(),
  }
})

afterEach(() => rm(libraryFolder, { recursive: true }))

const id = (index: number): string => `0000000${String(index)}-0000-4000-8000-000000000000`

/** A machine in the library, whose one disk reads from another folder when told so. */
async function add(index: number, name: string, more: { origin?: MachineOrigin; reads?: string; template?: boolean; known?: boolean } = {}): Promise<void> {
  const folder = join(libraryFolder, `${name}-0000000${String(index)}`)
  await mkdir(join(folder, 'disks'), { recursive: true })
  await writeFile(join(folder, 'disks/disk0.qcow2'), makeQcow2(more.reads === undefined ? {} : { backingFile: more.reads, backingFormat: 'qcow2' }))
  const definition = MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'test', id: id(index), name, createdAt: '2026-01-01T00:00:00.000Z', osId: 'other', machineType: 'q35', firmware: { type: 'bios' },
    processors: { sockets: 1, cores: 1, threads: 1 }, memoryMiB: 16, boot: {}, display: { model: 'none' }, template: more.template ?? false, origin: more.origin ?? null,
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'sata' }],
  })
  if (more.known !== false) machines.push({ definition, paths: machinePaths(folder, '/run', definition.id) })
}

const origin = (index: number, snapshotId: string | null = null, kind: MachineOrigin['kind'] = 'linked'): MachineOrigin => ({ kind, machineId: id(index), machineName: 'golden', snapshotId })
const top = '../../golden-00000001/disks/disk0.qcow2'

test('clones are known by their files and by their definitions, each alone being enough', async () => {
  await add(1, 'golden')
  await add(2, 'by both', { origin: origin(1), reads: top })
  await add(3, 'by its file', { reads: top })
  await add(4, 'by its definition', { origin: origin(1), reads: 'gone.qcow2' })
  await add(5, 'unreadable', { reads: top, known: false })
  await add(6, 'copy', { origin: origin(1, null, 'full') })
  await add(7, 'of another', { origin: origin(2), reads: '../../by both-00000002/disks/disk0.qcow2' })
  expect(await findLinkedClones(search, id(1))).toEqual([
    { id: id(2), name: 'by both' }, { id: id(4), name: 'by its definition' }, { id: id(3), name: 'by its file' },
    // Whose definition can't be opened is called by its folder.
    { id: '00000000-0000-0000-0000-000000000000', name: 'unreadable-00000005' },
  ])
  expect(await findLinkedClones(search, id(2))).toEqual([{ id: id(7), name: 'of another' }])
  expect(await findLinkedClones(search, id(6))).toEqual([])
})

test('those that stand on a snapshot do not stand on the present', async () => {
  await add(1, 'golden')
  await writeFile(join(libraryFolder, 'golden-00000001/disks/disk0.1234abcd.qcow2'), makeQcow2())
  await add(2, 'on the present', { origin: origin(1), reads: top })
  await add(3, 'on a snapshot', { origin: origin(1, '99999999-9999-4999-8999-999999999999'), reads: '../../golden-00000001/disks/disk0.1234abcd.qcow2' })
  expect((await findLinkedClones(search, id(1))).map(({ name }) => name)).toEqual(['on a snapshot', 'on the present'])
  expect((await findClonesOfPresent(search, id(1))).map(({ name }) => name)).toEqual(['on the present'])
})

test('refusals name the clones', () => {
  const clones = [{ id: id(2), name: 'one' }, { id: id(3), name: 'two' }]
  expect(() => { requireNoClones('golden', [], 'deleted') }).not.toThrow()
  expect(() => { requireNoClones('golden', clones.slice(0, 1), 'deleted') }).toThrow('“golden” can\'t be deleted. A linked clone reads from its disks: “one”.')
  expect(() => { requireNoClones('golden', clones, 'deleted') }).toThrow('“golden” can\'t be deleted. 2 linked clones read from its disks: “one”, “two”.')
})

test('a guarded library deletes only what nobody reads from, and does all else as before', async () => {
  await add(1, 'golden')
  await add(2, 'clone', { origin: origin(1), reads: top })
  const removed: string[] = []
  const plan = { folder: '', bytes: 0, deletes: [], keeps: [], toTrash: false }
  const plain = {
    ...search.library, problems: () => [], onChange: () => () => undefined,
    deletePlan: () => Promise.resolve(plan),
    remove: (which: string) => { removed.push(which); return Promise.resolve({ trashed: true }) },
  } as unknown as MachineLibrary
  const guarded = guardClones(plain, search)
  await expect(guarded.deletePlan(id(1))).rejects.toMatchObject({ code: 'DISK_IN_USE', message: expect.stringContaining('“clone”') as string })
  await expect(guarded.remove(id(1), { permanently: true })).rejects.toMatchObject({ code: 'DISK_IN_USE' })
  expect(removed).toEqual([])
  expect(await guarded.deletePlan(id(2))).toBe(plan)
  expect(await guarded.remove(id(2), { permanently: true })).toEqual({ trashed: true })
  expect(removed).toEqual([id(2)])
  expect(guarded.list()).toBe(machines)
})

test('neither a template that was turned back by hand nor its clones are started', async () => {
  await add(1, 'golden', { template: true })
  await add(2, 'clone', { origin: origin(1) })
  await add(3, 'on a snapshot', { origin: origin(1, '99999999-9999-4999-8999-999999999999') })
  const start = (index: number) => () => { requireFrozen(search.library, search.library.get(id(index)).definition) }
  for (const index of [1, 2, 3]) expect(start(index)).not.toThrow()
  machines = machines.map((machine) => (machine.definition.id === id(1) ? { ...machine, definition: { ...machine.definition, template: false } } : machine))
  expect(start(1)).toThrow(expect.objectContaining({ code: 'DISK_IN_USE', message: expect.stringMatching(/was a template.*“clone”/u) as string }))
  expect(start(2)).toThrow(expect.objectContaining({ code: 'DISK_IN_USE', message: expect.stringContaining('no template any more') as string }))
  expect(start(3)).not.toThrow()
})
