import { expect, test } from 'vitest'
import { nvramLayer } from '../../engine'
import { baseNode, driveNode, fileNode, keyOfNode, layeredNode, overlayNode, pullNode, withoutPull } from './node-names'

const definition = (...ids: string[]): Parameters<typeof keyOfNode>[0] => ({
  disks: ids.map((id) => ({ id, image: { kind: 'own', path: `disks/${id}.qcow2` }, format: 'qcow2', bus: 'virtio-blk', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false })),
  cdroms: [{ id: 'cd0', image: null, bus: 'sata' }],
})

const longest = 'a-very-long-name-of-a-disk_0123'

test('every node of a drive says whose it is', () => {
  const machine = definition('disk0', 'disk1', longest)
  for (const id of ['disk0', 'disk1', 'cd0', longest]) {
    const top = driveNode(id)
    const names = [top, baseNode(top, 1023), overlayNode(top, '0a1b2c3d')]
    for (const node of [...names, ...names.map(fileNode), ...names.map(pullNode)]) expect(keyOfNode(machine, node)).toBe(id)
  }
  for (const node of ['sys-nvram', 'sys-nvram.base0', 'sys-nvram.0a1b2c3d', 'sys-nvram.file']) expect(keyOfNode(machine, node)).toBe(nvramLayer)
  for (const node of ['', 'sys-firmware', 'disk', 'disk00', '#block123', 'disk2.base0']) expect(keyOfNode(machine, node)).toBeNull()
})

test('no name is longer than QEMU takes, whatever the id', () => {
  for (const key of ['d', longest, nvramLayer]) {
    const top = layeredNode(key)
    for (const node of [baseNode(top, 1023), overlayNode(top, '0a1b2c3d')]) {
      for (const name of [fileNode(node), pullNode(node)]) {
        expect(name.length).toBeLessThanOrEqual(31)
        // id_wellformed [util/id.c]
        expect(name).toMatch(/^[A-Za-z][A-Za-z0-9._-]*$/u)
      }
    }
  }
})

test('long ids that begin alike, and an id that looks like a cut one, have names of their own', () => {
  const ids = [`${longest.slice(0, 30)}4`, longest, driveNode(longest).toLowerCase()]
  expect(new Set(ids.map(driveNode)).size).toBe(3)
})

test('the filter of a merge stands for its layer', () => {
  expect(withoutPull(pullNode('disk0.0a1b2c3d'))).toBe('disk0.0a1b2c3d')
  expect(withoutPull('disk0')).toBe('disk0')
})
