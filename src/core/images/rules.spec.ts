import { expect, test } from 'vitest'
import { DiskWorkKind, type ImageUser } from '@shared/model'
import type { KnownImage } from './catalogue'
import { obstaclesOf, whyNot } from './rules'

const image = (facts: Partial<KnownImage> = {}): KnownImage => ({ path: '/l/disk.qcow2', owner: null, format: 'qcow2', virtualBytes: 1, bytes: 1, below: null, readers: [], users: [], plugs: [], encrypted: false, internalSnapshots: 0, snapshotBelow: null, fault: null, ...facts })
const user = (facts: Partial<ImageUser> = {}): ImageUser => ({ machineId: '00000000-0000-4000-8000-000000000001', machineName: 'web', state: 'stopped', how: 'present', snapshotName: null, diskId: 'disk0', direct: true, ...facts })
const possible = (facts: Partial<KnownImage>): string[] => DiskWorkKind.options.filter((kind) => whyNot(kind, image(facts)) === null)

test('an image that nobody needs may be worked on in every way, and one of a machine that is off in all but its deletion', () => {
  expect(possible({})).toEqual(['grow', 'shrink', 'convert', 'compact', 'check', 'repair', 'copy', 'checksum', 'delete'])
  expect(possible({ users: [user()] })).toEqual(['grow', 'shrink', 'convert', 'compact', 'check', 'repair', 'copy', 'checksum'])
})

test('what a running guest writes to can only grow; what it reads through can be read', () => {
  expect(possible({ users: [user({ state: 'running' })] })).toEqual(['grow'])
  expect(possible({ users: [user({ state: 'running', direct: false })], readers: ['/l/top'] })).toEqual(['convert', 'check', 'copy', 'checksum'])
})

test('layers of snapshots, of others and of saved machines keep their size, and say why', () => {
  expect(whyNot('grow', image({ users: [user({ how: 'snapshot', snapshotName: 'Before' })] }))).toContain('“Before”')
  expect(whyNot('shrink', image({ readers: ['/l/top'] }))).toContain('based on it')
  expect(whyNot('grow', image({ users: [user({ state: 'saved' })] }))).toContain('saved to disk')
  expect(possible({ users: [user({ how: 'saved', state: 'saved' })] })).toContain('compact')
})

test('formats allow what QEMU can do with them', () => {
  expect(possible({ format: 'raw' })).toEqual(['grow', 'shrink', 'convert', 'copy', 'checksum', 'delete'])
  expect(possible({ format: 'vmdk' })).toEqual(['convert', 'check', 'copy', 'checksum', 'delete'])
  expect(possible({ format: null })).toEqual(['delete'])
})

test('a faulty image can be checked, repaired and deleted, one with snapshots of its own not be compacted', () => {
  expect(possible({ fault: 'is marked as corrupt' })).toEqual(['check', 'repair', 'delete'])
  expect(whyNot('compact', image({ internalSnapshots: 2 }))).toContain('snapshots within itself')
})

test('every obstacle is a sentence', () => {
  for (const facts of [{}, { users: [user({ state: 'running' as const })] }, { format: null }, { fault: 'is cut short' }, { readers: ['/x'] }]) {
    for (const why of Object.values(obstaclesOf(image(facts)))) if (why !== null) expect(why).toMatch(/^[A-Z“].*[./a-z0-9]$/u)
  }
})

test('only a machine’s disk that is off and stands alone is encrypted or decrypted', () => {
  const plug = { machine: { id: 'm', state: 'stopped', run: null, definition: { name: 'web', template: false } }, disk: { id: 'disk0', readOnly: false } } as unknown as KnownImage['plugs'][number]
  const disk = (facts: Partial<KnownImage>): KnownImage => image({ users: [user()], plugs: [plug], ...facts })
  expect(whyNot('encrypt', disk({}))).toBeNull()
  expect(whyNot('encrypt', disk({ format: 'raw' }))).toBeNull()
  expect(whyNot('decrypt', disk({ encrypted: true }))).toBeNull()
  expect(whyNot('decrypt', disk({}))).toBe('It is not encrypted.')
  expect(whyNot('encrypt', disk({ encrypted: true }))).toBe('It is encrypted already.')
  expect(whyNot('encrypt', image({}))).toContain('It is no machine’s disk.')
  expect(whyNot('encrypt', disk({ users: [user({ state: 'running' })] }))).toContain('Shut it down first.')
  expect(whyNot('encrypt', disk({ snapshotBelow: 'Before', below: '/l/base' }))).toBe('The snapshot “Before” holds a state of this disk, and would stay as it is. Make a full clone of “web” that is encrypted; or delete what holds it first.')
  expect(whyNot('decrypt', disk({ encrypted: true, users: [user(), user({ how: 'snapshot', snapshotName: 'Now' })] }))).toContain('Make a full clone of “web” that is not encrypted')
  expect(whyNot('encrypt', disk({ below: '/l/base' }))).toContain('make the machine independent')
  expect(whyNot('encrypt', disk({ readers: ['/l/clone'] }))).toContain('based on it')
})
