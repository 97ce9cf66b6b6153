import { expect, test } from 'vitest'
import { MachineHardware } from '@shared/model'
import { aDefinition } from '../../stores/spec-data'
import { changesOf, conflictsOf, isSame, patternOf, rebase, touches, valueAt, wholeParts, withOrder, withPart, withValue } from './hardware-edits'

const disk = (id: string): MachineHardware['disks'][number] => ({
  id, image: { kind: 'own', path: `disks/${id}.qcow2` }, format: 'qcow2', bus: 'virtio-blk', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false,
})
const base = MachineHardware.parse(aDefinition(1, { disks: [disk('disk0'), disk('disk1')], cdroms: [{ id: 'cd0', image: null, bus: 'sata' }] }))

test('values are found and set by path, devices by their ids', () => {
  expect(valueAt(base, 'disks.disk1.bus')).toBe('virtio-blk')
  expect(valueAt(base, 'disks.disk9.bus')).toBeUndefined()
  expect(valueAt(withValue(base, 'disks.disk1.bus', 'sata'), 'disks.disk1.bus')).toBe('sata')
  expect(withValue(base, 'disks.disk0', undefined).disks.map(({ id }) => id)).toEqual(['disk1'])
  expect(withValue(base, 'cdroms.cd1', { id: 'cd1', image: null, bus: 'sata' }).cdroms).toHaveLength(2)
  expect(base.disks).toHaveLength(2)
})

test('a part that is absent begins whole when something in it is set', () => {
  expect(withValue(base, 'watchdog.model', 'ib700').watchdog).toEqual({ model: 'ib700', action: 'reset' })
  expect(withValue(base, 'disks.disk0.limits.bytesPerSecond', 5).disks[0]?.limits).toMatchObject({ bytesPerSecond: 5, readsPerSecond: 0 })
  expect(MachineHardware.safeParse(withValue(base, 'sound.model', 'ac97')).success).toBe(true)
})

test.each(wholeParts)('%s that is added is whole', (part) => {
  const added = withPart({ ...base, [part]: null }, part)
  expect(MachineHardware.parse(added)[part]).toEqual(added[part])
  expect(added[part]).not.toBeNull()
})

test('differences name what was added, taken out, moved and changed', () => {
  const after = withOrder(withValue(withValue(base, 'memoryMiB', 4096), 'cdroms.cd0', undefined), 'disks', ['disk1', 'disk0'])
  expect(changesOf(base, after)).toEqual([
    { path: 'memoryMiB', before: 1024, after: 4096 },
    { path: 'disks', before: ['disk0', 'disk1'], after: ['disk1', 'disk0'] },
    { path: 'cdroms.cd0', before: base.cdroms[0], after: undefined },
  ])
  expect(changesOf(base, base)).toEqual([])
})

test('what is of another kind differs as a whole', () => {
  expect(changesOf(base, { ...base, firmware: { type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.qcow2' } }).map(({ path }) => path)).toEqual(['firmware'])
})

test('edits go on when what they were made on becomes another', () => {
  const edited = withOrder(withValue(withValue(base, 'memoryMiB', 4096), 'disks.disk0.readOnly', true), 'disks', ['disk1', 'disk0'])
  const onto = withValue(withValue(base, 'disks.disk2', disk('disk2')), 'processors.cores', 4)
  const moved = rebase(base, edited, onto)
  expect([moved.memoryMiB, moved.processors.cores, moved.disks.map(({ id }) => id)]).toEqual([4096, 4, ['disk1', 'disk0', 'disk2']])
  expect(valueAt(moved, 'disks.disk0.readOnly')).toBe(true)
})

test('a device that was taken out meanwhile is not brought back by an edit of it', () => {
  const onto = withValue(base, 'disks.disk0', undefined)
  expect(rebase(base, withValue(base, 'disks.disk0.readOnly', true), onto)).toEqual(onto)
})

test('sameness ignores the order of settings but not that of lists', () => {
  expect(isSame({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true)
  expect(isSame([1, 2], [2, 1])).toBe(false)
  expect(isSame(Number.NaN, Number.NaN)).toBe(true)
})

test('a change touches what it is about, what lies in that, and what it lies in', () => {
  expect(touches({ path: 'disks.disk0.limits.bytesPerSecond' }, 'disks.disk0.limits')).toBe(true)
  expect(touches({ path: 'firmware' }, 'firmware.type')).toBe(true)
  expect(touches({ path: 'disks' }, 'disks.disk0.bus')).toBe(false)
  expect(touches({ path: 'memoryMiB' }, 'memory')).toBe(false)
  expect(patternOf('disks.disk0.bus')).toBe('disks.*.bus')
})

test('what two people changed to different values is a conflict; the same value, other values and the order of devices that only one moved are none', () => {
  const nic = (id: string, linkUp = true): MachineHardware['nics'][number] => ({ id, model: 'virtio-net', macAddress: `52:54:00:00:00:${id === 'a' ? '0a' : '0b'}`, backend: { type: 'user', forwards: [] } as MachineHardware['nics'][number]['backend'], linkUp, slot: null })
  const from = { ...MachineHardware.parse(aDefinition(1)), nics: [nic('a'), nic('b')] }
  expect(conflictsOf(from, { ...from, memoryMiB: 2 }, { ...from, memoryMiB: 3, serialPorts: 3 })).toEqual(['memoryMiB'])
  expect(conflictsOf(from, { ...from, memoryMiB: 2 }, { ...from, memoryMiB: 2 })).toEqual([])
  // Taken out here, and changed there; the other way round too.
  expect(conflictsOf(from, { ...from, nics: [nic('b')] }, { ...from, nics: [nic('a', false), nic('b')] })).toEqual(['nics.a'])
  expect(conflictsOf(from, { ...from, nics: [nic('a', false), nic('b')] }, { ...from, nics: [nic('b')] })).toEqual(['nics.a.linkUp'])
  expect(conflictsOf(from, { ...from, nics: [nic('b'), nic('a')] }, { ...from, nics: [nic('a', false), nic('b')] })).toEqual([])
})
