import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connectEndpoint } from '@core/engine/qemu/endpoint'
import { connectQmp, type QmpClient } from '@core/engine/qemu/qmp'
import { dataPaths, runtimePaths } from '@core/library/paths'
import { launchPlan, TestMachine } from './support/engine-plan'
import { atShell, type GuestShell } from './support/guest-shell'
import { storedHardware } from './support/linux-machines'
import { OpenLibrary } from './support/open-library'
import { bareLinux, change, channelNamed, driven, none } from './support/own-devices'
import { addMachines, HostProcess } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { useLibrary } from './support/test-library'

/* The shared clipboard’s channel and consoles over VirtIO, which come and go while the guest runs. */

const at = useLibrary()

const clipboardsPort = channelNamed('com.redhat.spice.0')
const consoleCount = '$(ls -d /sys/class/virtio-ports/vport* 2>/dev/null | wc -l)'

/** Has the guest write to one of its consoles, once it is there (before that the shell would make a file of that name), and expects that at the port which the host has opened for it. */
async function speaks(open: Pick<OpenLibrary, 'openConsole'>, id: string, { port, guest, text }: { port: number; guest: string; text: string }): Promise<void> {
  const stream = await open.openConsole(id, `serial${port}`)
  using session = new SerialSession(stream)
  const heard = session.waitFor(text)
  await atShell(open, id, (shell) => shell.until(`[ -c /dev/${guest} ] && echo "${text}" >/dev/${guest} 2>/dev/null`))
  await heard
  stream.destroy()
}

test('the clipboard’s channel comes and goes while the guest runs; a snapshot and saving take it out for a moment, and it is there again', async () => {
  const [id = '', dark = ''] = await addMachines(at.library, [await bareLinux(), { ...(await bareLinux({ display: { model: 'none' } })), name: 'Dark' }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots, hardware } = open.calls
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask(`${driven('virtio_console')} || echo none`)).toBe('none')
  })
  const isThere = (): Promise<void> => atShell(open, id, (shell) => shell.until(clipboardsPort))
  const isGone = (): Promise<void> => atShell(open, id, async (shell) => {
    await shell.until(`! ${clipboardsPort}`)
    expect(await shell.ask(`${driven('virtio_console')} && echo stays`)).toBe('stays')
  })
  await change(open, id, { clipboard: true })
  await isThere()
  const { id: snapshotId } = await snapshots.take(id, { name: 'shared', description: '', memory: true, quiesce: false })
  expect(await machines.get(id)).toMatchObject({ definition: { clipboard: true }, next: null, run: { notes: [] } })
  await isThere()
  await machines.save(id)
  await machines.start(id)
  await isThere()
  await change(open, id, { clipboard: false })
  await isGone()
  await machines.save(id)
  // It is no part of the memory, and comes as soon as that goes on.
  const saved = storedHardware(await machines.get(id))
  expect((await hardware.change(id, { ...saved, clipboard: true }, saved)).map(({ path, when }) => [path, when])).toEqual([['clipboard', 'goesOn']])
  await machines.start(id)
  await isThere()
  expect(await machines.get(id)).toMatchObject({ definition: { clipboard: true }, next: null, run: { notes: [] } })
  await change(open, id, { clipboard: false })
  await isGone()
  await snapshots.revert(id, { snapshotId, memory: true, keepPresent: null, start: true })
  expect(await machines.get(id)).toMatchObject({ state: 'running', next: null, definition: { clipboard: true }, run: { notes: [] } })
  await isThere()
  await machines.powerOff(id)

  await machines.start(dark)
  const before = storedHardware(await machines.get(dark))
  const waits = [{ path: 'clipboard', when: 'nextStart', reason: expect.stringContaining('without a display') as string }]
  expect(await hardware.change(dark, { ...before, clipboard: true }, before)).toMatchObject(waits)
  expect((await open.services.hardware.plan(dark, { ...before, clipboard: true })).waiting).toMatchObject(waits)
  await machines.powerOff(dark)
  expect(open.defects).toEqual([])
})

