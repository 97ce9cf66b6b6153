import { expect, test } from 'vitest'
import { MachineDefinition, machineSchemaVersion } from '@shared/model'
import { faultsAmongDevices, systemFaults } from './faults'
import { hardwareOf } from './hardware'

const nic = (id: string, macAddress: string): object => ({ id, model: 'virtio-net', macAddress, backend: { type: 'user' } })
const stored = MachineDefinition.parse({
  schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: '11111111-1111-4111-8111-111111111111', name: 'web', createdAt: '2026-11-01T08:00:00.000Z', osId: 'debian-99', machineType: 'pc-q35-7.2',
  firmware: { type: 'bios' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 1024, boot: {}, display: { model: 'vga' }, disks: [], cdroms: [],
  nics: [nic('net0', '52:54:00:00:00:01'), nic('net1', '52:54:00:00:00:01'), nic('net2', '00:00:00:00:00:00')],
})

test('each card has an address, and one of its own', () => {
  expect(faultsAmongDevices(hardwareOf(stored), stored)).toMatchObject([
    { path: 'nics.1.macAddress', message: expect.stringContaining('Two network cards') as string }, { path: 'nics.2.macAddress', message: expect.stringContaining('stands for none') as string },
  ])
})

test('a machine’s system is one of the catalogue, or the one that it has', () => {
  const known = new Set(['debian', 'other'])
  expect([systemFaults({ osId: 'debian-99' }, stored, known), systemFaults({ osId: 'debian' }, stored, known)]).toEqual([[], []])
  expect(systemFaults({ osId: 'beos' }, stored, known)).toMatchObject([{ path: 'osId', received: 'beos' }])
})
