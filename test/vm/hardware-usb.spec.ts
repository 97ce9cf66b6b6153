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
