import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hardwareOf } from '@core/hardware/hardware'
import { OpenLibrary } from './support/open-library'
import { addMachines, HostProcess } from './support/real-host'
import { qemuImg } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* Disks of machines that are off: made, copied, used where they are, taken out, and gone back to. */

const at = useLibrary()

const MiB = 2 ** 20
const adding = { bus: 'virtio-blk', readOnly: false } as const

test('a disk is made, copied or used where it is; one taken out keeps its file, and going back in history finds it again', async () => {
  const [id = ''] = await addMachines(at.library, [{ name: 'Plain', definition: { disks: [] } }])
  const raw = join(at.library.data, 'outside.raw')
  await writeFile(raw, 'content of the image')
  await truncate(raw, 4 * MiB)
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware } = open.calls
  await hardware.addDisk(id, { ...adding, source: { kind: 'new', sizeBytes: 16 * MiB } })
  await hardware.addDisk(id, { ...adding, source: { kind: 'copy', path: raw, format: 'raw' } })
  await hardware.addDisk(id, { ...adding, source: { kind: 'use', path: raw, format: 'raw' } })
  const { definition, folder } = await machines.get(id)
  expect(definition.disks).toMatchObject([
    { id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2' }, { id: 'disk1', image: { kind: 'own', path: 'disks/disk1.qcow2' }, format: 'qcow2' }, { id: 'disk2', image: { kind: 'external', path: raw }, format: 'raw' },
  ])
  expect(await readdir(join(folder, 'disks'))).toEqual(['disk0.qcow2', 'disk1.qcow2'])
  await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, join(folder, 'disks/disk1.qcow2'))
  await hardware.removeDisk(id, { diskId: 'disk0', file: 'keep' })
  await hardware.removeDisk(id, { diskId: 'disk2', file: 'trash' })
  expect((await stat(raw)).size).toBe(4 * MiB)
  const [, before] = await hardware.history(id)
  const past = await hardware.version(id, before?.id ?? '')
  expect(past.disks.map((disk) => disk.id)).toEqual(['disk0', 'disk1', 'disk2'])
  await hardware.change(id, past, hardwareOf((await machines.get(id)).definition))
  expect((await machines.get(id)).definition.disks).toHaveLength(3)
})

