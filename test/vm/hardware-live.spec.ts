import { access, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { MachineHardware } from '@shared/model'
import { readProcessTimes } from '@core/engine/qemu/metrics/process-times'
import { findControlGroups, groupOf } from '@core/engine/qemu/process/control-groups'
import { atShell, type GuestShell } from './support/guest-shell'
import { grubIso } from './support/guests'
import { linuxMachine, storedHardware } from './support/linux-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines, HostProcess } from './support/real-host'
import { checkImages, readManifest } from './support/sound-machine'
import { useLibrary } from './support/test-library'

/* Hardware of guests that run: what is plugged in is there, also when they go on from memory, from a host that was killed, and at the next start. */

const at = useLibrary()

const MiB = 2 ** 20
const processSeconds = async (pid: number | null): Promise<number> => (await readProcessTimes(pid ?? 0, [])).processSeconds ?? 0
const card = { id: 'net1', model: 'virtio-net', macAddress: '52:54:00:00:00:02', backend: { type: 'user' }, linkUp: true, slot: null } as const

test('a running guest gets a disk, a card and a disc within seconds and loses them again; with the disk it goes back to a snapshot’s memory', async () => {
  const [id = ''] = await addMachines(at.library, [await linuxMachine()])
  const disc = await grubIso()
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware, snapshots } = open.calls
  await machines.start(id)
  await atShell(open, id, (shell) => shell.booted())

  await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 64 * MiB }, bus: 'virtio-blk', readOnly: false })
  await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 32 * MiB }, bus: 'virtio-scsi', readOnly: false })
  const before = storedHardware(await machines.get(id))
  expect(before.disks).toMatchObject([{ id: 'disk0', slot: 0 }, { id: 'disk1', slot: 0 }])
  const wanted = { ...before, nics: [...before.nics.map((nic) => ({ ...nic, linkUp: false })), card], cdroms: [{ ...before.cdroms[0], image: { kind: 'external', path: disc } }] }
  const plan = await open.services.hardware.plan(id, wanted)
  expect(plan.issues.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(plan.differences.map(({ path, when }) => [path, when])).toEqual(expect.arrayContaining([['nics.net1', 'now'], ['nics.net0.linkUp', 'now'], ['cdroms.cd0.image', 'now']]))
  await hardware.change(id, wanted, before)
  expect((await machines.get(id)).next).toBeNull()

  await atShell(open, id, async (shell) => {
    await shell.until('[ -b /dev/vda ]')
    expect(await shell.ask('cat /sys/block/vda/size')).toBe(String((64 * MiB) / 512))
    await shell.until('[ -b /dev/sda ]')
    await shell.until('grep -q 52:54:00:00:00:02 /sys/class/net/*/address')
    await shell.until('ip link set eth0 up && [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]')
    await shell.until('mount -t iso9660 /dev/sr0 /mnt')
    expect(await shell.ask('ls /mnt')).toContain('boot')
    await shell.ask('umount /mnt; echo kept-of-then | dd of=/dev/vda bs=512 conv=sync 2>/dev/null; sync')
  })

  const snapshot = await snapshots.take(id, { name: 'plugged', description: '', memory: true, quiesce: false })
  await atShell(open, id, (shell) => shell.ask('echo written-later | dd of=/dev/vda bs=512 conv=sync 2>/dev/null; sync; touch /run/later'))
  await snapshots.revert(id, { snapshotId: snapshot.id, memory: true, keepPresent: null, start: true })
  await atShell(open, id, async (shell) => {
    expect(await shell.ask('ls /run/later 2>/dev/null')).toBe('')
    expect(await shell.ask('echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs=512 count=1 2>/dev/null | head -n 1')).toBe('kept-of-then')
    await shell.until('mount -t iso9660 /dev/sr0 /mnt')
    await shell.ask('umount /mnt')
  })

  const plugged = storedHardware(await machines.get(id))
  const left = await hardware.change(id, { ...plugged, nics: plugged.nics.filter(({ id: nic }) => nic !== 'net1'), cdroms: plugged.cdroms.map((drive) => ({ ...drive, image: null })) }, plugged)
  expect(left.every(({ when }) => when === 'now')).toBe(true)
  await hardware.removeDisk(id, { diskId: 'disk0', file: 'keep' })
  await hardware.removeDisk(id, { diskId: 'disk1', file: 'keep' })
  expect(await machines.get(id)).toMatchObject({ next: null, definition: { disks: [], nics: [{ id: 'net0' }], cdroms: [{ image: null }] } })
  await atShell(open, id, async (shell) => {
    await shell.until('[ ! -b /dev/vda ] && [ ! -b /dev/sda ]')
    await shell.until('! grep -q 52:54:00:00:00:02 /sys/class/net/*/address')
  })
  // And goes back to the instant at which it had them.
  await snapshots.revert(id, { snapshotId: snapshot.id, memory: true, keepPresent: null, start: true })
  await atShell(open, id, async (shell) => {
    expect(await shell.ask('dd if=/dev/vda bs=512 count=1 2>/dev/null | head -n 1')).toBe('kept-of-then')
  })
  expect(open.defects).toEqual([])
  const { folder } = await machines.get(id)
  await machines.powerOff(id)
  expect(await checkImages(folder)).toEqual({})
})