test('VirtIO consoles come and go while the guest runs, each at a port of its own with a log; memory loads with those there were', async () => {
  const [id = ''] = await addMachines(at.library, [await bareLinux()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots, hardware } = open.calls
  await machines.start(id)
  await atShell(open, id, (shell) => shell.booted())
  // Serial ports wait for the next start, and consoles are behind those that run.
  const before = storedHardware(await machines.get(id))
  expect((await hardware.change(id, { ...before, serialPorts: 2, virtioConsoles: 2 }, before)).map(({ path, when }) => [path, when])).toEqual([['serialPorts', 'nextStart'], ['virtioConsoles', 'now']])
  expect(await machines.get(id)).toMatchObject({ definition: { serialPorts: 1, virtioConsoles: 2 }, next: { serialPorts: 2, virtioConsoles: 2 } })
  await hardware.discardPending(id)
  await speaks(open, id, { port: 1, guest: 'hvc0', text: 'first console' })
  await speaks(open, id, { port: 2, guest: 'hvc1', text: 'second console' })
  const stays = await open.openConsole(id, 'serial1')
  using typed = new SerialSession(stays)
  await atShell(open, id, async (shell) => {
    await shell.ask('head -n 1 </dev/hvc0 >/typed 2>/dev/null & echo reads')
    typed.sendLine('from the host')
    await shell.until('grep -q "from the host" /typed')
  })
  const { id: snapshotId } = await snapshots.take(id, { name: 'two', description: '', memory: true, quiesce: false })
  await machines.save(id)
  await machines.start(id)
  await speaks(open, id, { port: 2, guest: 'hvc1', text: 'second after its memory' })
  const goes = await open.openConsole(id, 'serial2')
  const closed = once(goes.resume(), 'end')
  await change(open, id, { virtioConsoles: 1 })
  await closed
  const oneLeft = (shell: GuestShell): Promise<void> => shell.until(`[ ${consoleCount} = 1 ] && [ -c /dev/hvc1 ] && ! echo x >/dev/hvc1 2>/dev/null`)
  await atShell(open, id, oneLeft)
  await speaks(open, id, { port: 1, guest: 'hvc0', text: 'first alone' })
  const { library } = dataPaths(at.library.data)
  const [folder = ''] = await readdir(library)
  expect(await readFile(join(library, folder, 'logs/serial2.log'), 'utf8')).toContain('second console')
  await machines.save(id)
  await machines.start(id)
  await atShell(open, id, oneLeft)
  await change(open, id, { virtioConsoles: 0 })
  await atShell(open, id, (shell) => shell.until(`[ ${consoleCount} = 0 ] && ${driven('virtio_console')}`))
  await change(open, id, { virtioConsoles: 1 })
  await speaks(open, id, { port: 1, guest: 'hvc0', text: 'first anew' })
  await snapshots.revert(id, { snapshotId, memory: true, keepPresent: null, start: true })
  expect(await machines.get(id)).toMatchObject({ state: 'running', next: null, definition: { virtioConsoles: 2 }, run: { notes: [] } })
  await speaks(open, id, { port: 2, guest: 'hvc1', text: 'second of the snapshot' })
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('a host that is killed in the middle leaves a machine whose channels and consoles the next one knows', async () => {
  const [id = ''] = await addMachines(at.library, [await bareLinux()])
  const start = await HostProcess.start(at.programs, at.library)
  {
    await using host = start
    await host.calls.machines.start(id)
    await atShell(host, id, (shell) => shell.booted())
    const before = storedHardware(await host.calls.machines.get(id))
    // Nothing has come yet.
    await host.holdAt({ index: 1, name: 'hardware:definition-changed' }, ({ hardware }) => hardware.change(id, { ...before, clipboard: true, virtioConsoles: 3 }, before))
    await host.kill()
  }
  {
    await using host = await HostProcess.start(at.programs, at.library)
    expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { clipboard: false, virtioConsoles: 0 }, next: { clipboard: true, virtioConsoles: 3 } })
    await host.calls.hardware.discardPending(id)
    const before = storedHardware(await host.calls.machines.get(id))
    // The controller, the clipboard’s channel and two consoles are there, the last of them not noted.
    await host.holdAt({ index: 8, name: 'hardware:live-change-made' }, ({ hardware }) => hardware.change(id, { ...before, clipboard: true, virtioConsoles: 3 }, before))
    await host.kill()
  }
  {
    await using host = await HostProcess.start(at.programs, at.library)
    expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { clipboard: true, virtioConsoles: 2 }, next: { clipboard: true, virtioConsoles: 3 } })
    await atShell(host, id, (shell) => shell.until(clipboardsPort))
    await speaks(host, id, { port: 1, guest: 'hvc0', text: 'first console' })
    await speaks(host, id, { port: 2, guest: 'hvc1', text: 'second console' })
    // The memory has them, and what waits comes when it goes on.
    await host.calls.machines.save(id)
    await host.calls.machines.start(id)
    expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { clipboard: true, virtioConsoles: 3 }, next: null, run: { notes: [] } })
    await speaks(host, id, { port: 3, guest: 'hvc2', text: 'third console' })
    const before = storedHardware(await host.calls.machines.get(id))
    // On the way back: the channel and one console are gone, the console not noted.
    await host.holdAt({ index: 4, name: 'hardware:live-change-made' }, ({ hardware }) => hardware.change(id, { ...before, clipboard: false, virtioConsoles: 1 }, before))
    await host.kill()
  }
  await using host = await HostProcess.start(at.programs, at.library)
  expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { clipboard: false, virtioConsoles: 2 }, next: { clipboard: false, virtioConsoles: 1 } })
  await atShell(host, id, (shell) => shell.until(`! ${clipboardsPort} && [ ${consoleCount} = 2 ]`))
  await host.calls.machines.save(id)
  await host.calls.machines.start(id)
  expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { clipboard: false, virtioConsoles: 1 }, next: null })
  await speaks(host, id, { port: 1, guest: 'hvc0', text: 'first is left' })
  await host.calls.machines.powerOff(id)
})

