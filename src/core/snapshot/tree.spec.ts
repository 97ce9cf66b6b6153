import { expect, test } from 'vitest'
import { RingsideError } from '@shared/errors'
import { graphOf, definitionOf, layerOf, machineFolder, manifestOf, snapshotId, surveyOf } from './snapshot.fixture'
import { LayerGraph } from './layer-graph'
import { namesOf } from './names'
import { findOrphans } from './orphans'
import { divide } from './shares'
import { buildTree } from './tree'

const own = (name: string): string => `disks/${name}.qcow2`
const present = definitionOf({ disk0: own('now') })
const library = { list: () => [] }
const idle = { isBusy: false }
const snapshots = (...names: string[]): ReturnType<typeof manifestOf>[] => names.map((name, index) => manifestOf(index + 1, { disk0: own(name) }))

test('parents come before their children and siblings by date, each with what it alone takes', async () => {
  const graph = graphOf(['now', 'h1', 'c', 'a'], ['b', 'h2', 'h3', 'a'], ['d', 'h3'])
  const manifests = [manifestOf(4, { disk0: own('c') }), manifestOf(2, { disk0: own('d') }), manifestOf(3, { disk0: own('b') }), manifestOf(1, { disk0: own('a') })]
  const tree = await buildTree(surveyOf(graph, present, manifests), library, idle)
  expect(tree.snapshots.map(({ name, parentId }) => [name, parentId])).toEqual([
    ['Snapshot 1', null], ['Snapshot 2', snapshotId(1)], ['Snapshot 3', snapshotId(1)], ['Snapshot 4', snapshotId(1)],
  ])
  const MiB = 2 ** 20
  // b has h2 below it for itself; h3 is shared with d.
  expect(tree.snapshots.map(({ sizeBytes }) => sizeBytes - 4096)).toEqual([MiB, MiB, 2 * MiB, MiB])
  expect(tree).toMatchObject({ current: { parentId: snapshotId(4), sizeBytes: 2 * MiB }, sharedBytes: MiB, orphans: [], problems: [] })
})

test('what was cut off after the machine was told of a new layer belongs to the machine, and is no snapshot', () => {
  const survey = surveyOf(graphOf(['empty', 'now', 'a']), definitionOf({ disk0: own('empty') }), snapshots('a'))
  const shares = divide(survey, namesOf(survey, { definition: present, tops: [own('now')] }))
  expect(shares.present.map(({ own: file }) => file)).toEqual([own('empty'), own('now')])
  expect(findOrphans(survey, namesOf(survey, null))).toEqual([])
})

test('linked clones are named with the snapshot that they stand on', async () => {
  const survey = surveyOf(graphOf(['now', 'b', 'a']), present, snapshots('a', 'b'), {
    outside: [
      { folder: '/library/one', file: '/library/one/disks/disk0.qcow2', reads: `${machineFolder}/disks/a.qcow2` }, { folder: '/library/two', file: '/library/two/disks/disk0.qcow2', reads: `${machineFolder}/disks/a.qcow2` },
      { folder: '/library/two', file: '/library/two/disks/disk1.qcow2', reads: `${machineFolder}/disks/a.qcow2` },
    ],
  })
  const tree = await buildTree(survey, library, idle)
  expect(tree.snapshots.map(({ clones }) => clones.map(({ name }) => name))).toEqual([['one', 'two'], []])
})

test('what a clone reads from is in use, though nobody here names it', () => {
  const survey = surveyOf(graphOf(['now'], ['kept', 'below']), present, [], { outside: [{ folder: '/library/one', file: '/library/one/disks/disk0.qcow2', reads: `${machineFolder}/disks/kept.qcow2` }] })
  expect(findOrphans(survey, namesOf(survey, null))).toEqual([])
})

test('what a record means that can’t be read is no left-over, and is left alone', () => {
  const graph = graphOf(['now'], ['a'], ['b'])
  const unreadable = (text: string | null) => [{ path: '/snapshot.json', error: new RingsideError('DEFINITION_DAMAGED', 'It is damaged.'), text }]
  const orphans = (text: string | null): string[] => {
    const survey = surveyOf(graph, present, [], { unreadable: unreadable(text) })
    return findOrphans(survey, namesOf(survey, null)).map(({ path }) => path)
  }
  expect(orphans('{ "definition": { "disks": [{ "path": "disks/a.qcow2"')).toEqual([own('b')])
  expect(orphans('{ "nothing": "of use"')).toEqual([])
  expect(orphans(null)).toEqual([])
})

test('what a layer reads from whose header can’t be read is no left-over, but the layer is', () => {
  const blind = layerOf('blind', null, { isBlind: true, fault: 'is damaged' })
  const survey = surveyOf(new LayerGraph([layerOf('now', null), layerOf('a', null), blind]), present, [])
  expect(findOrphans(survey, namesOf(survey, null)).map(({ path }) => path)).toEqual([own('blind')])
})

test('every file that a definition names is in use: discs and kernels as well as disks', () => {
  const image = (path: string) => ({ kind: 'own' as const, path })
  const definition = definitionOf({ disk0: own('now') }, {
    cdroms: [{ id: 'cd0', image: image('disks/system.iso'), bus: 'sata' }], firmware: { type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.qcow2' },
    boot: { order: [], menu: false, kernel: { kernel: image('disks/vmlinuz'), initrd: image('disks/boot/initrd'), commandLine: '' } },
  })
  const files = ['disks/system.iso', 'disks/vmlinuz', 'firmware/nvram.qcow2', 'disks/note'].map((file) => ({ own: file, kind: 'file' as const, bytes: 1 }))
  const survey = surveyOf(graphOf(['now']), definition, [], { entries: [...files, { own: 'disks/boot', kind: 'folder', bytes: 1 }, { own: 'disks/boo', kind: 'folder', bytes: 1 }] })
  expect(findOrphans(survey, namesOf(survey, null)).map(({ path }) => path).toSorted()).toEqual(['disks/boo', 'disks/note'])
})

test('while something is at work in the folder, nothing is listed as left over', async () => {
  const survey = surveyOf(graphOf(['now'], ['making']), present, [])
  expect((await buildTree(survey, library, idle)).orphans).toHaveLength(1)
  expect((await buildTree(survey, library, { isBusy: true })).orphans).toEqual([])
})