test('limits hold from the next request on; what can’t be live waits, is shown, can be taken back, and is there at the next start', async () => {
  const linux = await linuxMachine()
  // Where memory can come, the kernel sets some of what there is aside for it.
  const [id = ''] = await addMachines(at.library, [{ ...linux, definition: { ...linux.definition, memoryMiB: 256, memory: { maximumMiB: 512 } } }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware } = open.calls
  await machines.start(id)
  await atShell(open, id, (shell) => shell.booted())
  await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 64 * MiB }, bus: 'virtio-blk', readOnly: false })
  const before = storedHardware(await machines.get(id))
  const limits = { bytesPerSecond: 2 * MiB, bytesReadPerSecond: 0, bytesWrittenPerSecond: 0, requestsPerSecond: 0, readsPerSecond: 0, writesPerSecond: 0 }
  // By this computer's clock, which the limit goes by: that of a guest on a busy computer can be behind.
  const secondsOfWriting = async (shell: GuestShell): Promise<number> => {
    const from = performance.now()
    expect(await shell.ask('dd if=/dev/zero of=/dev/vda bs=1M count=8 conv=fsync 2>/dev/null && echo written')).toBe('written')
    return (performance.now() - from) / 1000
  }
  const total = `awk '/MemTotal/{print $2}' /proc/meminfo`
  const memory = await atShell(open, id, async (shell) => {
    await shell.until('[ -b /dev/vda ]')
    expect(await secondsOfWriting(shell)).toBeLessThan(3)
    return Number(await shell.ask(total))
  })
  const limited = { ...before, disks: before.disks.map((disk) => ({ ...disk, limits })) }
  expect(await hardware.change(id, limited, before)).toMatchObject([{ path: 'disks.disk0.limits', when: 'now' }])
  await atShell(open, id, async (shell) => {
    expect(await secondsOfWriting(shell)).toBeGreaterThanOrEqual(2)
  })

  // And memory, of which the guest is given as much as is wanted now.
  const plugged = { ...limited, memory: { ...limited.memory, pluggedMiB: 64 } }
  expect(await hardware.change(id, plugged, limited)).toMatchObject([{ path: 'memory.pluggedMiB', when: 'now' }])
  expect(await hardware.change(id, limited, plugged)).toMatchObject([{ path: 'memory.pluggedMiB', when: 'now' }])

  // The balloon takes a part of it, and gives it back.
  const ballooned = { ...limited, memory: { ...limited.memory, targetMiB: 192 } }
  const available = `awk '/MemAvailable/{print $2}' /proc/meminfo`
  await atShell(open, id, async (shell) => {
    const roomy = Number(await shell.ask(available))
    expect(await hardware.change(id, ballooned, limited)).toMatchObject([{ path: 'memory.targetMiB', when: 'now' }])
    await shell.until(`[ $(${available}) -lt ${String(roomy - 50_000)} ]`)
    expect(await hardware.change(id, limited, ballooned)).toMatchObject([{ path: 'memory.targetMiB', when: 'now' }])
    await shell.until(`[ $(${available}) -gt ${String(roomy - 20_000)} ]`)
  })

  // And the host's processor time, of which the kernel keeps account: the guest spins, and is held back.
  const groups = await findControlGroups()
  let gone: string | null = null
  const slow = { ...limited, processors: { ...limited.processors, limitPercent: 30 } }
  if (typeof groups === 'string') expect((await open.services.hardware.plan(id, slow)).issues).toContainEqual(expect.objectContaining({ path: 'processors.limitPercent', severity: 'error' }))
  else {
    expect(await hardware.change(id, slow, limited)).toMatchObject([{ path: 'processors.limitPercent', when: 'now' }])
    const { qemuPid = null } = (await machines.get(id)).run ?? {}
    const group = await groupOf(qemuPid ?? 0, `ringside-${id}`)
    const throttled = async (): Promise<number> => Number(/nr_throttled (\d+)/u.exec(await readFile(join(group?.folder ?? '', 'cpu.stat'), 'utf8'))?.[1])
    await atShell(open, id, (shell) => shell.ask('{ while :; do :; done; } >/dev/null 2>&1 & echo $! >/run/spinner'))
    const [from, cpuFrom, heldFrom] = [performance.now(), await processSeconds(qemuPid), await throttled()]
    await expect.poll(throttled).toBeGreaterThan(heldFrom + 15)
    const share = (await processSeconds(qemuPid) - cpuFrom) / ((performance.now() - from) / 1000)
    expect(share).toBeLessThan(0.4)
    expect(await hardware.change(id, limited, slow)).toMatchObject([{ path: 'processors.limitPercent', when: 'now' }])
    await atShell(open, id, (shell) => shell.ask('kill $(cat /run/spinner)'))
    expect(await readFile(join(group?.folder ?? '', groups.version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us'), 'utf8')).toMatch(/^(max|-1)/u)
    gone = group?.folder ?? null
  }

  const more = { ...limited, memoryMiB: 320, clock: 'localtime' as const }
  const waiting = await hardware.change(id, more, limited)
  expect(waiting.map(({ path, when }) => [path, when])).toEqual([['memoryMiB', 'nextStart'], ['clock', 'nextStart']])
  expect(await machines.get(id)).toMatchObject({ definition: { memoryMiB: 256 }, next: { memoryMiB: 320 } })
  await expect(hardware.change(id, limited, before)).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await hardware.discardPending(id)
  expect(await machines.get(id)).toMatchObject({ definition: { memoryMiB: 256 }, next: null })
  await hardware.change(id, { ...more, memory: { ...more.memory, targetMiB: 224 } }, limited)
  await machines.powerOff(id)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    expect(Number(await shell.ask(total))).toBeGreaterThan(memory + 50_000)
    await shell.until(`[ $(${available}) -lt 200000 ]`)
    await shell.until('[ -b /dev/vda ]')
  })
  expect(await machines.get(id)).toMatchObject({ definition: { memoryMiB: 320, clock: 'localtime', disks: [{ limits }] }, next: null })
  const history = await hardware.history(id)
  expect(history.length).toBeGreaterThanOrEqual(4)
  expect((await hardware.version(id, history.at(-1)?.id ?? '')).disks).toEqual([])
  await machines.powerOff(id)
  if (gone !== null) await expect.poll(() => access(gone ?? '').then(() => 'there', () => 'gone')).toBe('gone')
})

