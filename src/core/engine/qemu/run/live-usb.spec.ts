import { expect, test } from 'vitest'
import type { MachineDefinition } from '@shared/model'
import { tabletId } from '../../empty-places'
import { withLiveChange } from '../../live-change'
import { buildArgv } from '../argv'
import { argvInput, desktop } from '../argv/argv.fixture'
import { wholeQemu } from '../limits/limits.fixture'
import { FakeQmp, refuse } from './fake-qmp.fixture'
import { makeLiveChange } from './live-changes'
import type { LiveMachine } from './live-devices'
import { recoverTablet } from './live-usb'

const input = argvInput({ ...desktop, pointer: 'ps2', usbDevices: [{ id: 'usb0', vendorId: '046d', productId: 'c52b' }] }, { qemu: wholeQemu })
const having = (ids: readonly string[], answers: ConstructorParameters<typeof FakeQmp>[0] = {}): FakeQmp => new FakeQmp({ 'qom-list': () => ids.map((name) => ({ name, type: 'child<x>' })), ...answers })
const machineOf = (qmp: FakeQmp, definition: MachineDefinition = input.definition): LiveMachine => ({ qmp: qmp.client, definition, paused: false } as unknown as LiveMachine)

test('QEMU is told of the tablet as on the command line that loads its memory', async () => {
  const qmp = having([])
  const change = { kind: 'plugTablet', port: 2 } as const
  await makeLiveChange(machineOf(qmp), change)
  const { argv } = buildArgv({ ...input, definition: withLiveChange(input.definition, change) })
  expect(argv).toContain(JSON.stringify(qmp.sent.at(-1)?.parameters))
  expect(qmp.commands()).toEqual(['qom-list', 'device_add'])
})

test('one that is there is not plugged in again, one that is not there is not pulled out, and what QEMU refuses is told', async () => {
  await expect(makeLiveChange(machineOf(having([tabletId])), { kind: 'plugTablet', port: 2 })).rejects.toThrow('already')
  await expect(makeLiveChange(machineOf(having([], { device_add: () => refuse('device_add', 'in use') })), { kind: 'plugTablet', port: 2 })).rejects.toThrow('The tablet can’t be plugged in: in use')
  const none = having([])
  await makeLiveChange(machineOf(none), { kind: 'unplugTablet' })
  expect(none.commands()).toEqual(['qom-list'])
  await expect(makeLiveChange(machineOf(having([tabletId])), { kind: 'unplugTablet' })).rejects.toMatchObject({ code: 'GUEST_FAILED', message: expect.stringContaining('the tablet') as string })
})

test('whoever takes the machine over asks QEMU whether the tablet is there, and on which port', async () => {
  const found = (ids: readonly string[], definition: MachineDefinition, port = '3'): Promise<MachineDefinition> => recoverTablet(having(ids, { 'qom-get': () => port }).client, definition, new Set(ids))
  const [without, there] = [input.definition, withLiveChange(input.definition, { kind: 'plugTablet', port: 3 })]
  expect(await found([], without)).toBe(without)
  expect(await found([tabletId], there)).toBe(there)
  // Cut off between the plug and its record, either way.
  expect(await found([tabletId], without)).toEqual(there)
  expect(await found([], there)).toMatchObject({ pointer: 'ps2', emptyPlaces: [{ kind: 'usb', port: 3 }] })
  expect(await found([tabletId], without, '')).toMatchObject({ pointer: 'tablet', tabletPort: 1 })
})
