import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { constants, getPriority } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { DiskLimits } from '@shared/model'
import { filesOf, launchPlan, TestMachine } from './support/engine-plan'
import { fullGuest, soundModules } from './support/full-guest'
import type { LinuxGuest } from './support/guests'
import { guestReady } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
let guest: LinuxGuest
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-hardware-')
  guest = await fullGuest()
}, 300_000)
afterAll(() => folder[Symbol.asyncDispose]())

const never = new AbortController().signal
const boot = () => ({ kernel: { kernel: { kind: 'external' as const, path: guest.kernel }, initrd: { kind: 'external' as const, path: guest.initrd }, commandLine: guest.commandLine } })
const own = (id: string, bus: 'virtio-blk' | 'sd' | 'floppy' | 'usb') => ({ id, bus, image: { kind: 'own' as const, path: `disks/${id}.qcow2` }, format: 'qcow2' as const })

test('a guest sees everything that it was given', async () => {
  const shared = join(folder.path, 'shared, "music"')
  await mkdir(shared)
  await writeFile(join(shared, 'song.txt'), 'from the host\n')
  const plan = await launchPlan(join(folder.path, 'library'), {
    boot: boot(), memoryMiB: 384, memory: { maximumMiB: 640, pluggedMiB: 128, shared: true }, processors: { sockets: 1, cores: 1, threads: 1, features: ['-avx2', '+aes'], priority: 'low' },
    display: { model: 'virtio-vga', heads: 2, resolution: { width: 1024, height: 600 } }, virtioConsoles: 1, sound: { model: 'intel-hda' }, watchdog: { model: 'i6300esb', action: 'none' }, panicDevice: true,
    disks: [{ ...own('disk0', 'virtio-blk'), serial: 'WD-1234.5' }, own('card', 'sd'), own('floppy0', 'floppy'), own('stick', 'usb')],
    nics: [{ id: 'net0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' }, linkUp: false }],
    sharedFolders: [{ id: 'share0', tag: 'music', path: shared, readOnly: false }], rawArguments: ['-device', '{"driver":"pci-testdev","id":"mine","bus":"pcie.0","addr":"0x1e"}'],
  })
  for (const [id, size] of [['disk0', '64M'], ['card', '64M'], ['floppy0', '1440K'], ['stick', '64M']] as const) execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'qcow2', join(plan.machineFolder, `disks/${id}.qcow2`), size])
  await using run = await TestMachine.start(plan)
  expect(run.machine.notes.filter((note) => !note.includes('sound'))).toEqual([])
  if (process.platform === 'linux') {
    const threads = readdirSync(`/proc/${String(run.machine.qemuPid)}/task`).map(Number)
    expect(threads.length).toBeGreaterThan(2)
    expect(threads.map((thread) => getPriority(thread))).toEqual(threads.map(() => constants.priority.PRIORITY_BELOW_NORMAL))
  }
  using serial = new SerialSession(await run.machine.openSerial(0))
  await serial.waitFor(guestReady)

  // Its driver gives up under software emulation now and then, so the board is asked: multimedia, HD Audio.
  expect(await serial.run('cat /sys/bus/pci/devices/*/class')).toContain('0x040300')
  expect(await serial.run('cat /sys/class/watchdog/watchdog0/identity')).toContain('i6300ESB')
  expect(await serial.run('ls /dev/vsock || echo none')).toContain('none')
  expect(await serial.run('cat /sys/block/vda/serial')).toContain('WD-1234.5')
  await serial.run('await-device /dev/mmcblk0; await-device /dev/sda; await-device /dev/fd0')
  expect(await serial.run('cat /sys/block/mmcblk0/size /sys/block/sda/size')).toMatch(/131072\s+131072/u)
  expect(await serial.run('ip link set eth0 up; cat /sys/class/net/eth0/carrier')).toMatch(/^0$/mu)
  const flags = await serial.run('grep -m 1 -o -w -e aes -e avx2 /proc/cpuinfo')
  expect(flags).toContain('aes')
  expect(flags).not.toMatch(/^avx2/mu)
  expect(await serial.run('cat /sys/bus/pci/devices/*/device')).toContain('0x0005')
  // The memory at start, and one piece of 128 MiB that was plugged in.
  const memory = Number(/MemTotal:\s+(\d+)/u.exec(await serial.run('for i in $(seq 100); do [ $(ls -d /sys/devices/system/memory/memory* | wc -l) -ge 4 ] && break; usleep 50000; done; for m in /sys/devices/system/memory/memory*/state; do echo online >$m 2>/dev/null; done; cat /proc/meminfo'))?.[1])
  expect(memory / 1024).toBeGreaterThan(384)

  expect(await serial.run('mount -t 9p -o trans=virtio music /mnt && cat /mnt/song.txt')).toContain('from the host')
  await serial.run('echo from the guest >/mnt/answer.txt')
  expect(await readFile(join(shared, 'answer.txt'), 'utf8')).toBe('from the guest\n')

  using console = new SerialSession(await run.machine.openSerial(1))
  const heard = console.waitFor('over VirtIO')
  await serial.run('echo over VirtIO >/dev/hvc0')
  await heard

  // One that is not fed in time: QEMU tells of it, and the guest goes on.
  await serial.run('watchdog -T 1 -t 60 /dev/watchdog')
  await expect.poll(() => run.events.filter((event) => event.type === 'note').map(({ message }) => message)).toContainEqual(expect.stringContaining('watchdog ran out'))
  await serial.run('killall watchdog')

  // The same board is made again, and memory loads into it.
  await serial.run('umount /mnt; kept=in-memory')
  const { ramFormat } = await run.machine.save(filesOf(plan).savedRam, () => undefined, never)
  await using restored = await TestMachine.start({
    ...plan, restore: { schemaVersion: 1, savedAt: '', qemuVersion: plan.qemu.version, accelerator: 'tcg', definition: plan.definition, ramFormat, ramCompression: 'none', ramFile: 'saved/ram.state' },
  })
  using again = new SerialSession(await restored.machine.openSerial(0))
  expect(await again.run('echo $kept; cat /sys/class/net/eth0/carrier')).toMatch(/in-memory\s+0/u)
})

