import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MachineDefinition, machineSchemaVersion, type SnapshotManifest } from '@shared/model'
import { machinePaths } from '../library'
import { makeQcow2 } from '../storage/images.fixture'
import { hasChanged } from './changed'
import { LayerReader } from './layer-file'
import { readLayers } from './layers'
import type { Survey } from './survey'

const snapshotId = '99999999-9999-4999-8999-999999999999'
let folder: string

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'ringside-changed-')))
  await mkdir(join(folder, 'disks'))
  await layer('disk0.qcow2', { written: true })
})

afterEach(() => rm(folder, { recursive: true }))

/** A layer of the machine's disk. @param below null: of a disk that reads from nothing */
async function layer(name: string, { below = null, written = false }: { below?: string | null; written?: boolean } = {}): Promise<void> {
  const options = below === null ? {} : { backingFile: below, backingFormat: 'qcow2' }
  await writeFile(join(folder, 'disks', name), makeQcow2({ ...options, ...(written ? { dataOffset: 5 * 65_536 } : {}) }))
}

type Changes = Partial<MachineDefinition>

function definition(disk: string, changes: Changes = {}): MachineDefinition {
  return MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'test', id: '00000001-0000-4000-8000-000000000000', name: 'web', createdAt: '2026-01-01T00:00:00.000Z', osId: 'other', machineType: 'q35',
    firmware: { type: 'bios' }, processors: { sockets: 1, cores: 1, threads: 1 }, memoryMiB: 16, boot: {}, display: { model: 'none' },
    disks: [{ id: 'disk0', image: { kind: 'own', path: `disks/${disk}` }, format: 'qcow2', bus: 'sata' }], ...changes,
  })
}

/** Whether a machine has changed since the snapshot whose disk is `then`. */
async function changed(now: string, then: string | null, changes: Changes = {}): Promise<boolean> {
  const stored = { definition: definition(now, { snapshotParentId: then === null ? null : snapshotId, ...changes }), paths: machinePaths(folder, '/run', '1') }
  const snapshots = new Map(then === null ? [] : [[snapshotId, { manifest: { id: snapshotId, parentId: null, definition: definition(then) } as SnapshotManifest }]])
  return hasChanged({ stored, folder, ...(await readLayers(new LayerReader(), folder, [])), snapshots } as unknown as Survey)
}

test('a machine without a snapshot always has', async () => {
  expect(await changed('disk0.qcow2', null)).toBe(true)
})

test('an empty layer upon the snapshot’s says no, a written one yes', async () => {
  await layer('disk0.00000001.qcow2', { below: 'disk0.qcow2' })
  expect(await changed('disk0.00000001.qcow2', 'disk0.qcow2')).toBe(false)
  await layer('disk0.00000001.qcow2', { below: 'disk0.qcow2', written: true })
  expect(await changed('disk0.00000001.qcow2', 'disk0.qcow2')).toBe(true)
})

test('any layer between counts: QEMU may write below an empty one that was to follow', async () => {
  await layer('disk0.00000001.qcow2', { below: 'disk0.qcow2', written: true })
  await layer('disk0.00000002.qcow2', { below: 'disk0.00000001.qcow2' })
  expect(await changed('disk0.00000002.qcow2', 'disk0.qcow2')).toBe(true)
  await layer('disk0.00000001.qcow2', { below: 'disk0.qcow2' })
  expect(await changed('disk0.00000002.qcow2', 'disk0.qcow2')).toBe(false)
})

test('what can’t be read counts as written', async () => {
  await writeFile(join(folder, 'disks/disk0.00000001.qcow2'), 'no image')
  expect(await changed('disk0.00000001.qcow2', 'disk0.qcow2')).toBe(true)
  expect(await changed('missing.qcow2', 'disk0.qcow2')).toBe(true)
})

test('another hardware is a change, another name is none', async () => {
  await layer('disk0.00000001.qcow2', { below: 'disk0.qcow2' })
  const now = (changes: Changes): Promise<boolean> => changed('disk0.00000001.qcow2', 'disk0.qcow2', changes)
  expect(await now({ name: 'shop', notes: 'moved', snapshotPolicy: { every: 'day', keep: { hourly: 0, daily: 1, weekly: 0 }, memory: false } })).toBe(false)
  expect(await now({ memoryMiB: 32 })).toBe(true)
  expect(await now({ cdroms: [{ id: 'cd0', image: { kind: 'external', path: '/iso/setup.iso' }, bus: 'sata' }] })).toBe(true)
  expect(await now({ disks: [] })).toBe(true)
})
