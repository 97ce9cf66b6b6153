import { access, readFile, rename } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createQemuEngine } from '@core/engine/qemu'
import { runtimePaths } from '@core/library/paths'
import { counterPlan, filesOf, launchPlan, nextCount, TestMachine } from './support/engine-plan'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-life-')
})
afterAll(() => folder[Symbol.asyncDispose]())

const isAlive = (pid: number): Promise<boolean> =>
  access(`/proc/${String(pid)}/exe`).then(
    () => true,
    () => false,
  )

test('a machine starts, pauses, goes on, is reset, shows its screen and is powered off', async () => {
  await using run = await TestMachine.start(await counterPlan(folder.path))
  const { machine, events } = run
  expect(machine.notes).toEqual([])
  expect(machine.paused).toBe(false)
  const count = await nextCount(machine)
  await machine.pause()
  expect(machine.paused).toBe(true)
  await vi.waitFor(() => {
    expect(events).toContainEqual({ type: 'paused', why: 'asked' })
  })
  await machine.resume()
  await vi.waitFor(() => {
    expect(events).toContainEqual({ type: 'resumed' })
  })
  expect(await nextCount(machine, count)).toBeGreaterThan(count)
  const png = await machine.screenshot()
  expect(
    Buffer.from(png ?? [])
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG')
  await machine.reset()
  await vi.waitFor(() => {
    expect(events).toContainEqual({ type: 'reset' })
  })
  await machine.powerOff()
  expect(run.ended).toEqual({ type: 'ended', clean: true, reason: 'The machine was powered off.', failure: null })
  expect(await isAlive(machine.qemuPid)).toBe(false)
})

test('what the guest prints is kept in the log with no console open', async () => {
  const plan = await counterPlan(folder.path)
  await using run = await TestMachine.start(plan)
  await vi.waitFor(
    async () => {
      expect(await readFile(filesOf(plan).serialLog(0), 'latin1')).toMatch(/^[A-P]{4}$/mu)
    },
    { timeout: 30_000 },
  )
  expect(run.ended).toBeUndefined()
})

test('figures are real ones, and what nobody knows is null', async () => {
  await using run = await TestMachine.start(await counterPlan(folder.path))
  await nextCount(run.machine)
  const first = await run.machine.sample()
  expect(first).toMatchObject({ cpuFraction: null, hostCpuCores: null, diskReadBytesPerSecond: null, networkReceiveBytesPerSecond: null })
  expect(first.hostMemoryBytes).toBeGreaterThan(10 * 2 ** 20)
  expect(first.guestMemoryBytes).toBe(64 * 2 ** 20)
  const second = await run.machine.sample()
  expect(second.cpuFraction).toBeGreaterThanOrEqual(0)
  expect(second.hostCpuCores).toBeGreaterThanOrEqual(0)
  expect(second.diskReadBytesPerSecond).toBeGreaterThanOrEqual(0)
  expect(second).toMatchObject({ guestMemoryUsedBytes: null, networkReceiveBytesPerSecond: null, networkTransmitBytesPerSecond: null })
})

test('QEMU that is killed is a crash, with its argv and the signal', async () => {
  await using run = await TestMachine.start(await counterPlan(folder.path))
  process.kill(run.machine.qemuPid, 'SIGKILL')
  await vi.waitFor(() => {
    expect(run.ended).toBeDefined()
  })
  expect(run.ended).toMatchObject({ clean: false, reason: 'QEMU was ended by SIGKILL.', failure: { signal: 'SIGKILL', exitCode: null } })
  expect(run.ended?.failure?.argv).toContain('-nodefaults')
})

test('QEMU that is asked to end by a signal ends in order', async () => {
  await using run = await TestMachine.start(await counterPlan(folder.path))
  process.kill(run.machine.qemuPid, 'SIGTERM')
  await vi.waitFor(() => {
    expect(run.ended).toBeDefined()
  })
  expect(run.ended).toMatchObject({ clean: true, reason: 'QEMU was asked to end by a signal from outside.' })
  expect(run.events).toContainEqual({ type: 'shuttingDown', by: 'host' })
})

test('a machine that was let go of goes on, is taken over, and knows its state', async () => {
  const plan = await counterPlan(folder.path)
  const first = await createQemuEngine().start(plan)
  const count = await nextCount(first)
  await first.pause()
  await first.release()
  await using second = await TestMachine.adopt(plan)
  expect(second.machine.qemuPid).toBe(first.qemuPid)
  expect(second.machine.paused).toBe(true)
  expect(second.machine.notes).toEqual([])
  await second.machine.resume()
  expect(await nextCount(second.machine, count)).toBeGreaterThan(count)
  await second.machine.powerOff()
  expect(second.ended).toMatchObject({ clean: true, reason: 'The machine was powered off.' })
})

test('the end of a machine that was taken over is noticed: killed is a crash', async () => {
  const plan = await counterPlan(folder.path)
  const first = await createQemuEngine().start(plan)
  await first.release()
  await using second = await TestMachine.adopt(plan)
  process.kill(first.qemuPid, 'SIGKILL')
  await vi.waitFor(
    () => {
      expect(second.ended).toBeDefined()
    },
    { timeout: 10_000 },
  )
  expect(second.ended).toMatchObject({ clean: false })
})

test('taking over what has ended says how it ended', async () => {
  const plan = await counterPlan(folder.path)
  const clean = await createQemuEngine().start(plan)
  await clean.powerOff()
  await expect(createQemuEngine().adopt(plan)).rejects.toMatchObject({ code: 'NOT_FOUND', data: { state: 'stopped' } })
  const crashed = await createQemuEngine().start(plan)
  await crashed.release()
  process.kill(crashed.qemuPid, 'SIGKILL')
  // At once: a process that is about to be gone is found, and its sockets still take connections for a moment.
  await expect(createQemuEngine().adopt(plan)).rejects.toMatchObject({ code: 'NOT_FOUND', data: { state: 'crashed' } })
})

test('a monitor whose connection breaks is connected again, and the machine goes on', async () => {
  const plan = await counterPlan(folder.path)
  const first = await createQemuEngine().start(plan)
  await first.release()
  const { qmp } = runtimePaths(plan.runtimeFolder)
  await rename(qmp, `${qmp}-real`)
  const through: Socket[] = []
  const proxy = createServer((socket) => {
    const real = connect(`${qmp}-real`)
    through.push(socket, real)
    for (const end of [socket, real]) end.on('error', () => undefined)
    socket.pipe(real).pipe(socket)
  })
  await new Promise<void>((resolve) => { proxy.listen(qmp, resolve) })
  try {
    await using second = await TestMachine.adopt(plan)
    for (const end of through.splice(0)) end.destroy()
    await vi.waitFor(() => { expect(through.length).toBeGreaterThan(0) }, { timeout: 10_000 })
    await vi.waitFor(() => second.machine.pause(), { timeout: 10_000 })
    await vi.waitFor(() => { expect(second.events).toContainEqual({ type: 'paused', why: 'asked' }) })
    expect(second.ended).toBeUndefined()
    await second.machine.powerOff()
    expect(second.ended).toMatchObject({ clean: true })
  } finally {
    proxy.close()
  }
})

test('a machine that runs is not started again', async () => {
  const plan = await counterPlan(folder.path)
  await using run = await TestMachine.start(plan)
  await expect(createQemuEngine().start(plan)).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  expect(run.ended).toBeUndefined()
})

test('every kind of device comes up, with hostile names around them', async () => {
  const { execFileSync } = await import('node:child_process')
  const plan = await launchPlan(folder.path, {
    name: '-x,debug-threads=off,"q" \'$(reboot)\' ü🖥,',
    serialPorts: 4,
    memoryMiB: 128,
    display: { model: 'virtio-vga' },
    firmware: { type: 'uefi' },
    disks: (['virtio-blk', 'virtio-scsi', 'sata', 'nvme', 'ide', 'usb'] as const).map((bus) => ({
      id: `d-${bus}`,
      image: { kind: 'own' as const, path: `disks/a,b="c" ${bus}.qcow2` },
      format: 'qcow2' as const,
      bus,
    })),
    cdroms: [
      ...(['sata', 'ide', 'virtio-scsi', 'usb'] as const).map((bus) => ({
        id: `cd-${bus}`,
        image: { kind: 'own' as const, path: 'disks/cd.iso' },
        bus,
      })),
      { id: 'empty', image: null, bus: 'sata' as const },
    ],
    nics: (['virtio-net', 'e1000e', 'e1000', 'rtl8139', 'vmxnet3'] as const).map((model, index) => ({
      id: `n${String(index)}`,
      model,
      macAddress: `52:54:00:00:00:0${String(index)}`,
      backend: { type: 'user' as const },
    })),
  })
  for (const disk of plan.definition.disks)
    execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'qcow2', `${plan.machineFolder}/${disk.image.path}`, '64M'])
  execFileSync(plan.qemu.imgPath, ['create', '-q', '-f', 'raw', `${plan.machineFolder}/disks/cd.iso`, '1M'])
  await using run = await TestMachine.start(plan)
  expect(run.machine.notes).toEqual([])
  const graphics = await run.machine.openGraphics()
  const greeting = await new Promise<string>((resolve) => {
    graphics.once('data', (chunk: Buffer) => {
      resolve(chunk.toString('latin1'))
    })
  })
  graphics.destroy()
  expect(greeting).toBe('RFB 003.008\n')
  expect((await readFile(`/proc/${String(run.machine.qemuPid)}/cmdline`, 'utf8')).split('\0')).toContain(
    'guest=-x,,debug-threads=off,,"q" \'$(reboot)\' ü🖥,,,debug-threads=on',
  )
})