test('a host that is killed in the middle of a plug, or of taking a disk out, leaves a machine that the next one knows', async () => {
  const [id = ''] = await addMachines(at.library, [await linuxMachine()])
  // The steps after the live change was made, before the record says so; and before it was made at all.
  for (const step of [{ index: 5, name: 'hardware:live-change-made' }, { index: 4, name: 'hardware:definition-changed' }]) {
    await using host = await HostProcess.start(at.programs, at.library)
    const { machines } = host.calls
    const isThere = step.name === 'hardware:live-change-made'
    await machines.start(id)
    // What is typed before the guest's shell reads can be lost in part: its port is set up anew as it boots.
    if (isThere) await atShell(host, id, (shell) => shell.booted())
    await host.holdAt(step, ({ hardware }) => hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 16 * MiB }, bus: 'virtio-blk', readOnly: false }))
    await host.kill()
    await using next = await HostProcess.start(at.programs, at.library)
    const view = await next.calls.machines.get(id)
    expect(view.state).toBe('running')
    expect(view.definition.disks).toHaveLength(isThere ? 1 : 0)
    expect(view.next === null).toBe(isThere)
    if (isThere) {
      await atShell(next, id, (shell) => shell.until('[ -b /dev/vda ]'))
      // And once more on the way back: the guest has let go of it, and the record does not say so yet.
      await next.holdAt({ index: 2, name: 'hardware:live-change-made' }, ({ hardware }) => hardware.removeDisk(id, { diskId: 'disk0', file: 'keep' }))
      await next.kill()
      await using last = await HostProcess.start(at.programs, at.library)
      expect(await last.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { disks: [] }, next: null })
      await last.calls.machines.powerOff(id)
      continue
    }
    await next.calls.hardware.removeDisk(id, { diskId: 'disk0', file: 'keep' })
    expect(await next.calls.machines.get(id)).toMatchObject({ definition: { disks: [] }, next: null })
    await next.calls.machines.powerOff(id)
  }
})