test('whoever takes a machine over makes the clipboard’s channel as its definition has it, whatever a snapshot was about', async () => {
  const plan = await launchPlan(join(at.library.data, 'taken'), { ...none, clipboard: true, boot: {}, memoryMiB: 32 })
  const hasPort = async (qmp: QmpClient): Promise<boolean> => (await qmp.execute('qom-list', { path: '/machine/peripheral' })).some(({ name }) => name === 'sys-vdagent-port')
  const beside = async <Result>(work: (qmp: QmpClient) => Promise<Result>): Promise<Result> => {
    const qmp = await connectQmp(() => connectEndpoint({ kind: 'unix', path: runtimePaths(plan.runtimeFolder).qmp }), { patienceMs: 5000 })
    try {
      return await work(qmp)
    } finally {
      qmp.close()
    }
  }
  await (await TestMachine.start(plan)).machine.release()
  expect(await beside(hasPort)).toBe(true)
  for (const remains of ['all', 'chardev'] as const) {
    await beside(async (qmp) => {
      const deleted = qmp.nextEvent('DEVICE_DELETED', ({ device }) => device === 'sys-vdagent-port')
      await qmp.execute('device_del', { id: 'sys-vdagent-port' })
      await deleted
      if (remains === 'all') await qmp.execute('chardev-remove', { id: 'sys-vdagent' })
    })
    const taken = await TestMachine.adopt(plan)
    expect([taken.machine.definition.clipboard, taken.machine.notes]).toEqual([true, []])
    await taken.machine.release()
    expect(await beside(hasPort)).toBe(true)
  }
  await using without = await TestMachine.adopt({ ...plan, definition: { ...plan.definition, clipboard: false } })
  expect(without.machine.definition).toMatchObject({ clipboard: false, emptyPlaces: [{ kind: 'channelController' }] })
  await without.machine.release()
  expect(await beside(hasPort)).toBe(false)
  await using last = await TestMachine.adopt(plan)
  // Away while its memory is written, and not gone.
  await last.machine.save(join(plan.machineFolder, 'saved/ram.state'), () => undefined, AbortSignal.abort()).catch(() => undefined)
  expect(last.events.filter(({ type }) => type === 'unplugged')).toEqual([])
  expect(last.machine.definition.clipboard).toBe(true)
})

test('over guarded ports, as on Windows, a console is reached when it comes, also by whoever takes the machine over', async () => {
  const plan = await launchPlan(join(at.library.data, 'guarded'), { ...none, boot: {}, memoryMiB: 32 })
  const first = await TestMachine.start(plan, 'win32')
  await expect(first.machine.openSerial(1)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await first.machine.changeHardware({ kind: 'plugChannels' })
  await first.machine.changeHardware({ kind: 'plugConsole', consoles: 1 })
  await first.machine.release()
  await using taken = await TestMachine.adopt({ ...plan, definition: { ...plan.definition, emptyPlaces: [{ kind: 'channelController' }] } }, 'win32')
  expect(taken.machine.definition.virtioConsoles).toBe(1)
  // QEMU takes one client only, and without a driver in the guest it does not notice that one has left.
  const stream = await taken.machine.openSerial(1)
  const cut = once(stream.resume(), 'close')
  await taken.machine.changeHardware({ kind: 'unplugConsole', consoles: 0 })
  await cut
  await expect(taken.machine.openSerial(1)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('serial ports 0 to 0') as string })
})
