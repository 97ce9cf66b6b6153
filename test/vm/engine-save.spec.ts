import { execFile } from 'node:child_process'
import { access, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { LaunchPlan, SavedRun } from '@core/engine/engine'
import { createQemuEngine } from '@core/engine/qemu'
import { assembleSampleDisk, sampleMachineFacts } from '@core/bootcode'
import { counterDisk, counterPlan, filesOf, launchPlan, nextCount, TestMachine } from './support/engine-plan'
import { colourCount, decodePng, difference, type Picture } from './support/screen'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-save-')
})
afterAll(() => folder[Symbol.asyncDispose]())

const command = promisify(execFile)
const never = new AbortController().signal
const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

function restoring(plan: LaunchPlan, ramFormat: SavedRun['ramFormat']): LaunchPlan {
  const { definition, accelerator, qemu } = plan
  return {
    ...plan,
    restore: { schemaVersion: 1, savedAt: new Date().toISOString(), qemuVersion: qemu.version, accelerator, definition, ramFormat, ramCompression: 'none', ramFile: 'saved/ram.state' },
  }
}

/** Everything that can stand in a save's way, with the clipboard's channel among it. */
const withClipboard = { clipboard: true, guestAgent: true, balloon: true }

test('a saved guest goes on where it was, again and again', async () => {
  let plan = await counterPlan(folder.path, withClipboard)
  let last = 0
  for (let round = 0; round < 3; round++) {
    await using run = await TestMachine.start(plan)
    last = await nextCount(run.machine, last)
    const fractions: (number | null)[] = []
    const file = join(plan.machineFolder, 'saved', `ram-${String(round)}`)
    const kept: string[] = []
    const { ramFormat } = await run.machine.save(
      filesOf(plan).savedRam + String(round),
      (fraction) => fractions.push(fraction),
      never,
      async ({ ramFormat: format }) => {
        kept.push(format, String(run.ended === undefined))
        await rename(filesOf(plan).savedRam + String(round), filesOf(plan).savedRam)
      },
    )
    expect(kept).toEqual([ramFormat, 'true'])
    expect(fractions.at(-1)).toBe(1)
    expect(run.ended).toMatchObject({ clean: true })
    expect(run.events.filter((event) => event.type === 'paused')).toEqual([])
    expect((await stat(filesOf(plan).savedRam)).size).toBeGreaterThan(100_000)
    expect(await exists(file)).toBe(false)
    plan = restoring(plan, ramFormat)
  }
  await using run = await TestMachine.start(plan)
  const count = await nextCount(run.machine)
  expect(count).toBeGreaterThanOrEqual(last)
  // A guest that had started anew would be far behind: the counter is not back at its beginning.
  expect(count - last).toBeLessThan(200)
  expect(run.machine.notes).toEqual([])
})

test("a saved guest's screen looks as it did, its colours too", async () => {
  let plan = await launchPlan(folder.path, { disks: [counterDisk], boot: { order: ['disk0'] } })
  await writeFile(join(plan.machineFolder, 'disks/disk0.img'), assembleSampleDisk())
  const { serial } = sampleMachineFacts
  const shownAfter = async (machine: TestMachine['machine']): Promise<Picture> => {
    const port = await machine.openSerial(0)
    try {
      using session = new SerialSession(port)
      await session.waitFor(serial.tick)
      await session.waitFor(serial.tick)
    } finally {
      port.destroy()
    }
    return decodePng((await machine.screenshot()) ?? new Uint8Array())
  }
  let before: Picture
  {
    await using run = await TestMachine.start(plan)
    before = await shownAfter(run.machine)
    expect(colourCount(before)).toBeGreaterThan(100)
    plan = restoring(plan, (await run.machine.save(filesOf(plan).savedRam, () => undefined, never)).ramFormat)
  }
  await using run = await TestMachine.start(plan)
  // The digits of the seconds and the ring's ticks go on.
  expect(difference(before, await shownAfter(run.machine), 8)).toBeLessThan(0.2)
})