test('a processor that is put in is there after the host was killed in the middle, and when the guest goes on from memory; it goes at the next start', async () => {
  const linux = await linuxMachine()
  const [id = ''] = await addMachines(at.library, [{ ...linux, definition: { ...linux.definition, processors: { sockets: 1, cores: 1, threads: 1, maximum: 3 } } }])
  const online = 'cat /sys/devices/system/cpu/online'
  const withPlugged = (hardware: MachineHardware, plugged: number): MachineHardware => ({ ...hardware, processors: { ...hardware.processors, plugged } })
  await using host = await HostProcess.start(at.programs, at.library)
  await host.calls.machines.start(id)
  await atShell(host, id, (shell) => shell.booted())
  const none = storedHardware(await host.calls.machines.get(id))
  await host.holdAt({ index: 2, name: 'hardware:live-change-made' }, (held) => held.hardware.change(id, withPlugged(none, 1), none))
  await host.kill()
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware, snapshots } = open.calls
  expect(await machines.get(id)).toMatchObject({ state: 'running', next: null, definition: { processors: { plugged: 1 } } })
  const one = storedHardware(await machines.get(id))
  expect(await hardware.change(id, withPlugged(one, 2), one)).toMatchObject([{ path: 'processors.plugged', when: 'now' }])
  await atShell(open, id, async (shell) => {
    for (const number of [1, 2]) {
      await shell.until(`[ -d /sys/devices/system/cpu/cpu${String(number)} ]`)
      await shell.ask(`echo 1 >/sys/devices/system/cpu/cpu${String(number)}/online 2>/dev/null`)
    }
    expect(await shell.ask(online)).toBe('0-2')
    await shell.ask('kept=in-memory; touch /run/before')
  })
  const snapshot = await snapshots.take(id, { name: 'with processors', description: '', memory: true, quiesce: false })
  await machines.save(id)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    expect(await shell.ask(`ls /run/before; ${online}`)).toBe('/run/before\n0-2')
    await shell.ask('rm /run/before')
  })
  await snapshots.revert(id, { snapshotId: snapshot.id, memory: true, keepPresent: null, start: true })
  await atShell(open, id, async (shell) => {
    expect(await shell.ask(`ls /run/before; ${online}`)).toBe('/run/before\n0-2')
    // It still computes on each of them.
    expect(await shell.ask('for i in 1 2 3; do (n=0; while [ $n -lt 2000 ]; do n=$((n+1)); done) & done; wait; echo done')).toContain('done')
  })
  const two = storedHardware(await machines.get(id))
  expect(await hardware.change(id, withPlugged(two, 0), two)).toMatchObject([{ path: 'processors.plugged', when: 'nextStart', reason: expect.stringContaining('QEMU crashes') as string }])
  expect(await machines.get(id)).toMatchObject({ definition: { processors: { plugged: 2 } }, next: { processors: { plugged: 0 } } })
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('disks and cards of the start leave, also when the host is killed meanwhile; memory of before and after loads into its own board, and a cold start closes the gaps', async () => {
  const linux = await linuxMachine()
  const nics = [...(linux.definition?.nics ?? []), card]
  const [id = ''] = await addMachines(at.library, [{ ...linux, definition: { ...linux.definition, nics, boot: { ...linux.definition?.boot, order: ['disk0', 'net0'] } } }])
  let whole: string
  {
    await using first = await HostProcess.start(at.programs, at.library)
    const { machines, hardware, snapshots } = first.calls
    for (const _ of ['disk0', 'disk1']) await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 16 * MiB }, bus: 'virtio-blk', readOnly: false })
    await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 32 * MiB }, bus: 'virtio-scsi', readOnly: false })
    await machines.start(id)
    await atShell(first, id, async (shell) => {
      await shell.booted()
      await shell.ask('for disk in vda vdb; do echo of-$disk | dd of=/dev/$disk bs=512 conv=sync 2>/dev/null; done; sync')
    })
    whole = (await snapshots.take(id, { name: 'whole', description: '', memory: true, quiesce: false })).id
    await first.holdAt({ index: 2, name: 'hardware:live-change-made' }, (held) => held.hardware.removeDisk(id, { diskId: 'disk0', file: 'keep' }))
    await first.kill()
  }
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware, snapshots } = open.calls
  expect(await machines.get(id)).toMatchObject({ state: 'running', next: null, definition: { disks: [{ id: 'disk1' }, { id: 'disk2' }], boot: { order: ['net0'] } } })
  const before = storedHardware(await machines.get(id))
  expect((await hardware.change(id, { ...before, nics: [before.nics[1] ?? card], boot: { ...before.boot, order: [] } }, before)).map(({ path, when }) => [path, when])).toEqual([['boot.order', 'now'], ['nics.net0', 'now']])
  await hardware.removeDisk(id, { diskId: 'disk2', file: 'keep' })
  const without = { next: null, definition: { disks: [{ id: 'disk1' }], nics: [{ id: 'net1' }], boot: { order: [] } } }
  expect(await machines.get(id)).toMatchObject(without)
  const { folder, run } = await machines.get(id)
  const opened = await Promise.all((await readdir(`/proc/${String(run?.qemuPid)}/fd`)).map((fd) => readlink(`/proc/${String(run?.qemuPid)}/fd/${fd}`).catch(() => '')))
  expect(opened.filter((path) => path.startsWith(`${folder}/disks/`)).every((path) => path.includes('/disk1.'))).toBe(true)
  const only = '[ ! -b /dev/vda ] && [ -b /dev/vdb ] && [ ! -b /dev/sda ] && ! grep -q 52:54:00:00:00:01 /sys/class/net/*/address && grep -q 52:54:00:00:00:02 /sys/class/net/*/address'
  const reads = 'echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vdb bs=512 count=1 2>/dev/null | head -n 1'
  await atShell(open, id, async (shell) => {
    await shell.until(only)
    await shell.ask('touch /run/alone')
  })

  await machines.save(id)
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject(without)
  await atShell(open, id, async (shell) => {
    expect(await shell.ask(`ls /run/alone; ${reads}`)).toBe('/run/alone\nof-vdb')
    await shell.until(only)
  })
  // A device that comes now takes a place of its own, and not the one that was left.
  await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 16 * MiB }, bus: 'virtio-blk', readOnly: false })
  const alone = await snapshots.take(id, { name: 'alone', description: '', memory: true, quiesce: false })
  await snapshots.revert(id, { snapshotId: whole, memory: true, keepPresent: null, start: true })
  expect(await machines.get(id)).toMatchObject({ state: 'running', next: null, definition: { disks: [{ id: 'disk0' }, { id: 'disk1' }, { id: 'disk2' }], nics: [{ id: 'net0' }, { id: 'net1' }] } })
  await atShell(open, id, async (shell) => {
    expect(await shell.ask(`ls /run/alone 2>/dev/null; dd if=/dev/vda bs=512 count=1 2>/dev/null | head -n 1; ${reads}`)).toBe('of-vda\nof-vdb')
    await shell.until('[ -b /dev/sda ]')
  })
  await snapshots.revert(id, { snapshotId: alone.id, memory: true, keepPresent: null, start: true })
  await atShell(open, id, async (shell) => {
    expect(await shell.ask(`ls /run/alone; ${reads}`)).toBe('/run/alone\nof-vdb')
  })
  await machines.powerOff(id)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    await shell.until('[ -b /dev/vda ] && [ -b /dev/vdb ] && [ ! -b /dev/vdc ]')
    expect(await shell.ask('dd if=/dev/vda bs=512 count=1 2>/dev/null | head -n 1')).toBe('of-vdb')
  })
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
  expect(await checkImages(folder)).toEqual({})
})

