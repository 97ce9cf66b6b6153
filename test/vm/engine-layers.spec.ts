import { execFile } from 'node:child_process'
import { access, mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nvramLayer, type LaunchPlan, type RunningMachine } from '@core/engine/engine'
import { MachineDefinition } from '@shared/model'
import { launchPlan, TestMachine } from './support/engine-plan'
import { linuxGuest } from './support/guests'
import { guestPrompt } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { goingOn, inLayers, layersIn, ledgerConsole, ledgerPlan, makeDisk, never, overlaysOf, take } from './support/snapshot-machine'
import { qemuImg } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
beforeAll(async () => { folder = await TemporaryFolder.make('rs-layers-') })
afterAll(() => folder[Symbol.asyncDispose]())

const command = promisify(execFile)
const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false)

/** Asks the shell of a running Linux. */
async function ask(machine: RunningMachine, line: string, wait: string | null = null): Promise<string> {
  const port = await machine.openSerial(0)
  using shell = new SerialSession(port)
  try {
    if (wait !== null) await shell.waitFor(wait)
    return await shell.run(line)
  } finally {
    port.destroy()
  }
}

test('UEFI variables are layers too: they go back with memory and without, and branch', async () => {
  const { kernel, initrd, commandLine } = await linuxGuest()
  const external = (path: string): { kind: 'external'; path: string } => ({ kind: 'external', path })
  const plan = await launchPlan(folder.path, {
    firmware: { type: 'uefi' }, memoryMiB: 192, display: { model: 'none' }, disks: [],
    boot: { kernel: { kernel: external(kernel), initrd: external(initrd), commandLine } },
  })
  const first = join(plan.machineFolder, 'firmware/nvram.qcow2')
  let taken: Awaited<ReturnType<typeof take>>
  {
    await using run = await TestMachine.start(plan)
    const { machine } = run
    expect(await machine.topLayers()).toEqual({ [nvramLayer]: first })
    expect(await ask(machine, 'efi-variables Before', guestPrompt)).toContain('Before')
    taken = await take(machine, plan)
    expect(taken.frozen).toEqual({ [nvramLayer]: first })
    expect((await ask(machine, 'efi-variables After')).trim()).toBe('After Before')
    // The flash chips are no disks.
    await machine.sample()
    expect(await machine.sample()).toMatchObject({ diskReadBytesPerSecond: 0, diskWriteBytesPerSecond: 0 })
    // Merged and on top still.
    const [top = ''] = Object.values(await machine.topLayers())
    await machine.pullLayer({ disk: nvramLayer, layer: top, base: null, backingName: null }, () => undefined, never)
    expect((await ask(machine, 'efi-variables Later')).trim()).toBe('After Before Later')
    expect(await machine.topLayers()).toEqual({ [nvramLayer]: top })
  }
  {
    await using other = await TestMachine.start(await goingOn(plan, taken))
    expect((await ask(other.machine, 'efi-variables Other')).trim()).toBe('Before Other')
  }
  const cold = { ...plan, definition: inLayers(plan.definition, plan.machineFolder, await overlaysOf(plan, taken.frozen)) }
  await using again = await TestMachine.start(cold)
  expect((await ask(again.machine, 'efi-variables', guestPrompt)).trim()).toBe('Before')
})

test('a layer of UEFI variables that is missing is said, and not made anew', async () => {
  const plan = await launchPlan(folder.path, { firmware: { type: 'uefi', nvram: 'firmware/nvram.0a1b2c3d.qcow2' } })
  const path = join(plan.machineFolder, 'firmware/nvram.0a1b2c3d.qcow2')
  await expect(TestMachine.start(plan)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path } })
  expect(await exists(path)).toBe(false)
  // Nor is one opened that leads out of the folder.
  await mkdir(join(plan.machineFolder, 'firmware'))
  await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-F', 'qcow2', '-b', '/etc/passwd', path, '528K')
  await expect(TestMachine.start(plan)).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE', data: { path } })
})

