import { expect, test } from 'vitest'
import { MachineDefinition } from '@shared/model'
import { desktop } from '../engine/qemu/argv/argv.fixture'
import { requirePlainDisks } from './sources'

const machine = (encrypted: boolean): MachineDefinition => MachineDefinition.parse({ ...desktop, disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', encrypted }] })

test('what is encrypted is not written to a backup in the clear', () => {
  expect(() => { requirePlainDisks(machine(false)) }).not.toThrow()
  expect(() => { requirePlainDisks(machine(true)) }).toThrow(expect.objectContaining({ code: 'CAPABILITY_MISSING', message: expect.stringContaining('“disk0” is encrypted') as string }) as Error)
})