test('guarded ports, as on Windows: monitor, screen and serial port', async () => {
  const plan = await counterPlan(folder.path)
  const first = await createQemuEngine('win32').start(plan)
  expect(await nextCount(first)).toBeGreaterThanOrEqual(0)
  await first.release()
  await using second = await TestMachine.adopt(plan, 'win32')
  const graphics = await second.machine.openGraphics()
  const received: Buffer[] = []
  graphics.on('data', (chunk: Buffer) => received.push(chunk))
  const bytes = (): Buffer => Buffer.concat(received)
  await vi.waitFor(() => {
    expect(bytes().toString('latin1')).toContain('RFB 003.008\n')
  })
  graphics.write('RFB 003.008\n')
  await vi.waitFor(() => {
    expect([...bytes().subarray(12)]).toEqual([1, 1])
  })
  graphics.write(Buffer.from([1]))
  await vi.waitFor(() => {
    expect([...bytes().subarray(14, 18)]).toEqual([0, 0, 0, 0])
  })
  graphics.write(Buffer.from([1]))
  // ServerInit: width, height, pixel format, and the name of the desktop.
  await vi.waitFor(() => {
    expect(
      bytes()
        .subarray(18 + 24)
        .toString('latin1'),
    ).toContain('QEMU')
  })
  graphics.destroy()
  expect(await nextCount(second.machine)).toBeGreaterThan(0)
})
