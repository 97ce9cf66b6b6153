import { expect, test } from 'vitest'
import { MachineDefinition, machineSchemaVersion } from '@shared/model'
import type { StoredMachine } from '../app/services'
import { machinePaths } from '../library'
import { newIdentity, requireFreeName } from './identity'

function machine(index: number): StoredMachine {
  const definition = MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'test', id: `0000000${String(index)}-0000-4000-8000-000000000000`, name: `Web ${String(index)}`, createdAt: '2026-01-01T00:00:00.000Z', osId: 'other',
    machineType: 'q35', firmware: { type: 'bios' }, processors: { sockets: 1, cores: 1, threads: 1 }, memoryMiB: 16, boot: {}, display: { model: 'none' },
    nics: [0, 1].map((card) => ({ id: `nic${String(card)}`, model: 'e1000', macAddress: `52:54:00:00:0${String(index)}:0${String(card)}`, backend: { type: 'user' } })),
  })
  return { definition, paths: machinePaths(`/library/${definition.name}`, '/run', definition.id) }
}

const library = { list: () => [machine(1), machine(2)] }

test('an id and addresses that nobody has', () => {
  const identity = newIdentity(library, 'new', machine(1).definition, 'ringside test')
  expect(identity).toMatchObject({ name: 'new', createdBy: 'ringside test' })
  expect(identity.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/u)
  expect(new Set(identity.macAddresses).size).toBe(2)
  const taken = library.list().flatMap(({ definition }) => definition.nics.map(({ macAddress }) => macAddress))
  for (const address of identity.macAddresses) {
    expect(address).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/u)
    expect(taken).not.toContain(address)
  }
  expect(Date.parse(identity.createdAt)).toBeGreaterThan(Date.now() - 10_000)
})

test('a name that is taken is refused, in whatever case', () => {
  expect(() => { requireFreeName(library, 'web 2') }).toThrow(expect.objectContaining({ code: 'NAME_TAKEN', message: expect.stringContaining('“Web 2”') as string }))
  expect(() => { requireFreeName(library, 'Web 3') }).not.toThrow()
})
