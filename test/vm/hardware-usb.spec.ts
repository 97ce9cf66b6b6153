import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MachineDefinition } from '@shared/model'
import type { LaunchPlan } from '@core/engine/engine'
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

test('USB disks come and go while the guest runs, those of the start as well; memory loads with the ports as they were', async () => {
  const stick = (id: string) => ({ id, bus: 'usb' as const, image: { kind: 'own' as const, path: `disks/${id}.qcow2` }, format: 'qcow2' as const })
  const plan = await launchPlan(folder.path, { boot: boot(), memoryMiB: 256, disks: [stick('first'), stick('second')] })
  for (const [index, id] of ['first', 'second', 'third'].entries()) execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'qcow2', join(plan.machineFolder, `disks/${id}.qcow2`), `${String(index + 1)}M`])
  const sizes = 'cat /sys/block/sd*/size'
  const ram = join(plan.machineFolder, 'ram.state')
  let saved: LaunchPlan['restore']
  {
    await using run = await TestMachine.start(plan)
    using serial = new SerialSession(await run.machine.openSerial(0))
    await serial.waitFor(guestReady)
    await serial.run('await-device /dev/sdb')
    await run.machine.changeHardware({ kind: 'unplugDisk', id: 'first' })
    await serial.run('until [ ! -e /dev/sda ]; do usleep 20000; done')
    const [third] = MachineDefinition.shape.disks.parse([{ ...stick('third'), slot: 0 }])
    await run.machine.changeHardware({ kind: 'plugDisk', disk: third ?? expect.fail() })
    await serial.run(`until ${sizes} | grep -q 6144; do usleep 20000; done`)
    expect(await serial.run('cat /sys/block/sd*/removable')).toMatch(/1\s+1/u)
    const { definition } = run.machine
    expect(definition).toMatchObject({ disks: [{ id: 'second' }, { id: 'third', slot: 0 }], emptyPlaces: [{ kind: 'usb', port: 2 }] })
    const { ramFormat } = await run.machine.save(ram, () => undefined, new AbortController().signal)
    saved = { schemaVersion: 1, savedAt: new Date().toISOString(), qemuVersion: plan.qemu.version, accelerator: plan.accelerator, definition, ramFormat, ramCompression: 'none', ramFile: 'ram.state' }
  }
  await using run = await TestMachine.start({ ...plan, definition: saved.definition, restore: saved })
  using serial = new SerialSession(await run.machine.openSerial(0))
  // What came took the name of what went.
  expect(await serial.run(`echo 3 >/proc/sys/vm/drop_caches; for disk in a b; do dd if=/dev/sd$disk bs=512 count=2 2>&1 | wc -c; done; ${sizes}`)).toMatch(/^10\d\d\s+10\d\d\s+6144\s+4096$/u)
  await run.machine.changeHardware({ kind: 'unplugDisk', id: 'third' })
  await run.machine.changeHardware({ kind: 'unplugDisk', id: 'second' })
  await serial.run('until [ ! -e /dev/sda ] && [ ! -e /dev/sdb ]; do usleep 20000; done')
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