test('what the guest plays is heard, and limits of a disk hold from its first moment, also after a snapshot has put another layer on top', async () => {
  const limits = DiskLimits.parse({ bytesPerSecond: 4 * 2 ** 20 })
  const plan = await launchPlan(folder.path, { boot: boot(), memoryMiB: 256, sound: { model: 'es1370' }, disks: [{ ...own('disk0', 'virtio-blk'), limits }, own('free', 'virtio-blk')] })
  for (const id of ['disk0', 'free']) execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'qcow2', join(plan.machineFolder, `disks/${id}.qcow2`), '64M'])
  vi.stubEnv('RINGSIDE_AUDIO', 'wav')
  await using run = await TestMachine.start(plan)
  vi.unstubAllEnvs()
  using serial = new SerialSession(await run.machine.openSerial(0))
  await serial.waitFor(guestReady)
  // One second of noise, at 8 kHz.
  expect(await serial.run(`for m in ${soundModules.join(' ')}; do insmod /modules/$m.ko 2>/dev/null; done; await-device /dev/dsp; head -c 8000 /dev/urandom >/dev/dsp; echo played $?`)).toContain('played 0')
  // QEMU writes it by pieces.
  await expect.poll(async () => (await readFile(join(plan.runtimeFolder, 'qemu.wav'))).subarray(44).some((byte) => byte !== 0)).toBe(true)
  /** Milliseconds that the guest takes to write 12 MiB. */
  const writing = async (device: string): Promise<number> => {
    const said = await serial.run(`a=$(cut -d' ' -f1 /proc/uptime); dd if=/dev/zero of=${device} bs=1M count=12 oflag=direct 2>/dev/null; b=$(cut -d' ' -f1 /proc/uptime); echo took $a $b`)
    const [, from, until] = /took ([\d.]+) ([\d.]+)/u.exec(said) ?? []
    return (Number(until) - Number(from)) * 1000
  }
  const limited = await writing('/dev/vda')
  expect(limited).toBeGreaterThan(1_800)
  expect(await writing('/dev/vdb')).toBeLessThan(limited / 2)

  const overlay = join(plan.machineFolder, 'disks/disk0.next.qcow2')
  execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', 'disk0.qcow2', overlay])
  await run.machine.takeSnapshot({ overlays: { disk0: overlay }, ramFile: null, freezeMs: null }, () => undefined, never)
  expect(await run.machine.topLayers()).toMatchObject({ disk0: overlay })
  expect(await writing('/dev/vda')).toBeGreaterThan(1_800)
})
