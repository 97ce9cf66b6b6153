import type { ImageUser, StorageImage } from '@shared/model'
import { expect, test } from 'vitest'
import { chainOf, freePath, isLayer, matches, sortImages, userLines, usersInWords } from './storage-words'

const user = (machineName: string, changes: Partial<ImageUser> = {}): ImageUser => ({
  machineId: `00000000-0000-4000-8000-${machineName.padStart(12, '0')}`, machineName, state: 'stopped', how: 'present', snapshotName: null, diskId: 'disk0', direct: true, ...changes,
})
const image = (name: string, changes: Partial<StorageImage> = {}): StorageImage => ({
  path: `/l/${name}`, name, owner: null, format: 'qcow2', encrypted: false, virtualBytes: 1, actualBytes: 1, below: null, readers: [], users: [], fault: null, check: null, obstacles: {} as StorageImage['obstacles'], ...changes,
})

test('who needs an image is told in a few words, and in a line for each', () => {
  expect([usersInWords([]), usersInWords([user('1')]), usersInWords([user('1'), user('2'), user('2', { how: 'snapshot' })])]).toEqual(['Nobody', '1', '1 and 1 more'])
  expect(userLines([user('1', { direct: false }), user('1', { how: 'snapshot', snapshotName: 'A' }), user('1', { how: 'snapshot', snapshotName: 'B' }), user('2', { how: 'saved' })]).map(({ what }) => what))
    .toEqual(['reads through it now; 2 snapshots: “A”, “B”', 'its saved state'])
})

test('images are sorted by any column, and those alike by their paths', () => {
  const images = [image('disk10', { actualBytes: 5 }), image('disk9', { actualBytes: 9 }), image('b', { actualBytes: 5, format: null })]
  expect(sortImages(images, 'name', false).map(({ name }) => name)).toEqual(['b', 'disk9', 'disk10'])
  expect(sortImages(images, 'actualBytes', true).map(({ name }) => name)).toEqual(['disk9', 'b', 'disk10'])
})

test('a search finds by name, machine and snapshot, all words of it', () => {
  const found = image('disk0.qcow2', { users: [user('web-01', { snapshotName: 'Before' })] })
  expect([matches(found, ''), matches(found, 'WEB before'), matches(found, 'web other')]).toEqual([true, true, false])
})

test('what lies below others is a layer, unless a machine writes to it; a chain ends where a file is missing or would come twice', () => {
  const low = image('low', { readers: ['/l/top'], below: '/l/gone' })
  const top = image('top', { below: '/l/low' })
  expect([isLayer(low), isLayer(top), isLayer({ ...low, users: [user('1')] })]).toEqual([true, false, false])
  const images = new Map([low, top].map((one) => [one.path, one]))
  expect(chainOf(images, top)).toEqual([top, low, '/l/gone'])
  const round = image('round', { below: '/l/round' })
  expect(chainOf(new Map([[round.path, round]]), round)).toEqual([round])
})

test('a new file is offered under a name that no image has', () => {
  expect(freePath('/images', 'disk', 'qcow2', new Set())).toBe('/images/disk.qcow2')
  expect(freePath('/images', 'disk', 'qcow2', new Set(['/images/disk.qcow2', '/images/disk 2.qcow2', '/other/disk 3.qcow2']))).toBe('/images/disk 3.qcow2')
})