test('a disk of 65 layers starts in about the time of one', async () => {
  const plan = await ledgerPlan(folder.path)
  const timed = async (started: LaunchPlan): Promise<number> => {
    const from = performance.now()
    await using run = await TestMachine.start(started)
    const tookMs = performance.now() - from
    using console = await ledgerConsole(run.machine, { ...plan, runtimeFolder: `${started.runtimeFolder}-${String(from)}` })
    await console.next()
    await console.verify()
    return tookMs
  }
  await timed(plan)
  const one = await timed(plan)
  const layers = layersIn(plan)
  for (let depth = 1; depth < 65; depth++) Object.assign(layers, await overlaysOf(plan, { disk0: layers['disk0'] ?? '' }))
  const deep = { ...plan, definition: inLayers(plan.definition, plan.machineFolder, layers) }
  // 64 more files to look at and to open: some tens of milliseconds on an idle computer.
  expect(await timed(deep)).toBeLessThan(one * 3 + 2000)
  // QEMU says what is on top, and one more goes on it.
  await using run = await TestMachine.start(deep)
  expect(await run.machine.topLayers()).toEqual(layers)
  await take(run.machine, deep, { memory: false })
  using console = await ledgerConsole(run.machine, { ...plan, runtimeFolder: 'deep' })
  // The power-off before can have come between the two writes of a number; the next one sets that right.
  await console.next()
  await console.verify()
})

test('a linked clone runs beside its original, whose layers it only reads', async () => {
  const plan = await ledgerPlan(folder.path)
  await using original = await TestMachine.start(plan)
  using there = await ledgerConsole(original.machine, plan)
  await there.write(3)
  const { frozen } = await take(original.machine, plan, { memory: false })
  const clone = await ledgerPlan(folder.path)
  const overlays = await Promise.all(Object.entries(frozen).map(async ([key, below]) => {
    const path = join(clone.machineFolder, 'disks', `${key}.0a1b2c3d.qcow2`)
    await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-F', 'qcow2', '-b', join('../..', basename(plan.machineFolder), 'disks', basename(below)), path, '4M')
    return [key, path] as const
  }))
  const definition = inLayers(clone.definition, clone.machineFolder, Object.fromEntries(overlays))
  await expect(TestMachine.start({ ...clone, definition })).rejects.toMatchObject({ code: 'BACKING_FILE_OUTSIDE' })
  await using run = await TestMachine.start({ ...clone, definition, baseFolders: [plan.machineFolder] })
  using here = await ledgerConsole(run.machine, clone)
  await here.write(3)
  await here.verify()
  await there.verify()
  if (process.platform === 'linux') {
    const flags = await openedForWriting(run.machine.qemuPid)
    expect(flags.filter((path) => path.startsWith(plan.machineFolder))).toEqual([])
    expect(flags).toContain(overlays[0]?.[1])
  }
})

/** The files that a process has open for writing. */
async function openedForWriting(pid: number): Promise<string[]> {
  const { stdout } = await command('sh', ['-c', `for fd in /proc/${String(pid)}/fd/*; do flags=$(sed -n 's/^flags:.*\\([0-7]\\)$/\\1/p' /proc/${String(pid)}/fdinfo/\${fd##*/}); [ "$flags" = 0 ] || readlink $fd; done`])
  return stdout.split('\n')
}

test('disks with the longest of ids have layers like any other', async () => {
  const id = 'a-disk-with-a-very-long-name_01'
  const plan = await ledgerPlan(folder.path)
  await makeDisk(plan, 'long', new Uint8Array(1024 * 1024))
  const disk = { id, image: { kind: 'own', path: 'disks/long.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }
  const definition = MachineDefinition.parse({ ...plan.definition, disks: [...plan.definition.disks, disk] })
  await using run = await TestMachine.start({ ...plan, definition })
  expect(Object.keys(await run.machine.topLayers())).toContain(id)
  await take(run.machine, plan)
  const top = (await run.machine.topLayers())[id] ?? ''
  expect(basename(top)).toMatch(/^a-disk-with-a-very-long-name_01\.[0-9a-f]{8}\.qcow2$/u)
  await run.machine.pullLayer({ disk: id, layer: top, base: null, backingName: null }, () => undefined, never)
  expect(await readdir(join(plan.machineFolder, 'disks'))).toContain('long.qcow2')
})

test('over guarded ports, as on Windows, layers and snapshots are the same', async () => {
  const plan = await ledgerPlan(folder.path)
  await using run = await TestMachine.start(plan, 'win32')
  expect(await run.machine.topLayers()).toEqual(layersIn(plan))
  // The channel of the agent is reached; nobody is behind it.
  expect(await run.machine.freezeObstacle()).toContain('did not answer')
  await take(run.machine, plan)
  using console = await ledgerConsole(run.machine, plan)
  await console.verify()
})