test('a save that is cancelled leaves the guest running and no file', async () => {
  const plan = await counterPlan(folder.path, withClipboard)
  await using run = await TestMachine.start(plan)
  const count = await nextCount(run.machine)
  const file = filesOf(plan).savedRam
  await expect(run.machine.save(file, () => undefined, AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await exists(file)).toBe(false)
  expect(await nextCount(run.machine, count)).toBeGreaterThan(count)
  const abort = new AbortController()
  await expect(
    run.machine.save(
      file,
      () => {
        abort.abort()
      },
      abort.signal,
    ),
  ).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await exists(file)).toBe(false)
  expect(await nextCount(run.machine, count)).toBeGreaterThan(count)
  // And the next one works.
  await run.machine.save(file, () => undefined, never)
  expect(run.ended).toMatchObject({ clean: true })
})

test("a save whose record can't be written leaves the guest as it was: paused", async () => {
  const plan = await counterPlan(folder.path)
  await using run = await TestMachine.start(plan)
  await run.machine.pause()
  const file = filesOf(plan).savedRam
  await expect(
    run.machine.save(
      file,
      () => undefined,
      never,
      () => Promise.reject(new Error('no room')),
    ),
  ).rejects.toThrow('no room')
  expect(await exists(file)).toBe(false)
  expect(run.machine.paused).toBe(true)
  await run.machine.resume()
  await nextCount(run.machine)
})

test('a file that is there is not overwritten, and the guest goes on', async () => {
  const plan = await counterPlan(folder.path)
  await using run = await TestMachine.start(plan)
  const file = filesOf(plan).savedRam
  await writeFile(file, 'mine')
  await expect(run.machine.save(file, () => undefined, never)).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  expect(await readFile(file, 'utf8')).toBe('mine')
  await nextCount(run.machine)
})

test.runIf(process.getuid?.() === 0)('a disk that is full is said, and the guest goes on', async (context) => {
  const plan = await counterPlan(folder.path)
  await using run = await TestMachine.start(plan)
  const count = await nextCount(run.machine)
  const small = join(folder.path, 'small')
  await mkdir(small)
  await command('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', small])
  try {
    // A QEMU in a root of its own does not see what is mounted later.
    const sees = await command(plan.qemu.imgPath, ['create', '-f', 'raw', '-o', 'preallocation=full', join(small, 'proof'), '1M']).then(() => false, () => true)
    if (!sees) context.skip()
    await rm(join(small, 'proof'), { force: true })
    const file = join(small, 'ram.state')
    await expect(run.machine.save(file, () => undefined, never)).rejects.toMatchObject({ code: 'DISK_FULL', data: { path: file } })
    expect(await exists(file)).toBe(false)
  } finally {
    await command('umount', [small])
  }
  expect(await nextCount(run.machine, count)).toBeGreaterThan(count)
})

test("a device that can't be saved is named", async () => {
  const plan = await counterPlan(folder.path, {
    disks: [counterDisk, { id: 'disk1', image: { kind: 'own', path: 'disks/second.img' }, format: 'raw', bus: 'nvme' }],
  })
  await writeFile(join(plan.machineFolder, 'disks/second.img'), Buffer.alloc(1024 * 1024))
  await using run = await TestMachine.start(plan)
  await expect(run.machine.save(filesOf(plan).savedRam, () => undefined, never)).rejects.toMatchObject({
    code: 'CAPABILITY_MISSING',
    message: expect.stringContaining('nvme') as string,
  })
  await nextCount(run.machine)
})

test('saved state that is missing or damaged is said, and nothing runs afterwards', async () => {
  const plan = restoring(await counterPlan(folder.path), 'stream')
  await expect(createQemuEngine().start(plan)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await writeFile(filesOf(plan).savedRam, Buffer.alloc(100_000, 7))
  await expect(createQemuEngine().start(plan)).rejects.toMatchObject({
    code: 'QEMU_FAILED',
    data: { process: { command: plan.qemu.systemPath } },
  })
  await vi.waitFor(async () => {
    await expect(createQemuEngine().adopt(plan)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
