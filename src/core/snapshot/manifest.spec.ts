import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { machineSchemaVersion, snapshotSchemaVersion } from '@shared/model'
import { type SnapshotFiles, snapshotFiles } from '../library'
import { Manifests, manifestFormat, parseManifest, writeManifest } from './manifest'
import { definitionOf, manifestOf, snapshotId } from './snapshot.fixture'

let folder: string
let files: SnapshotFiles
const id = snapshotId(1)
const manifest = manifestOf(1, { disk0: 'disks/disk0.qcow2' }, { description: 'As it was.' })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-manifest-'))
  files = snapshotFiles(folder, id)
  await mkdir(files.folder)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('what is written is read again', async () => {
  await writeManifest(files, manifest)
  expect(await new Manifests().read(files, id)).toEqual(manifest)
})

test('there is a migration for every version below the present one', () => {
  expect(Object.keys(manifestFormat.migrations).map(Number)).toEqual(Array.from({ length: snapshotSchemaVersion - 1 }, (_, index) => index + 1))
})

test('a definition of an older form is brought to the present one, that of the memory too', () => {
  const { snapshotParentId: _, template: __, origin: ___, snapshotPolicy: ____, ...old } = { ...definitionOf({ disk0: 'disks/disk0.qcow2' }), schemaVersion: 1 }
  const memory = { format: 'stream', compression: 'none', qemuVersion: '7.2.0', accelerator: 'tcg', definition: old }
  const parsed = parseManifest(JSON.stringify({ ...manifest, definition: old, memory }), '/snapshot.json', id)
  expect(parsed.definition).toEqual(definitionOf({ disk0: 'disks/disk0.qcow2' }))
  expect(parsed.memory?.definition.schemaVersion).toBe(machineSchemaVersion)
})

test('a definition from before there was more hardware means the same hardware now', () => {
  const old = {
    schemaVersion: 2, createdBy: 'ringside 0.1.0', id: manifest.definition.id, name: 'web', createdAt: '2026-01-01T00:00:00.000Z', osId: 'debian-12', machineType: 'pc-q35-7.2', firmware: { type: 'bios' },
    processors: { sockets: 1, cores: 2, threads: 1, model: 'auto' }, memoryMiB: 2048, boot: { order: ['disk0'], menu: false, kernel: null }, display: { model: 'virtio-vga' },
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', readOnly: false, cache: 'auto', discard: true }],
    nics: [{ id: 'nic0', model: 'e1000', macAddress: '52:54:00:00:00:01', backend: { type: 'user' } }],
  }
  expect(parseManifest(JSON.stringify({ ...manifest, definition: old }), '/snapshot.json', id).definition).toEqual({
    ...definitionOf({ disk0: 'disks/disk0.qcow2' }), boot: { order: ['disk0'], menu: false, kernel: null },
    nics: [{ id: 'nic0', model: 'e1000', macAddress: '52:54:00:00:00:01', backend: { type: 'user' }, linkUp: true, slot: null }],
  })
})

test.each([
  ['DEFINITION_NEWER', { schemaVersion: snapshotSchemaVersion + 1 }],
  ['DEFINITION_NEWER', { definition: { ...manifest.definition, schemaVersion: machineSchemaVersion + 1 } }],
  ['DEFINITION_DAMAGED', { id: snapshotId(2) }],
  ['DEFINITION_DAMAGED', { name: '' }],
  ['DEFINITION_DAMAGED', { definition: null }],
  ['DEFINITION_DAMAGED', { takenAt: 'yesterday' }],
])('%s: %j', (code, changes) => {
  expect(() => parseManifest(JSON.stringify({ ...manifest, ...changes }), '/snapshot.json', id)).toThrow(expect.objectContaining({ code }) as Error)
})

test.each(['', 'null', '[]', '{', '{"schemaVersion":1}'])('no record at all: %j', (text) => {
  expect(() => parseManifest(text, '/snapshot.json', id)).toThrow(expect.objectContaining({ code: 'DEFINITION_DAMAGED' }) as Error)
})

test('a record that somebody changes by hand is read anew', async () => {
  const manifests = new Manifests()
  await writeManifest(files, manifest)
  expect((await manifests.read(files, id)).name).toBe('Snapshot 1')
  await writeFile(files.manifest, (await readFile(files.manifest, 'utf8')).replace('"name": "Snapshot 1"', '"name": "Of my own"'))
  expect((await manifests.read(files, id)).name).toBe('Of my own')
  await rm(files.manifest)
  await expect(manifests.read(files, id)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
})

test('changes come one after the other, and one that fails keeps none from its turn', async () => {
  const manifests = new Manifests()
  await writeManifest(files, manifest)
  const changes = [1, 2, 3].map((number) => manifests.change(files, id, (now) => {
    if (number === 2) throw new Error('No.')
    return { ...now, description: `${now.description} ${String(number)}` }
  }))
  await Promise.allSettled(changes)
  expect((await manifests.read(files, id)).description).toBe('As it was. 1 3')
})
