import { expect, test } from 'vitest'
import { MachineDefinition } from '@shared/model'
import { passedDevice, vsockDevice, vsockId } from '../argv'
import { argvInput, desktop } from '../argv/argv.fixture'
import type { QmpClient } from '../qmp'
import { FakeQmp } from './fake-qmp.fixture'
import { departureOf, makeLiveChange } from './live-changes'
import type { LiveMachine } from './live-devices'

const { definition } = argvInput({ ...desktop, vsock: { cid: 7 }, pciDevices: [{ id: 'card', address: '0000:ff:1f.7', name: 'Card' }], sharedFolders: [{ id: 'music', tag: 'music', path: '/music' }] })
const machineWith = (qmp: QmpClient): LiveMachine => ({ qmp, definition, paused: false } as LiveMachine)
const having = (...ids: string[]): FakeQmp => new FakeQmp({ 'qom-list': () => ids.map((name) => ({ name, type: 'child<x>' })) })

test('what a guest lets go of is known by its id', () => {
  expect(['disk0', 'net0', 'music', 'card', vsockId, 'sys-balloon', 'sys-usb'].map((id) => departureOf(definition, id)?.kind ?? null)).toEqual(['unplugDisk', 'unplugNic', 'unplugFolder', 'unplugPci', 'unplugVsock', 'unplugSystem', null])
  expect(departureOf({ ...definition, vsock: null }, vsockId)).toBeNull()
})

test('QEMU is told of a device as on the command line', () => {
  const [card] = definition.pciDevices
  expect(vsockDevice({ cid: 7 }, { bus: 'sys-port9' })).toEqual({ driver: 'vhost-vsock-pci', id: vsockId, 'guest-cid': 7, bus: 'sys-port9' })
  expect(passedDevice(card ?? expect.fail(), { bus: 'sys-port9' })).toEqual({ driver: 'vfio-pci', id: 'card', host: '0000:ff:1f.7', bus: 'sys-port9' })
})

test('what is there is not plugged in again, what this computer has not is not asked for, and what has gone is not waited for', async () => {
  const [device] = MachineDefinition.shape.pciDevices.parse([{ id: 'card', address: '0000:ff:1f.7', slot: 1 }])
  const there = having(vsockId, 'card')
  await expect(makeLiveChange(machineWith(there.client), { kind: 'plugVsock', vsock: { cid: 7, slot: 0 } })).rejects.toThrow('already')
  await expect(makeLiveChange(machineWith(there.client), { kind: 'plugPci', device: device ?? expect.fail() })).rejects.toThrow('already')
  const none = having()
  await expect(makeLiveChange(machineWith(none.client), { kind: 'plugPci', device: device ?? expect.fail() })).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
  await makeLiveChange(machineWith(none.client), { kind: 'unplugVsock' })
  await makeLiveChange(machineWith(none.client), { kind: 'unplugPci', id: 'card' })
  expect([...new Set([...there.commands(), ...none.commands()])]).toEqual(['qom-list'])
})
