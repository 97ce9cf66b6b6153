import { execFile } from 'node:child_process'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LaunchPlan } from '@core/engine/engine'
import { createQemuEngine, describeCommandLine } from '@core/engine/qemu'
import type { DiskFormat } from '@shared/model'
import { counterPlan, launchPlan, probeReport, TestMachine } from './support/engine-plan'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
beforeAll(async () => { folder = await TemporaryFolder.make('rs-fail-') })
afterAll(() => folder[Symbol.asyncDispose]())

const command = promisify(execFile)

/** A machine with one disk, whose file the test has yet to make. */
async function withDisk(format: DiskFormat): Promise<{ plan: LaunchPlan; image: string; img: (...argv: string[]) => Promise<unknown> }> {
  const plan = await launchPlan(folder.path, { disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/a, b.img' }, format, bus: 'virtio-blk' }] })
  return { plan, image: join(plan.machineFolder, 'disks/a, b.img'), img: (...argv) => command(plan.qemu.imgPath, argv) }
}

const start = (plan: LaunchPlan): Promise<unknown> => createQemuEngine().start(plan)

test('a missing disk, a folder as disk and an empty file', async () => {
  const { plan, image } = await withDisk('raw')
  await expect(start(plan)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: image } })
  await mkdir(image)
  await expect(start(plan)).rejects.toMatchObject({ code: 'NOT_A_FILE', data: { path: image } })
  await rm(image, { recursive: true })
  await writeFile(image, '')
  await expect(start(plan)).rejects.toMatchObject({ code: 'FILE_EMPTY', data: { path: image } })
})

test('a missing CD image and a missing kernel name themselves', async () => {
  const plan = await launchPlan(folder.path, { cdroms: [{ id: 'cd0', image: { kind: 'external', path: '/nowhere/cd.iso' }, bus: 'sata' }] })
  await expect(start(plan)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: '/nowhere/cd.iso' } })
  const kernel = await launchPlan(folder.path, { boot: { kernel: { kernel: { kind: 'external', path: '/nowhere/vmlinuz' } } } })
  await expect(start(kernel)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: '/nowhere/vmlinuz' } })
})

test('a kernel that is none is told by QEMU and said in words', async () => {
  const path = join(folder.path, 'no-kernel')
  await writeFile(path, 'not a kernel at all')
  const plan = await launchPlan(folder.path, { boot: { kernel: { kernel: { kind: 'external', path } } } })
  await expect(start(plan)).rejects.toMatchObject({ code: 'IMAGE_UNSUPPORTED', data: { process: { exitCode: 1 } } })
})

test('a qcow2 that is cut short, and one that is something else', async () => {
  const { plan, image, img } = await withDisk('qcow2')
  await img('create', '-q', '-f', 'qcow2', image, '1G')
  await truncate(image, 70_000)
  await expect(start(plan)).rejects.toMatchObject({ code: 'IMAGE_DAMAGED', data: { path: image } })
  await writeFile(image, Buffer.alloc(1024 * 1024, 1))
  await expect(start(plan)).rejects.toMatchObject({ code: 'IMAGE_DAMAGED', data: { path: image } })
})

test('a backing file outside the machine\'s folder is refused, through a link too; one inside is used', async () => {
  const { plan, image, img } = await withDisk('qcow2')
  const outside = join(folder.path, 'outside.img')
  await writeFile(outside, Buffer.alloc(1024 * 1024))
  await img('create', '-q', '-f', 'qcow2', '-b', outside, '-F', 'raw', image)
  await expect(start(plan)).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE', data: { path: image } })
  await rm(image)
  await symlink(outside, join(plan.machineFolder, 'disks/link.img'))
  await img('create', '-q', '-f', 'qcow2', '-b', 'link.img', '-F', 'raw', image)
  await expect(start(plan)).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  await rm(image)
  const base = join(plan.machineFolder, 'disks/base.img')
  await writeFile(base, Buffer.alloc(1024 * 1024))
  await img('create', '-q', '-f', 'qcow2', '-b', 'base.img', '-F', 'raw', image)
  await using run = await TestMachine.start(plan)
  expect(run.ended).toBeUndefined()
  expect((await describeCommandLine(plan)).filter((argument) => argument.includes('"backing":"disk0.base0"'))).toHaveLength(1)
})

test('a data file and a backing file without a format are refused', async () => {
  const { plan, image, img } = await withDisk('qcow2')
  await img('create', '-q', '-f', 'qcow2', '-o', `data_file=${join(folder.path, 'data.raw')}`, image.replace(', ', '-'), '1M')
  await rm(image, { force: true })
  await command('mv', [image.replace(', ', '-'), image])
  await expect(start(plan)).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
})

test('a disk that another machine uses', async () => {
  const first = await counterPlan(folder.path)
  const path = join(first.machineFolder, 'disks/disk0.img')
  await using run = await TestMachine.start(first)
  const second = await launchPlan(folder.path, { disks: [{ id: 'disk0', image: { kind: 'external', path }, format: 'raw', bus: 'sata' }] })
  await expect(start(second)).rejects.toMatchObject({ code: 'DISK_IN_USE', data: { path } })
  expect(run.ended).toBeUndefined()
})

test('more memory than QEMU can get', async () => {
  await expect(start(await launchPlan(folder.path, { memoryMiB: 16_777_216 }))).rejects.toMatchObject({ code: 'QEMU_FAILED', message: 'The computer has not enough free memory for the machine.' })
})

test('an accelerator that does not work', async () => {
  const plan = await launchPlan(folder.path)
  // Only on a computer whose KVM opens and does not work, such as some virtual ones, is this about KVM.
  const { accelerators } = await probeReport()
  const broken = accelerators.find(({ name, works, reason }) => name === 'kvm' && !works && reason === 'failed-to-start')
  if (broken !== undefined) await expect(start({ ...plan, accelerator: 'kvm' })).rejects.toMatchObject({ code: 'ACCELERATOR_UNAVAILABLE', message: expect.stringContaining('KVM') as string })
  // HVF is no part of a build for Linux.
  await expect(start({ ...plan, accelerator: 'hvf' })).rejects.toMatchObject({ code: 'ACCELERATOR_UNAVAILABLE' })
})

test('QEMU that is not where it was', async () => {
  const plan = await launchPlan(folder.path)
  await expect(start({ ...plan, qemu: { ...plan.qemu, systemPath: '/nowhere/qemu-system-x86_64' } })).rejects.toMatchObject({ code: 'QEMU_NOT_FOUND' })
})
