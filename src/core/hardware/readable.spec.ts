import { expect, test } from 'vitest'
import { MachineDefinition, machineSchemaVersion, type MachineHardware } from '@shared/model'
import { hardwareOf, parseHardware } from './hardware'
import { readableOf, type Readable } from './readable'

const nic = (id: string, more: object = {}): object => ({ id, model: 'virtio-net', macAddress: '52:54:00:00:00:01', backend: { type: 'user' }, ...more })
const stored = hardwareOf(MachineDefinition.parse({
  schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: '11111111-1111-4111-8111-111111111111', name: 'web', createdAt: '2026-11-01T08:00:00.000Z', osId: 'debian', machineType: 'pc-q35-7.2',
  firmware: { type: 'bios' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 1024, boot: {}, display: { model: 'vga' }, disks: [], nics: [nic('net0')], cdroms: [],
}))
const readable = (change: object): Readable | null => {
  const raw = { ...stored, ...change }
  return readableOf(raw, parseHardware(raw).issues, stored)
}
const faults = (found: Readable | null, ...paths: string[]): string[] => (found ?? expect.fail()).asWritten(paths.map((path) => ({ path, message: '', severity: 'error' as const }))).map(({ path }) => path)

test('what can’t be read is left at what is stored, and the rest is as it was written', () => {
  const found = readable({ memoryMiB: 'much', serialPorts: 3 })
  expect(found?.hardware).toMatchObject({ memoryMiB: 1024, serialPorts: 3 } satisfies Partial<MachineHardware>)
  expect(faults(found, 'memoryMiB', 'serialPorts', '')).toEqual(['serialPorts', ''])
})

test('devices that can’t be read are left out, and faults of the others are at their own places', () => {
  const found = readable({ nics: [nic('net0', { macAddress: 'ff' }), nic('net1'), nic('net2')] })
  expect(found?.hardware.nics.map(({ id }) => id)).toEqual(['net1', 'net2'])
  expect(faults(found, 'nics.1.model', 'nics')).toEqual(['nics.2.model', 'nics'])
})

test('of what is no hardware at all nothing can be read', () => {
  expect([readableOf('text', [{ path: '' }], stored), readableOf(null, [{ path: '' }], stored)]).toEqual([null, null])
})
