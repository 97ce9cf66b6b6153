import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { runtimePaths } from '@core/library/paths'
import { createQemuEngine } from '@core/engine/qemu'
import { filesOf, launchPlan, TestMachine } from './support/engine-plan'
import { prepareGuests, type Guests } from './support/guests'
import { guestReady } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
let guests: Guests
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-guest-')
  guests = await prepareGuests()
})
afterAll(() => folder[Symbol.asyncDispose]())

const never = new AbortController().signal

test('a Linux guest sees its hardware, tells its memory, is saved and goes on, and shuts down by its power button', async () => {
  const { kernel, initrd, commandLine } = guests.linux
  const plan = await launchPlan(folder.path, {
    memoryMiB: 256, processors: { sockets: 1, cores: 2, threads: 1 }, display: { model: 'virtio-vga' },
    boot: { kernel: { kernel: { kind: 'external', path: kernel }, initrd: { kind: 'external', path: initrd }, commandLine } },
    disks: (['virtio-blk', 'virtio-scsi', 'ide'] as const).map((bus, index) => ({ id: `disk${String(index)}`, image: { kind: 'own' as const, path: `disks/${bus}.qcow2` }, format: 'qcow2' as const, bus })),
    nics: [{ id: 'net0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' } }],
  })
  for (const disk of plan.definition.disks) execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'qcow2', join(plan.machineFolder, disk.image.path), '64M'])

  await using run = await TestMachine.start(plan)
  expect(run.machine.notes).toEqual([])
  const serial = new SerialSession(await run.machine.openSerial(0))
  await serial.waitFor(guestReady)
  expect(await serial.run('nproc')).toContain('2')
  expect(await serial.run('cat /sys/class/net/*/address')).toContain('52:54:00:12:34:56')
  await serial.run('until [ -e /sys/block/sdb ] && [ -e /sys/block/sda ] && [ -e /sys/block/vda ]; do sleep 0.1; done')
  // The channels of the guest agent and of the clipboard, by the names that their programs look for.
  expect(await serial.run('cat /sys/class/virtio-ports/*/name')).toMatch(/com\.redhat\.spice\.0[\s\S]*org\.qemu\.guest_agent\.0|org\.qemu\.guest_agent\.0[\s\S]*com\.redhat\.spice\.0/u)

  await vi.waitFor(async () => { expect((await run.machine.sample()).guestMemoryUsedBytes).toBeGreaterThan(2 ** 20) }, { timeout: 60_000, interval: 500 })
  await serial.run('dd if=/dev/zero of=/dev/vda bs=1M count=8 conv=fsync')
  expect((await run.machine.sample()).diskWriteBytesPerSecond).toBeGreaterThan(0)

  const agent = connect(runtimePaths(plan.runtimeFolder).agent)
  const heard = new Promise<string>((resolve) => agent.once('data', (data: Buffer) => { resolve(data.toString()) }))
  await serial.run('for port in /sys/class/virtio-ports/*; do if grep -q guest_agent $port/name; then echo hello > /dev/${port##*/}; fi; done')
  expect(await heard).toBe('hello\n')
  agent.destroy()

  await serial.run('kept=in-memory')
  serial[Symbol.dispose]()
  const { ramFormat } = await run.machine.save(filesOf(plan).savedRam, () => undefined, never)

  await using restored = await TestMachine.start({
    ...plan, restore: { schemaVersion: 1, savedAt: '', qemuVersion: plan.qemu.version, accelerator: 'tcg', definition: plan.definition, ramFormat, ramCompression: 'none', ramFile: 'saved/ram.state' },
  })
  expect(restored.machine.notes).toEqual([])
  using again = new SerialSession(await restored.machine.openSerial(0))
  expect(await again.run('echo $kept')).toContain('in-memory')
  expect(await again.run('cat /sys/class/virtio-ports/*/name')).toContain('com.redhat.spice.0')

  await restored.machine.release()
  await using adopted = await TestMachine.adopt(plan)
  await adopted.machine.pressPowerButton()
  await vi.waitFor(() => { expect(adopted.ended).toBeDefined() }, { timeout: 60_000 })
  expect(adopted.ended).toMatchObject({ clean: true, reason: 'The guest shut down.' })
  expect(adopted.events).toContainEqual({ type: 'shuttingDown', by: 'guest' })
  await expect(createQemuEngine().adopt(plan)).rejects.toMatchObject({ code: 'NOT_FOUND', data: { state: 'stopped' } })
})