test('memory loads whatever cards have come and gone before it was saved, and the networks of the others go on', async () => {
  const [id = ''] = await addMachines(at.library, [await linuxMachine()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware, snapshots } = open.calls
  await machines.start(id)
  await atShell(open, id, (shell) => shell.booted())
  const another = (number: number) => ({ ...card, id: `net${String(number)}`, macAddress: `52:54:00:00:00:0${String(number + 1)}` })
  const change = async (nics: (before: MachineHardware['nics']) => MachineHardware['nics']): Promise<void> => {
    const before = storedHardware(await machines.get(id))
    const differences = await hardware.change(id, { ...before, nics: nics(before.nics) }, before)
    expect(differences.every(({ when }) => when === 'now')).toBe(true)
  }
  const plug = (number: number): Promise<void> => change((nics) => [...nics, another(number)])
  const unplug = (number: number): Promise<void> => change((nics) => nics.filter((nic) => nic.id !== `net${String(number)}`))
  /** Whether QEMU answers on the network of the only card with this address. */
  const answers = (number: number): Promise<void> => atShell(open, id, async (shell) => {
    const name = `$(basename $(dirname $(grep -l ${another(number).macAddress} /sys/class/net/*/address)))`
    await shell.until(`ip link set ${name} up; ip addr replace 10.0.2.${String(20 + number)}/24 dev ${name}; ping -c 1 -W 2 -I ${name} 10.0.2.2 >/dev/null`)
  })
  await plug(1)
  await plug(2)
  await unplug(1)
  await unplug(0)
  await answers(2)
  await machines.save(id)
  await machines.start(id)
  await answers(2)
  // In the place of the first that was plugged in; and a card of the start comes back.
  await plug(3)
  await plug(0)
  await answers(3)
  const { id: snapshotId } = await snapshots.take(id, { name: 'cards', description: '', memory: true, quiesce: false })
  for (const number of [2, 0, 3]) await unplug(number)
  await machines.save(id)
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ definition: { nics: [] } })
  await snapshots.revert(id, { snapshotId, memory: true, keepPresent: null, start: true })
  expect(await machines.get(id)).toMatchObject({ definition: { nics: [{ id: 'net2', slot: 1 }, { id: 'net3', slot: 0 }, { id: 'net0', slot: 2 }] } })
  await answers(3)
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('a guest that does not answer keeps its disk: the wish waits and can be taken back; what was asked for goes when the guest is reset, and comes back at the next start', async () => {
  const linux = await linuxMachine()
  // Nothing is booted: the firmware waits for ever, and knows nothing of ejecting.
  const [id = ''] = await addMachines(at.library, [{ ...linux, definition: { ...linux.definition, boot: {}, memoryMiB: 64 } }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware } = open.calls
  for (const _ of ['disk0', 'disk1']) await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 16 * MiB }, bus: 'virtio-blk', readOnly: false })
  await machines.start(id)
  const before = storedHardware(await machines.get(id))
  const without = { ...before, disks: before.disks.slice(1) }
  expect(await hardware.change(id, without, before)).toMatchObject([{ path: 'disks.disk0', when: 'nextStart', reason: expect.stringContaining('does not let go') as string }])
  expect(await machines.get(id)).toMatchObject({ definition: { disks: [{ id: 'disk0' }, { id: 'disk1' }] }, next: { disks: [{ id: 'disk1' }] } })
  // What waits can be taken back, and it is said that the guest was asked.
  const differing = { ...without, clock: 'localtime' as const }
  await hardware.change(id, differing, without)
  await hardware.discardPending(id)
  expect(await machines.get(id)).toMatchObject({ definition: { disks: [{ id: 'disk0' }, { id: 'disk1' }] }, next: null, run: { notes: [expect.stringContaining('“disk0”')] } })
  await machines.reset(id)
  await expect.poll(async () => (await machines.get(id)).definition.disks.map((disk) => disk.id)).toEqual(['disk1'])
  expect(await machines.get(id)).toMatchObject({ state: 'running', next: { disks: [{ id: 'disk0' }, { id: 'disk1' }] } })
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('a snapshot of a running machine keeps what runs, and what waits goes on waiting', async () => {
  const [id = ''] = await addMachines(at.library, [await linuxMachine()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware, snapshots } = open.calls
  // A disk that goes at the next start only.
  await hardware.addDisk(id, { source: { kind: 'new', sizeBytes: 16 * MiB }, bus: 'sata', readOnly: false })
  await machines.start(id)
  const before = storedHardware(await machines.get(id))
  await hardware.change(id, { ...before, memoryMiB: 160, disks: [] }, before)
  const { folder } = await machines.get(id)
  const { id: snapshotId } = await snapshots.take(id, { name: 'running', description: '', memory: true, quiesce: false })
  expect(await readManifest(folder, snapshotId)).toMatchObject({ definition: { memoryMiB: 128, disks: [{ id: 'disk0' }] }, memory: { definition: { memoryMiB: 128, disks: [{ id: 'disk0' }] } } })
  expect(await machines.get(id)).toMatchObject({ definition: { memoryMiB: 128, disks: [{ id: 'disk0' }] }, next: { memoryMiB: 160, disks: [] } })
  await machines.powerOff(id)
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ definition: { memoryMiB: 160, disks: [] }, next: null })
  await snapshots.revert(id, { snapshotId, memory: true, keepPresent: null, start: true })
  expect(await machines.get(id)).toMatchObject({ state: 'running', definition: { memoryMiB: 128, disks: [{ id: 'disk0' }] }, next: null })
  await machines.powerOff(id)
  expect(await checkImages(folder)).toEqual({})
  await machines.start(id, { disposable: true })
  await expect(hardware.change(id, before, before)).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await machines.powerOff(id)
})
