import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { MachineHardware } from '@shared/model'
import { atShell } from './support/guest-shell'
import { grubIso } from './support/guests'
import { linuxMachine, storedHardware } from './support/linux-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines, HostProcess } from './support/real-host'
import { checkImages } from './support/sound-machine'
import { qemuImg } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* Hardware that is changed while a guest is saved to disk: it has at once what is around its memory, the rest when it goes on or is started next. */

const at = useLibrary()

const MiB = 2 ** 20
const card = { id: 'net1', model: 'virtio-net', macAddress: '52:54:00:00:00:02', backend: { type: 'user' }, linkUp: true, slot: null } as const

test('a saved machine: what is around its memory changes at once, a disc that is gone can be taken out, what can be live comes when it goes on, and the rest after its next shut down', async () => {
  const linux = await linuxMachine()
  const disc = join(at.library.data, 'disc.iso')
  await cp(await grubIso(), disc)
  const [id = ''] = await addMachines(at.library, [{ ...linux, definition: { ...linux.definition, cdroms: [{ id: 'cd0', image: { kind: 'external', path: disc }, bus: 'virtio-scsi' }] } }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware } = open.calls
  for (const _ of ['disk0', 'disk1']) await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 16 * MiB }, bus: 'virtio-blk', readOnly: false })
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    await shell.ask('ip link set eth0 up; touch /run/kept')
    await shell.until('[ "$(cat /sys/class/net/eth0/carrier)" = 1 ]')
    // A mounted disc locks its drive.
    await shell.until('mount -t iso9660 /dev/sr0 /mnt')
  })
  const whole = storedHardware(await machines.get(id))
  const emptied = (hardwareNow: MachineHardware): MachineHardware => ({ ...hardwareNow, cdroms: hardwareNow.cdroms.map((drive) => ({ ...drive, image: null })) })
  expect(await hardware.change(id, emptied(whole), whole)).toMatchObject([{ path: 'cdroms.cd0.image', when: 'nextStart', reason: expect.stringContaining('locked') as string }])
  // By force it goes, whatever the guest reads from it; and is put back.
  await hardware.change(id, emptied(whole), emptied(whole), { forceDiscs: true })
  expect(await machines.get(id)).toMatchObject({ definition: { cdroms: [{ image: null }] }, next: null })
  expect(await hardware.change(id, whole, emptied(whole))).toMatchObject([{ path: 'cdroms.cd0.image', when: 'now' }])
  await machines.save(id)
  await rm(disc)
  await expect(machines.start(id)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: disc } })
  const wanted = { ...emptied(whole), memoryMiB: 160, disks: whole.disks.slice(0, 1), nics: whole.nics.map((nic) => ({ ...nic, linkUp: false })) }
  const plan = (await open.services.hardware.plan(id, wanted)).differences.map(({ path, when }) => [path, when])
  expect((await hardware.change(id, wanted, whole)).map(({ path, when }) => [path, when])).toEqual(plan)
  expect(plan).toEqual([['memoryMiB', 'nextStart'], ['disks.disk1', 'goesOn'], ['cdroms.cd0.image', 'now'], ['nics.net0.linkUp', 'now']])
  const waits = { definition: { memoryMiB: 128, disks: [{ id: 'disk0' }, { id: 'disk1' }], cdroms: [{ image: null }], nics: [{ linkUp: false }] }, next: { memoryMiB: 160, disks: [{ id: 'disk0' }], nics: [{ linkUp: false }] } }
  expect(await machines.get(id)).toMatchObject({ state: 'saved', ...waits })
  expect((await open.services.hardware.plan(id, wanted)).waiting.map(({ path, when }) => [path, when])).toEqual([['memoryMiB', 'nextStart'], ['disks.disk1', 'goesOn']])
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ state: 'running', task: null, definition: { ...waits.definition, disks: [{ id: 'disk0' }] }, next: waits.next })
  await atShell(open, id, async (shell) => {
    expect(await shell.ask('ls /run/kept; cat /sys/class/net/eth0/carrier')).toBe('/run/kept\n0')
    expect(await shell.ask('cat /sys/block/sr0/size >/dev/null; dd if=/dev/sr0 of=/dev/null bs=2048 skip=64 count=1 2>/dev/null && echo read || echo gone')).toBe('gone')
  })
  // What was pulled out in the memory is plugged in again.
  await machines.save(id)
  const after = storedHardware(await machines.get(id))
  await hardware.change(id, { ...after, nics: after.nics.map((nic) => ({ ...nic, linkUp: true })) }, after)
  await machines.start(id)
  await atShell(open, id, (shell) => shell.until('[ "$(cat /sys/class/net/eth0/carrier)" = 1 ]'))
  await machines.powerOff(id)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    await shell.until('[ -b /dev/vda ] && [ ! -b /dev/vdb ]')
  })
  expect(await machines.get(id)).toMatchObject({ next: null, definition: { memoryMiB: 160, disks: [{ id: 'disk0' }] } })
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

