import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isRingsideError } from '@shared/errors'
import { type BackupManifest, backupSchemaVersion, MachineDefinition, machineSchemaVersion } from '@shared/model'
import { chainOf, findSet, manifestFormat, parseBackup, readSet, readSets, setFolderOf } from './backup-set'

const machineId = '1a2b3c4d-0000-4000-8000-000000000001'
const ids = ['20261101T100000Z-00000001', '20261102T100000Z-00000002', '20261103T100000Z-00000003']
const sum = 'a'.repeat(64)
const disk0 = { key: 'disk0', encrypted: false }
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-set-'))
})
afterEach(() => rm(folder, { recursive: true }))

function manifest(id: string, parentId: string | null, changes: Partial<BackupManifest> = {}): BackupManifest {
  const definition = MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'test', id: machineId, name: 'web', createdAt: '2026-01-01T00:00:00.000Z', osId: 'other', machineType: 'q35', firmware: { type: 'bios' },
    processors: { sockets: 1, cores: 1, threads: 1 }, memoryMiB: 16, boot: {}, display: { model: 'none' },
  })
  return {
    schemaVersion: backupSchemaVersion, createdBy: 'test', id, parentId, takenAt: '2026-11-01T10:00:00.000Z', kind: 'manual', machineState: 'stopped', definition, quiesced: false, pauseMs: null, notes: [], files: [],
    disks: [{ key: 'disk0', file: 'disk0.qcow2', virtualBytes: 65_536, incremental: parentId !== null, reason: null, bytes: 1, sha256: sum, encrypted: false, contentSha256: sum }], ...changes,
  }
}

/** A header of a qcow2, and nothing else (docs/interop/qcow2.txt). @param backing what it reads from @param method of encryption */
function header(backing: string | null, format = 'qcow2', method = 0): Buffer {
  const bytes = Buffer.alloc(65_536)
  bytes.write('QFI\xfb', 0, 'latin1')
  bytes.writeUInt32BE(3, 4)
  bytes.writeUInt32BE(16, 20)
  bytes.writeBigUInt64BE(65_536n, 24)
  bytes.writeUInt32BE(104, 100)
  bytes.writeUInt32BE(method, 32)
  if (backing === null) return bytes
  bytes.writeUInt32BE(0xe2792aca, 104)
  bytes.writeUInt32BE(format.length, 108)
  bytes.write(format, 112)
  bytes.writeBigUInt64BE(1024n, 8)
  bytes.writeUInt32BE(backing.length, 16)
  bytes.write(backing, 1024)
  return bytes
}

async function make(id: string, content: BackupManifest | string, disk: Buffer = header(null), set = 'web-1a2b3c4d'): Promise<void> {
  await mkdir(join(folder, set, id), { recursive: true })
  await writeFile(join(folder, set, id, 'backup.json'), typeof content === 'string' ? content : JSON.stringify(content))
  await writeFile(join(folder, set, id, 'disk0.qcow2'), disk)
}

const [first = '', second = '', third = ''] = ids
const codeOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => null, (error: unknown) => (isRingsideError(error) ? error.code : error))

test('a set is read oldest first; what is being made, is gone or is none of ours is told apart', async () => {
  await make(second, manifest(second, first), header(`../${first}/disk0.qcow2`))
  await make(first, manifest(first, null))
  await make(third, '{"schemaVersion": 1}')
  await mkdir(join(folder, 'web-1a2b3c4d', '.partial-x'))
  await mkdir(join(folder, 'web-1a2b3c4d', 'holiday'))
  await mkdir(join(folder, 'photos'))
  const set = await readSet(folder, 'web-1a2b3c4d')
  expect(set.backups.map(({ id }) => id)).toEqual([first, second])
  expect(set.problems).toHaveLength(1)
  expect(set.leftovers).toEqual([join(folder, 'web-1a2b3c4d', '.partial-x')])
  expect((await findSet(folder, machineId))?.set).toBe('web-1a2b3c4d')
  expect((await readSets(folder)).map((one) => one.set)).toEqual(['web-1a2b3c4d'])
  expect(await chainOf(set, second, disk0)).toEqual([join(folder, 'web-1a2b3c4d', second, 'disk0.qcow2'), join(folder, 'web-1a2b3c4d', first, 'disk0.qcow2')])
})

