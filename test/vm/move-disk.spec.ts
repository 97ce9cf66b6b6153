import { createHash } from 'node:crypto'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { newDiskOptions } from '@core/creation'
import { hardwareOf } from '@core/hardware/hardware'
import { prepareGuests } from './support/guests'
import { guestReady } from './support/initrd'
import { OpenLibrary } from './support/open-library'
import { addMachines, type NewMachine } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { readDisk } from './support/sound-machine'
import { StepHooks } from './support/step-hooks'
import { qemuImg, run, SmallDrive } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* A disk moves to another place while a Linux guest writes to it as fast as it can. */

const at = useLibrary()
const MiB = 2 ** 20
const diskMiB = 96

async function linux(name: string): Promise<NewMachine> {
  const { kernel, initrd, commandLine } = (await prepareGuests()).linux
  return {
    name,
    definition: {
      disks: [{ id: 'data', image: { kind: 'own', path: 'disks/data.qcow2' }, format: 'qcow2', bus: 'virtio-blk', serial: 'KEPT-1' }],
      memoryMiB: 192, boot: { order: [], kernel: { kernel: { kind: 'external', path: kernel }, initrd: { kind: 'external', path: initrd }, commandLine } },
    },
    async prepare({ disksFolder }) {
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', newDiskOptions.join(','), join(disksFolder, 'data.qcow2'), String(diskMiB * MiB))
    },
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const imageOf = ({ services }: OpenLibrary, id: string): { kind: string; path: string } => services.library.get(id).definition.disks[0]?.image ?? { kind: '', path: '' }

/** A guest that writes all the time, and keeps count of what it wrote where. */
async function beginWriting(serial: SerialSession): Promise<void> {
  await serial.waitFor(guestReady)
  await serial.run('until [ -e /sys/block/vda ]; do sleep 0.1; done')
  expect(await serial.run('cat /sys/block/vda/serial')).toContain('KEPT-1')
  await serial.run('dd if=/dev/urandom of=/tmp/seed bs=64k count=16 2>/dev/null; touch /tmp/go; (n=0; while [ -e /tmp/go ]; do n=$(( (n * 5 + 7) % 1500 )); dd if=/tmp/seed of=/dev/vda bs=64k seek=$n count=16 conv=notrunc,fsync 2>/dev/null; echo $n >/tmp/last; done; touch /tmp/done) & true')
  await serial.run('until [ -s /tmp/last ]; do sleep 0.1; done')
}

async function keepWriting(serial: SerialSession): Promise<void> {
  await serial.run('touch /tmp/go; (n=3; while [ -e /tmp/go ]; do n=$(( (n * 5 + 11) % 1500 )); dd if=/tmp/seed of=/dev/vda bs=64k seek=$n count=16 conv=notrunc,fsync 2>/dev/null; echo $n >/tmp/last; done; touch /tmp/done) & true')
}

async function goesOn(serial: SerialSession): Promise<void> {
  await serial.run('rm -f /tmp/last; until [ -s /tmp/last ]; do sleep 0.1; done')
}

/** What the guest reads is what the file holds, with all below it. */
async function expectSeen({ calls }: OpenLibrary, id: string, path: string, seen: string): Promise<void> {
  await calls.machines.pause(id)
  expect(sha256(await readDisk(path))).toBe(seen)
  await calls.machines.resume(id)
}

async function fill(drive: SmallDrive): Promise<void> {
  await run('fallocate', ['-l', String((await drive.freeBytes()) - MiB), join(drive.path, 'filler')])
}

async function stopWriting(serial: SerialSession): Promise<string> {
  await serial.run('rm /tmp/go; until [ -e /tmp/done ]; do sleep 0.1; done; rm /tmp/done; sync; echo 3 >/proc/sys/vm/drop_caches')
  return /[0-9a-f]{64}/u.exec(await serial.run('sha256sum /dev/vda'))?.[0] ?? ''
}

test('a disk moves out of the machine’s folder and back under write load, is cancelled, meets a full drive, and is the same all the way', async ({ skip }) => {
  const [id = ''] = await addMachines(at.library, [await linux('Mover')])
  const elsewhere = join(at.library.data, 'elsewhere')
  await mkdir(elsewhere)
  const drive = await SmallDrive.mount(join(at.library.data, 'small'), 64)
  if (typeof drive === 'string') return skip(drive)
  await using _ = drive
  const hooks = new StepHooks()
  await using open = await OpenLibrary.open(at.programs, at.library, hooks)
  const { calls, services } = open
  await calls.machines.start(id)
  const { folder } = await calls.machines.get(id)
  const first = join(folder, 'disks', 'data.qcow2')
  using serial = new SerialSession(await open.openConsole(id, 'serial'))
  await beginWriting(serial)

  const abort = new AbortController()
  await expect(services.images.work({ kind: 'move', path: first, to: elsewhere }, { signal: abort.signal, report: (_fraction, step) => { if (step.startsWith('Copying')) abort.abort() } })).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await readdir(elsewhere)).toEqual([])

  const full = hooks.during(({ name }) => (name === 'move:begun' ? fill(drive) : undefined), () => calls.images.work({ kind: 'move', path: first, to: drive.path }))
  await expect(full).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining(drive.path) as string })
  expect(await readdir(drive.path)).toEqual(['filler'])
  expect(imageOf(open, id)).toEqual({ kind: 'own', path: 'disks/data.qcow2' })
  expect(await readdir(join(folder, 'disks'))).toEqual(['data.qcow2'])
  await expect(services.images.plan({ kind: 'move', path: first, to: drive.path })).resolves.toMatchObject({ issues: [{ code: 'DISK_FULL' }] })

  // Out, while it writes.
  await calls.images.work({ kind: 'move', path: first, to: elsewhere })
  const outside = join(elsewhere, `${basename(folder)}-data.qcow2`)
  expect(await readdir(elsewhere)).toEqual([basename(outside)])
  expect(await readdir(join(folder, 'disks'))).toEqual([])
  expect(imageOf(open, id)).toEqual({ kind: 'external', path: outside })
  await goesOn(serial)
  await expectSeen(open, id, outside, await stopWriting(serial))

  // And back, with another host that has taken the machine over.
  await keepWriting(serial)
  await expect(calls.snapshots.take(id, { name: 'refused', description: '', memory: false, quiesce: false })).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED' })
  await calls.images.work({ kind: 'move', path: outside, to: null })
  expect(await readdir(elsewhere)).toEqual([])
  await goesOn(serial)
  await calls.snapshots.take(id, { name: 'after', description: '', memory: false, quiesce: false })
  await goesOn(serial)
  const seen = await stopWriting(serial)
  await expectSeen(open, id, join(folder, imageOf(open, id).path), seen)
  const before = hardwareOf((await calls.machines.get(id)).definition)
  const limits = { bytesPerSecond: 64 * MiB, bytesReadPerSecond: 0, bytesWrittenPerSecond: 0, requestsPerSecond: 0, readsPerSecond: 0, writesPerSecond: 0 }
  expect(await calls.hardware.change(id, { ...before, disks: before.disks.map((disk) => ({ ...disk, limits })) }, before)).toMatchObject([{ when: 'now' }])
  await expect(calls.images.work({ kind: 'move', path: join(folder, imageOf(open, id).path), to: elsewhere })).rejects.toMatchObject({ message: expect.stringContaining('“after”') as string })
  expect(open.defects).toEqual([])
})
