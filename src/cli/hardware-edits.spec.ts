import { expect, test } from 'vitest'
import { Firmware, type MachineHardware, MachineHardware as Hardware } from '@shared/model'
import { withValues } from './hardware-edits'

const hardware: MachineHardware = Hardware.parse({
  osId: 'debian', machineType: 'pc-q35-7.2', firmware: { type: 'bios' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 1024, boot: {}, display: { model: 'vga' },
  disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }],
})

test('values are put in by their paths, devices named by id or number, and the original stays as it is', () => {
  expect(withValues(hardware, ['memoryMiB=2048', 'processors.cores=4', 'disks.disk0.bus=sata', 'disks.0.readOnly=true', 'sound={"model":"ac97"}', 'boot.order.0=disk0', 'clock=localtime'])).toEqual({
    ...hardware, memoryMiB: 2048, processors: { ...hardware.processors, cores: 4 }, disks: [{ ...hardware.disks[0], bus: 'sata', readOnly: true }], sound: { model: 'ac97' },
    boot: { ...hardware.boot, order: ['disk0'] }, clock: 'localtime',
  })
  expect(hardware.memoryMiB).toBe(1024)
})

test('what else a firmware has follows from its kind, in whatever order it is said', () => {
  expect(withValues(hardware, ['firmware.secureBoot=true', 'firmware.type=uefi'])).toMatchObject({ firmware: { type: 'uefi', secureBoot: true } })
  expect(withValues({ ...hardware, firmware: Firmware.parse({ type: 'uefi' }) }, ['firmware.type=bios'])).toMatchObject({ firmware: { type: 'bios' } })
  expect(withValues(hardware, ['firmware.type=coreboot'])).toMatchObject({ firmware: { type: 'coreboot' } })
  expect(() => withValues(hardware, ['firmware.secureBoot=true'])).toThrow('set firmware.type=uefi with it')
  expect(() => withValues(hardware, ['sound.model=ac97'])).toThrow(`sound='{"model":…}'`)
})

test.each(['memory', '=4', 'nothing=1', 'disks.disk9.bus=sata', 'processors.cores.more=1', 'sound.model=ac97', '__proto__.x=1', 'disks.7={}'])('%s is wrong usage', (change) => {
  expect(() => withValues(hardware, [change])).toThrow(/^error: /u)
})
