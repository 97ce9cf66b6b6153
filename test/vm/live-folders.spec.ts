import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MachineDefinition, mountCommand, SharedFolder } from '@shared/model'
import type { LaunchPlan } from '@core/engine/engine'
import { askVirtiofs, launchVirtiofsd } from '@core/engine/qemu/virtiofs'
import { hardwareOf } from '@core/hardware/hardware'
import { runtimePaths } from '@core/library/paths'
import { buildPrograms, type BuiltPrograms } from './support/build-worker'
import { launchPlan, probedQemu, TestMachine } from './support/engine-plan'
import { fullGuest } from './support/full-guest'
import { atShell } from './support/guest-shell'
import type { LinuxGuest } from './support/guests'
import { guestReady } from './support/initrd'
import { processesNaming } from './support/processes'
import { addMachines, HostProcess } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder, temporaryLibrary } from './support/temporary-folder'

/* Folders that come and go while the guest runs, through virtiofs and by 9p, those of the start as well. */

let folder: TemporaryFolder
let guest: LinuxGuest
let programs: BuiltPrograms
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-live-folders-')
  guest = await fullGuest()
  programs = await buildPrograms()
}, 300_000)
afterAll(async () => {
  await programs[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

const boot = (): Pick<MachineDefinition['boot'], 'kernel'> => ({ kernel: { kernel: { kind: 'external', path: guest.kernel }, initrd: { kind: 'external', path: guest.initrd }, commandLine: guest.commandLine } })

/** A folder with a song in it. */
async function shared(id: string, more: Partial<SharedFolder>): Promise<SharedFolder> {
  const path = join(folder.path, `of, ${id}`.replaceAll(',', more.driver === 'virtiofs' ? '' : ','))
  await mkdir(path, { recursive: true })
  await writeFile(join(path, 'song.txt'), `from ${id}\n`)
  return SharedFolder.parse({ id, tag: id, path, readOnly: false, driver: '9p', ...more })
}

/** What serves folders, with the name of its socket. */
function daemons(): Map<number, string> {
  return new Map(readdirSync('/proc').filter((name) => /^\d+$/u.test(name)).flatMap((pid) => {
    try {
      const socket = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').find((argument) => argument.startsWith(`--socket-path=${folder.path}`))
      return socket === undefined ? [] : [[Number(pid), basename(socket)] as const]
    } catch {
      return []
    }
  }))
}

function served(): string[] {
  return [...new Set(daemons().values())].sort()
}

/** Mounts it, as soon as the guest has found it; until then the kernel may say on the console that it has not. */
const mounting = (each: SharedFolder): string => `mkdir -p /${each.id}; n=0; until ${mountCommand(each, `/${each.id}`)} 2>/dev/null; do n=$((n+1)); [ $n -lt 500 ] || break; usleep 20000; done; cat /${each.id}/song.txt`

test('folders come and go while the guest runs, and memory loads into the board that is left', async (context) => {
  const { virtiofsd, obstacle } = await askVirtiofs((await probedQemu()).systemPath)
  if (virtiofsd === null) context.skip(`no virtiofs here: ${obstacle}`)
  const [first, second] = [await shared('first', { driver: 'virtiofs' }), await shared('second', {})]
  const plan = await launchPlan(join(folder.path, 'library'), { boot: boot(), memoryMiB: 256, sharedFolders: [first, second] })
  const ram = join(plan.machineFolder, 'ram.state')
  const [fast, plain, kept] = [await shared('fast', { driver: 'virtiofs', slot: 0 }), await shared('plain', { slot: 1 }), await shared('kept', { readOnly: true, slot: 2 })]
  let saved: LaunchPlan['restore']
  {
    await using started = await TestMachine.start(plan)
    using serial = new SerialSession(await started.machine.openSerial(0))
    await serial.waitFor(guestReady)
    for (const each of [fast, plain, kept]) {
      await started.machine.changeHardware({ kind: 'plugFolder', folder: each })
      expect(await serial.run(mounting(each))).toContain(`from ${each.id}`)
    }
    await expect(started.machine.changeHardware({ kind: 'plugFolder', folder: fast })).rejects.toThrow('already')
    await expect(started.machine.changeHardware({ kind: 'plugFolder', folder: { ...kept, id: 'other', slot: 3 } })).rejects.toThrow('the tag “kept”')
    await serial.run('echo one >/fast/answer.txt; echo two >/plain/answer.txt')
    expect([await readFile(join(fast.path, 'answer.txt'), 'utf8'), await readFile(join(plain.path, 'answer.txt'), 'utf8')]).toEqual(['one\n', 'two\n'])
    expect(await serial.run('echo three >/kept/answer.txt || echo refused')).toContain('refused')
    expect(await started.machine.snapshotMemory()).toMatchObject({ method: 'none', reason: expect.stringContaining('virtiofs') as string })
    await started.machine.release()

    // Whoever takes it over finds what serves the folder, and asks QEMU which are there.
    const missing = SharedFolder.parse({ ...fast, id: 'missing', tag: 'missing', slot: 3 })
    // One that was cut off before QEMU was told of it.
    const runtime = runtimePaths(plan.runtimeFolder)
    await launchVirtiofsd(virtiofsd ?? expect.fail(), { folder: missing.path, socket: runtime.virtiofs('p3'), readOnly: false }, runtime.virtiofsLog('p3'))
    expect(served()).toEqual(['fs0', 'fsp0', 'fsp3'])
    await using adopted = await TestMachine.adopt({ ...plan, definition: { ...plan.definition, sharedFolders: [first, second, fast, plain, kept, missing] } })
    const { machine } = adopted
    expect(machine.definition.sharedFolders.map(({ id }) => id)).toEqual(['first', 'second', 'fast', 'plain', 'kept'])
    expect(served()).toEqual(['fs0', 'fsp0'])
    expect(await serial.run('cat /fast/answer.txt')).toBe('one')
    // The guest lets go of what is not mounted, those of the start as well, and of what goes through virtiofs at any time.
    await machine.changeHardware({ kind: 'unplugFolder', id: 'first' })
    expect(served()).toEqual(['fsp0'])
    await machine.changeHardware({ kind: 'unplugFolder', id: 'fast' })
    expect(served()).toEqual([])
    expect(await serial.run('cat /fast/answer.txt || echo gone; umount /fast')).toContain('gone')
    // What serves one ends too early: removed and shared anew, the folder is there again.
    await machine.changeHardware({ kind: 'plugFolder', folder: fast })
    expect(await serial.run(`${mounting(fast)}; umount /fast`)).toContain('from fast')
    const told = new Promise<string>((resolve) => { machine.onEvent((event) => { if (event.type === 'note') resolve(event.message) }) })
    for (const pid of daemons().keys()) process.kill(pid, 'SIGKILL')
    expect(await told).toContain('“fast” is out of the guest’s reach')
    await machine.changeHardware({ kind: 'unplugFolder', id: 'fast' })
    await machine.changeHardware({ kind: 'plugFolder', folder: fast })
    expect(await serial.run(`${mounting(fast)}; umount /fast`)).toContain('from fast')
    await machine.changeHardware({ kind: 'unplugFolder', id: 'fast' })
    expect(served()).toEqual([])
    expect(await machine.snapshotMemory()).toMatchObject({ method: 'none', reason: expect.stringMatching(/the folder “(plain|kept)” is mounted/u) as string })
    // And keeps what is, until it is not any more.
    await expect(machine.changeHardware({ kind: 'unplugFolder', id: 'plain' })).rejects.toThrow('does not let go')
    const gone = new Promise<unknown>((resolve) => { machine.onEvent((event) => { if (event.type === 'unplugged') resolve(event.change) }) })
    await serial.run('umount /plain /kept')
    expect(await gone).toEqual({ kind: 'unplugFolder', id: 'plain' })
    const { definition } = machine
    expect(definition).toMatchObject({ sharedFolders: [{ id: 'second', slot: null }, { id: 'kept', slot: 2 }], emptyPlaces: [{ kind: 'folder', at: 0 }] })
    const { ramFormat } = await machine.save(ram, () => undefined, new AbortController().signal)
    saved = { schemaVersion: 1, savedAt: new Date().toISOString(), qemuVersion: plan.qemu.version, accelerator: plan.accelerator, definition, ramFormat, ramCompression: 'none', ramFile: 'ram.state' }
  }
  await using run = await TestMachine.start({ ...plan, definition: saved.definition, restore: saved })
  using serial = new SerialSession(await run.machine.openSerial(0))
  for (const each of [second, kept]) expect(await serial.run(mounting(each))).toContain(`from ${each.id}`)
  // Its memory is shared no more.
  await expect(run.machine.changeHardware({ kind: 'plugFolder', folder: fast })).rejects.toThrow('virtiofs needs memory that other programs may map')
  await run.machine.changeHardware({ kind: 'plugFolder', folder: { ...fast, driver: 'auto' } })
  expect(await serial.run(mounting({ ...fast, driver: '9p' }))).toContain('from fast')
  expect(served()).toEqual([])
})

test('a host that is killed between a folder’s coming or going and the record of it leaves a machine that the next one knows', async (context) => {
  const { virtiofsd, obstacle } = await askVirtiofs((await probedQemu()).systemPath)
  if (virtiofsd === null) context.skip(`no virtiofs here: ${obstacle}`)
  await using library = await temporaryLibrary()
  const first = await shared('first', {})
  const [fast, plain] = [await shared('fast', { driver: 'auto' }), await shared('plain', {})]
  const [id = ''] = await addMachines(library, [{ name: 'Linux', definition: { memoryMiB: 256, memory: { shared: true }, boot: boot(), disks: [], nics: [], sharedFolders: [first] } }])
  const madeLive = { index: 2, name: 'hardware:live-change-made' } as const
  {
    await using host = await HostProcess.start(programs, library)
    await host.calls.machines.start(id)
    await atShell(host, id, (shell) => shell.booted())
    const before = hardwareOf((await host.get(id)).definition)
    const wanted = { ...before, sharedFolders: [first, fast] }
    await host.holdAt(madeLive, ({ hardware }) => hardware.change(id, wanted, before))
    await host.kill()
  }
  {
    await using host = await HostProcess.start(programs, library)
    expect(await host.get(id)).toMatchObject({ state: 'running', next: null, definition: { sharedFolders: [{ id: 'first' }, { id: 'fast', slot: 0 }] } })
    await atShell(host, id, async (shell) => {
      expect(await shell.ask(mounting(fast))).toContain('from fast')
      await shell.ask('echo one >/fast/answer.txt; umount /fast')
    })
    expect(await readFile(join(fast.path, 'answer.txt'), 'utf8')).toBe('one\n')
    const before = hardwareOf((await host.get(id)).definition)
    expect(await host.calls.hardware.change(id, { ...before, sharedFolders: [...before.sharedFolders, plain] }, before)).toMatchObject([{ path: 'sharedFolders.plain', when: 'now' }])
    await atShell(host, id, async (shell) => { expect(await shell.ask(mounting(plain))).toContain('from plain') })
    // Those of the start and of later, and the host is killed when the first has gone.
    const all = hardwareOf((await host.get(id)).definition)
    await host.holdAt(madeLive, ({ hardware }) => hardware.change(id, { ...all, sharedFolders: [] }, all))
    await host.kill()
  }
  {
    await using host = await HostProcess.start(programs, library)
    const view = await host.get(id)
    expect([view.state, view.definition.sharedFolders.map((each) => each.id), view.next?.sharedFolders]).toEqual(['running', ['fast', 'plain'], []])
    // The guest keeps the one that it has mounted, and lets go of it when it has not.
    await host.calls.hardware.discardPending(id)
    const then = hardwareOf((await host.get(id)).definition)
    expect(await host.calls.hardware.change(id, { ...then, sharedFolders: [] }, then)).toMatchObject([{ path: 'sharedFolders.fast', when: 'now' }, { path: 'sharedFolders.plain', when: 'nextStart', reason: expect.stringContaining('does not let go') as string }])
    await atShell(host, id, (shell) => shell.ask('umount /plain'))
    await host.until(id, ({ next }) => next === null)
    expect((await host.get(id)).definition.sharedFolders).toEqual([])
    await host.calls.machines.powerOff(id)
  }
  expect(await processesNaming(library.runtime)).toEqual([])
})