/** Saves a Linux that has booted with two disks, and changes what it is made of: a disk and a card more, a disk and a card less, another disc, and what only comes at a cold start. */
async function savedAndChanged(open: Pick<OpenLibrary, 'calls' | 'openConsole'>, id: string, disc: string): Promise<void> {
  const { machines, hardware } = open.calls
  for (const _ of ['disk0', 'disk1']) await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 16 * MiB }, bus: 'virtio-blk', readOnly: false })
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    await shell.until('[ -b /dev/vda ] && [ -b /dev/vdb ]')
    await shell.ask('touch /run/kept')
  })
  await machines.save(id)
  await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 64 * MiB }, bus: 'virtio-blk', readOnly: false })
  await hardware.removeDisk(id, { diskId: 'disk1', file: 'keep' })
  const before = storedHardware(await machines.get(id))
  const differences = await hardware.change(id, { ...before, memoryMiB: 160, nics: [card], cdroms: before.cdroms.map((drive) => ({ ...drive, image: { kind: 'external', path: disc } })) }, before)
  expect(differences.map(({ path, when, reason }) => [path, when, reason === null])).toEqual([['memoryMiB', 'nextStart', false], ['cdroms.cd0.image', 'goesOn', true], ['nics.net0', 'goesOn', true], ['nics.net1', 'goesOn', true]])
}

/** What the guest has when all of that has come to pass: it has not booted anew. */
async function expectChanged(open: Pick<OpenLibrary, 'calls' | 'openConsole'>, id: string): Promise<void> {
  expect(await open.calls.machines.get(id)).toMatchObject({
    state: 'running', definition: { memoryMiB: 128, disks: [{ id: 'disk0' }, { id: 'disk2' }], nics: [{ id: 'net1' }], cdroms: [{ image: { kind: 'external' } }] }, next: { memoryMiB: 160 }, run: { notes: [] },
  })
  await atShell(open, id, async (shell) => {
    expect(await shell.ask('ls /run/kept')).toBe('/run/kept')
    await shell.until(`[ "$(cat /sys/block/vd?/size | sort -n | tr '\\n' ' ')" = "${String((16 * MiB) / 512)} ${String((64 * MiB) / 512)} " ]`)
    await shell.until('grep -q 52:54:00:00:00:02 /sys/class/net/*/address && ! grep -q 52:54:00:00:00:01 /sys/class/net/*/address')
    await shell.until('mount -t iso9660 /dev/sr0 /mnt')
    await shell.ask('umount /mnt')
  })
}

test('what can be changed while a guest runs is changed as soon as it goes on from its memory; and it is saved and goes on with that', async () => {
  const [id = ''] = await addMachines(at.library, [await linuxMachine()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines } = open.calls
  await savedAndChanged(open, id, await grubIso())
  await machines.start(id)
  await expectChanged(open, id)
  await machines.save(id)
  await machines.start(id)
  await expectChanged(open, id)
  const { folder } = await machines.get(id)
  await machines.powerOff(id)
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ definition: { memoryMiB: 160, disks: [{ id: 'disk0' }, { id: 'disk2' }], nics: [{ id: 'net1' }] }, next: null })
  await machines.powerOff(id)
  expect(await checkImages(folder)).toEqual({})
  expect(open.defects).toEqual([])
})

test('what a host is killed at just after the guest went on is done by the next one', async () => {
  const disc = await grubIso()
  // Before anything is changed, and between a change and its record.
  for (const step of [{ index: 0, name: 'hardware:places-given' }, { index: 1, name: 'hardware:live-change-made' }]) {
    const [id = ''] = await addMachines(at.library, [{ ...(await linuxMachine()), name: step.name }])
    await using host = await HostProcess.start(at.programs, at.library)
    await savedAndChanged(host, id, disc)
    await host.holdAt(step, ({ machines }) => machines.start(id))
    await host.kill()
    await using next = await HostProcess.start(at.programs, at.library)
    await next.until(id, ({ definition, task }) => task === null && definition.nics[0]?.id === 'net1' && definition.cdroms[0]?.image !== null)
    await expectChanged(next, id)
    await next.calls.machines.powerOff(id)
  }
})

test('what can’t be changed when the guest goes on waits, and a note says why', async () => {
  const [id = '', otherId = ''] = await addMachines(at.library, [await linuxMachine(), { name: 'Other', definition: { disks: [] } }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware } = open.calls
  const shared = join(at.library.data, 'shared.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', shared, String(16 * MiB))
  await machines.start(id)
  await atShell(open, id, (shell) => shell.booted())
  await machines.save(id)
  const use = { source: { kind: 'use', path: shared, format: 'qcow2' }, bus: 'virtio-blk', readOnly: false } as const
  await hardware.addDisk(id, use)
  const before = storedHardware(await machines.get(id))
  await hardware.change(id, { ...before, nics: [...before.nics, card] }, before)
  await hardware.addDisk(otherId, use)
  await machines.start(otherId)
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ state: 'running', task: null, definition: { disks: [], nics: [{ id: 'net0' }, { id: 'net1' }] }, next: { disks: [{ id: 'disk0' }] }, run: { notes: [expect.stringContaining('“Other”')] } })
  await atShell(open, id, (shell) => shell.until('grep -q 52:54:00:00:00:02 /sys/class/net/*/address'))
  await machines.powerOff(otherId)
  await machines.powerOff(id)
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ definition: { disks: [{ id: 'disk0' }] }, next: null })
  expect(open.defects).toEqual([])
})