test('what can’t be used is refused with all faults, and nothing is left of it', async () => {
  const [id = '', otherId = ''] = await addMachines(at.library, [{ name: 'One', definition: { disks: [] } }, { name: 'Other', definition: { disks: [] } }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware, snapshots } = open.calls
  const add = (source: Parameters<typeof hardware.addDisk>[1]['source'], machine = id): Promise<void> => hardware.addDisk(machine, { ...adding, source })
  await add({ kind: 'new', sizeBytes: 16 * MiB })
  await add({ kind: 'new', sizeBytes: 16 * MiB }, otherId)
  const { folder } = await machines.get(id)
  await snapshots.take(id, { name: 'frozen', description: '', memory: false, quiesce: false })
  const frozen = join(folder, 'disks/disk0.qcow2')
  const before = await machines.get(id)
  const reaching = join(at.library.data, 'reaching.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', '-u', reaching, '1M')
  await expect(add({ kind: 'use', path: join(at.library.data, 'missing.qcow2'), format: 'qcow2' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await expect(add({ kind: 'use', path: 'relative.qcow2', format: 'qcow2' })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await expect(add({ kind: 'use', path: reaching, format: 'qcow2' })).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  await expect(add({ kind: 'copy', path: reaching, format: 'qcow2' })).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  // A snapshot's layer, and another machine's disk.
  await expect(add({ kind: 'use', path: frozen, format: 'qcow2' })).rejects.toMatchObject({ code: 'DISK_IN_USE' })
  await expect(add({ kind: 'use', path: join((await machines.get(otherId)).folder, 'disks/disk0.qcow2'), format: 'qcow2' })).rejects.toMatchObject({ code: 'DISK_IN_USE' })
  const hardwareNow = hardwareOf(before.definition)
  const [disk] = hardwareNow.disks
  await expect(hardware.change(id, { ...hardwareNow, disks: [{ ...disk, image: { kind: 'external', path: '/elsewhere.qcow2' } }], boot: { ...hardwareNow.boot, order: ['nothing'] }, memoryMiB: 99_999_999 }, hardwareNow))
    .rejects.toMatchObject({ code: 'INVALID_INPUT', data: { issues: expect.arrayContaining([expect.objectContaining({ path: 'memoryMiB' })]) as unknown } })
  expect((await open.services.hardware.plan(id, { ...hardwareNow, disks: [{ ...disk, image: { kind: 'external', path: '/elsewhere.qcow2' } }], boot: { ...hardwareNow.boot, order: ['nothing'] } })).issues.map(({ path }) => path)).toEqual(expect.arrayContaining(['disks.0.image', 'boot.order.0']))
  expect((await machines.get(id)).definition).toEqual(before.definition)
  expect((await readdir(join(folder, 'disks'))).filter((name) => name.includes('partial'))).toEqual([])
})

test('the file of a disk that a snapshot reads from stays, whatever is asked for', async () => {
  const [id = ''] = await addMachines(at.library, [{ name: 'One', definition: { disks: [] } }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware, snapshots } = open.calls
  await hardware.addDisk(id, { ...adding, source: { kind: 'new', sizeBytes: 16 * MiB } })
  const { folder } = await machines.get(id)
  const { id: snapshotId } = await snapshots.take(id, { name: 'with the disk', description: '', memory: false, quiesce: false })
  // There is no trash here, which is said while the machine still has the disk.
  await expect(hardware.removeDisk(id, { diskId: 'disk0', file: 'trash' })).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', message: expect.stringContaining('was not taken out') as string })
  expect((await machines.get(id)).definition.disks).toHaveLength(1)
  await hardware.removeDisk(id, { diskId: 'disk0', file: 'keep' })
  expect((await machines.get(id)).definition.disks).toEqual([])
  expect(await readdir(join(folder, 'disks'))).toContain('disk0.qcow2')
  await snapshots.revert(id, { snapshotId, memory: false, keepPresent: null, start: false })
  expect((await machines.get(id)).definition.disks).toHaveLength(1)
})

test('a host that is killed while a disk is added leaves a machine with its disk, or without any trace of it', async () => {
  const raw = join(at.library.data, 'outside.raw')
  await writeFile(raw, 'content of the image')
  await truncate(raw, 4 * MiB)
  const add = { ...adding, source: { kind: 'copy', path: raw, format: 'raw' } } as const
  const filesOf = async (folder: string): Promise<string[]> => readdir(join(folder, 'disks')).catch(() => [])
  for (const [index, name] of ['hardware:disk-begun', 'hardware:disk-made', 'hardware:disk-named', 'hardware:remembered', 'hardware:definition-changed'].entries()) {
    const [id = ''] = await addMachines(at.library, [{ name, definition: { disks: [] } }])
    const isWanted = name === 'hardware:definition-changed'
    await using host = await HostProcess.start(at.programs, at.library)
    await host.holdAt({ index, name }, ({ hardware }) => hardware.addDisk(id, add))
    const { folder } = await host.get(id)
    if (index >= 2) expect(await filesOf(folder)).toEqual(['disk0.qcow2'])
    await host.kill()
    await using open = await OpenLibrary.open(at.programs, at.library)
    const { machines, hardware, snapshots } = open.calls
    expect(await filesOf(folder), name).toEqual(isWanted ? ['disk0.qcow2'] : [])
    expect((await machines.get(id)).definition.disks.map((disk) => disk.id)).toEqual(isWanted ? ['disk0'] : [])
    expect((await snapshots.tree(id)).orphans).toEqual([])
    expect(await readFile(raw, 'latin1')).toMatch(/^content of the image\0+$/u)
    if (!isWanted) await hardware.addDisk(id, add)
    expect((await machines.get(id)).definition.disks).toMatchObject([{ id: 'disk0', image: { path: 'disks/disk0.qcow2' } }])
    await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, join(folder, 'disks/disk0.qcow2'))
    // Nor does a later host take it for left over.
    await open.close()
    await using later = await OpenLibrary.open(at.programs, at.library)
    expect(await filesOf(folder)).toEqual(['disk0.qcow2'])
    expect(later.defects).toEqual([])
  }
})
