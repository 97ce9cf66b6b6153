import { expect, test } from 'vitest'
import { definitionOf } from '../snapshot/snapshot.fixture'
import { type RunRecord, withDefinition } from './run-record'

test('an address of its own goes with its card: another one that is plugged in under its name keeps what it has', () => {
  const definition = { ...definitionOf({}), nics: [{ id: 'net0', model: 'virtio-net' as const, macAddress: '52:54:00:00:00:01', backend: { type: 'user' as const }, linkUp: true, slot: null }] }
  const record = { definition, ownAddresses: { net0: '52:54:00:00:00:02' } } as unknown as RunRecord
  expect(withDefinition(record, { ...definition, memoryMiB: 64 }).ownAddresses).toEqual({ net0: '52:54:00:00:00:02' })
  expect(withDefinition(record, { ...definition, nics: [] }).ownAddresses).toEqual({})
})
