import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchPlan, TestMachine } from './support/engine-plan'
import { fullGuest } from './support/full-guest'
import type { LinuxGuest } from './support/guests'
import { guestReady } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
let guest: LinuxGuest
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-usb-')
  guest = await fullGuest()
}, 300_000)
afterAll(() => folder[Symbol.asyncDispose]())

const boot = () => ({ kernel: { kernel: { kind: 'external' as const, path: guest.kernel }, initrd: { kind: 'external' as const, path: guest.initrd }, commandLine: guest.commandLine } })

test('older USB controllers carry the same devices', async () => {
  for (const usbController of ['ehci', 'uhci'] as const) {
    const plan = await launchPlan(folder.path, { boot: boot(), memoryMiB: 256, usbController, sound: { model: 'usb-audio' }, disks: [{ id: 'stick', bus: 'usb', image: { kind: 'own', path: 'disks/stick.qcow2' }, format: 'qcow2' }] })
    execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'qcow2', join(plan.machineFolder, 'disks/stick.qcow2'), '64M'])
    await using run = await TestMachine.start(plan)
    using serial = new SerialSession(await run.machine.openSerial(0))
    await serial.waitFor(guestReady)
    await serial.run('await-device /dev/sda')
    expect(await serial.run('cat /sys/block/sda/size')).toContain('131072')
  }
})

test('a device of this computer is given and taken back while the machine runs, plugged in or not', async () => {
  const plan = await launchPlan(folder.path, { usbDevices: [{ id: 'usb0', vendorId: '1050', productId: '0407' }] })
  const device = { id: 'usb1', vendorId: '046d', productId: 'c52b', name: '', port: '1-4.2', slot: 0 }
  await using run = await TestMachine.start(plan)
  await run.machine.changeHardware({ kind: 'plugUsb', device })
  expect(run.machine.definition.usbDevices.map(({ id }) => id)).toEqual(['usb0', 'usb1'])
  await expect(run.machine.changeHardware({ kind: 'plugUsb', device })).rejects.toThrow('already')
  await run.machine.changeHardware({ kind: 'unplugUsb', id: 'usb0' })
  await run.machine.release()
  // QEMU is asked what it has: of what either definition names, the one is there and the other gone.
  await using adopted = await TestMachine.adopt({ ...plan, definition: { ...plan.definition, usbDevices: [...plan.definition.usbDevices, device] } })
  expect(adopted.machine.definition.usbDevices).toEqual([device])
  await adopted.machine.changeHardware({ kind: 'unplugUsb', id: 'usb1' })
  expect(adopted.machine.definition.usbDevices).toEqual([])
})