test.each([
  ['../secret', 'qcow2'], ['/etc/passwd', 'raw'], [`../${third}/disk0.qcow2`, 'qcow2'], [`../${first}/../../../x.qcow2`, 'qcow2'], [`../${first}/disk1.qcow2`, 'qcow2'], [`../${first}/disk0.qcow2`, 'raw'], ['json:{}', 'qcow2'], [`../${second}/disk0.qcow2`, 'qcow2'],
])('a disk that reads from %s as %s is refused', async (backing, format) => {
  await make(first, manifest(first, null))
  await make(second, manifest(second, first), header(backing, format))
  expect(await codeOf(chainOf(await readSet(folder, 'web-1a2b3c4d'), second, disk0))).toBe('IMAGE_DAMAGED')
})

test('an encrypted disk has encrypted files only, and a plain one none', async () => {
  await make(first, manifest(first, null), header(null, 'qcow2', 2))
  await make(second, manifest(second, first), header(`../${first}/disk0.qcow2`, 'qcow2', 2))
  await make(third, manifest(third, second), header(`../${second}/disk0.qcow2`))
  const set = await readSet(folder, 'web-1a2b3c4d')
  const encrypted = { ...disk0, encrypted: true }
  expect(await chainOf(set, second, encrypted)).toHaveLength(2)
  for (const [id, disk] of [[third, disk0], [third, encrypted], [second, disk0]] as const) expect(await codeOf(chainOf(set, id, disk))).toBe('IMAGE_DAMAGED')
})

test('links lead nowhere', async () => {
  await make(first, manifest(first, null))
  await rm(join(folder, 'web-1a2b3c4d', first, 'disk0.qcow2'))
  await symlink('/etc/passwd', join(folder, 'web-1a2b3c4d', first, 'disk0.qcow2'))
  expect(await codeOf(chainOf(await readSet(folder, 'web-1a2b3c4d'), first, disk0))).toBe('IMAGE_DAMAGED')
  await symlink('/etc', join(folder, 'other-1a2b3c4d'))
  expect((await readSets(folder)).map(({ set }) => set)).toEqual(['web-1a2b3c4d'])
  for (const name of ['..', '.', 'a/b', 'a\\b', 'c:', '']) expect(() => setFolderOf(folder, name)).toThrow()
})

test.each<[string, Partial<BackupManifest> | object]>([
  ['another id', { id: second }], ['a parent that is not older', { parentId: third }], ['no parent', { parentId: null, disks: [{ ...manifest(first, null).disks[0], incremental: true }] }],
  ['a file of another name', { disks: [{ ...manifest(first, null).disks[0], file: 'x.qcow2' }] }], ['a disk twice', { disks: [...manifest(first, null).disks, ...manifest(first, null).disks] }],
  ['a way out', { files: [{ file: 'file-0', path: 'media/../../x', bytes: 1, sha256: sum }] }], ['a root', { files: [{ file: 'file-0', path: '/etc/x', bytes: 1, sha256: sum }] }],
  ['a file elsewhere', { files: [{ file: '../x', path: 'media/x', bytes: 1, sha256: sum }] }], ['the definition itself', { files: [{ file: 'file-0', path: 'machine.json', bytes: 1, sha256: sum }] }],
  ['a newer form', { schemaVersion: 2 }], ['a newer machine', { definition: { ...manifest(first, null).definition, schemaVersion: machineSchemaVersion + 1 } }],
])('a record with %s is refused', (_what, changes) => {
  expect(() => parseBackup(JSON.stringify({ ...manifest(first, null), ...changes }), '/b/backup.json', first)).toThrow(/record|newer/u)
})

test('a record is what was written', () => {
  const written = manifest(first, null)
  expect(parseBackup(JSON.stringify(manifestFormat.schema.parse(written)), '/b/backup.json', first)).toEqual(written)
})
