import { join } from 'node:path'
import { expect, test } from 'vitest'
import { agentGuest, startAgent } from './support/agent-guest'
import { launchPlan, TestMachine } from './support/engine-plan'
import { fullGuest } from './support/full-guest'
import { atShell, type GuestShell } from './support/guest-shell'
import { storedHardware } from './support/linux-machines'
import { OpenLibrary } from './support/open-library'
import { bareLinux, change, channelNamed, driven, none } from './support/own-devices'
import { addMachines, HostProcess } from './support/real-host'
import { useLibrary } from './support/test-library'

/* Devices of the machine itself that come and go while its guest runs: the balloon, random numbers, the channel of the guest’s agent, and what the watchdog does. */

const at = useLibrary()

const hasRandom = 'grep -q virtio_rng /sys/class/misc/hw_random/rng_available'
const available = `awk '/MemAvailable/{print $2}' /proc/meminfo`
const agentsPort = channelNamed('org.qemu.guest_agent.0')

test('a running guest gets a balloon, which works at once, and random numbers, and loses them again; memory loads with what there was', async () => {
  const [id = ''] = await addMachines(at.library, [await bareLinux()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = open.calls
  const told: number[] = []
  const unwatch = open.services.machines.watchMetrics(({ samples }) => { told.push(...samples.flatMap(({ guestMemoryUsedBytes }) => guestMemoryUsedBytes ?? [])) })
  await machines.start(id)
  const memory = (await machines.get(id)).definition.memory
  const roomy = await atShell(open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask(`${driven('virtio_balloon')} || ${hasRandom} || ${driven('virtio_console')} || echo none`)).toBe('none')
    return Number(await shell.ask(available))
  })
  const whole = async (shell: GuestShell): Promise<void> => {
    await shell.until(`${driven('virtio_balloon')} && ${hasRandom}`)
    await shell.until(`[ $(${available}) -lt ${String(roomy - 50_000)} ]`)
    await shell.until('[ "$(dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c)" = 16 ]')
  }
  const bare = async (shell: GuestShell): Promise<void> => {
    await shell.until(`! ${driven('virtio_balloon')} && ! ${hasRandom}`)
    await shell.until(`[ $(${available}) -gt ${String(roomy - 20_000)} ]`)
  }
  await change(open, id, { balloon: true, randomNumbers: true, memory: { ...memory, targetMiB: 128 } })
  await atShell(open, id, whole)
  await expect.poll(() => told.length).toBeGreaterThan(0)
  unwatch()
  const { id: snapshotId } = await snapshots.take(id, { name: 'whole', description: '', memory: true, quiesce: false })
  await machines.save(id)
  await machines.start(id)
  await atShell(open, id, whole)
  await change(open, id, { balloon: false, randomNumbers: false, memory })
  await atShell(open, id, bare)
  await machines.save(id)
  await machines.start(id)
  await atShell(open, id, bare)
  // What was left is taken again, and what was taken is left: each in its place.
  await change(open, id, { randomNumbers: true })
  await atShell(open, id, (shell) => shell.until(hasRandom))
  await snapshots.revert(id, { snapshotId, memory: true, keepPresent: null, start: true })
  expect(await machines.get(id)).toMatchObject({ state: 'running', next: null, definition: { balloon: true, randomNumbers: true, memory: { targetMiB: 128 } }, run: { notes: [] } })
  await atShell(open, id, whole)
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('the agent’s channel appears in a guest that had none, answers, and disappears; its controller stays for memory’s sake, and goes with the next start', async () => {
  const { initrd } = await agentGuest(join(at.library.data, 'guest'))
  const linux = await bareLinux()
  const kernel = linux.definition?.boot?.kernel ?? expect.fail()
  const [id = ''] = await addMachines(at.library, [await bareLinux({ memoryMiB: 256, boot: { kernel: { ...kernel, initrd: { kind: 'external', path: initrd } } } })])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = open.calls
  const { guests } = open.services
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask('ls /sys/class/virtio-ports 2>/dev/null | wc -l')).toBe('0')
  })
  await expect(guests.info(id)).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', message: expect.stringContaining('no channel') as string })
  const answers = async (): Promise<void> => {
    await atShell(open, id, async (shell) => {
      await shell.until(agentsPort)
      await shell.ask(`hostname web-01; killall qemu-ga 2>/dev/null; ${startAgent}`)
    })
    await expect.poll(() => guests.info(id).then(({ hostName }) => hostName, () => null)).toBe('web-01')
  }
  await change(open, id, { guestAgent: true })
  await answers()
  const { id: snapshotId } = await snapshots.take(id, { name: 'with its agent', description: '', memory: true, quiesce: true })
  await machines.save(id)
  await machines.start(id)
  await expect.poll(() => guests.info(id).then(({ hostName }) => hostName, () => null)).toBe('web-01')
  const goes = async (): Promise<void> => {
    await change(open, id, { guestAgent: false })
    await atShell(open, id, async (shell) => {
      await shell.until(`! ${agentsPort}`)
      expect(await shell.ask(`${driven('virtio_console')} && echo stays`)).toBe('stays')
    })
    await expect(guests.info(id)).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', message: expect.stringContaining('no channel') as string })
  }
  await goes()
  await machines.save(id)
  await machines.start(id)
  await change(open, id, { guestAgent: true })
  await answers()
  await goes()
  await snapshots.revert(id, { snapshotId, memory: true, keepPresent: null, start: true })
  await expect.poll(() => guests.info(id).then(({ hostName }) => hostName, () => null)).toBe('web-01')
  await goes()
  await machines.powerOff(id)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask(`${driven('virtio_console')} || echo gone`)).toBe('gone')
  })
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('over guarded ports, as on Windows, the agent’s channel is reached when it comes', async () => {
  const plan = await launchPlan(join(at.library.data, 'guarded'), { ...none, boot: {}, memoryMiB: 32 })
  await using run = await TestMachine.start(plan, 'win32')
  const { machine } = run
  const channel = { kind: 'plugSystem', part: 'guestAgent' } as const
  await machine.changeHardware({ kind: 'plugChannels' })
  for (const _ of [1, 2]) {
    expect(await machine.freezeObstacle()).toContain('no channel')
    await machine.changeHardware(channel)
    // Nobody is behind it.
    expect(await machine.freezeObstacle()).toContain('did not answer')
    await machine.changeHardware({ ...channel, kind: 'unplugSystem' })
  }
})

test('a host that is killed in the middle leaves a machine whose own devices the next one knows', async () => {
  const [id = ''] = await addMachines(at.library, [await bareLinux()])
  const all = { balloon: true, randomNumbers: true, guestAgent: true }
  const start = await HostProcess.start(at.programs, at.library)
  {
    await using host = start
    await host.calls.machines.start(id)
    await atShell(host, id, (shell) => shell.booted())
    const before = storedHardware(await host.calls.machines.get(id))
    // The balloon is there and noted, the random numbers are there and not noted, and the channel has not come yet.
    await host.holdAt({ index: 4, name: 'hardware:live-change-made' }, ({ hardware }) => hardware.change(id, { ...before, ...all }, before))
    await host.kill()
  }
  {
    await using host = await HostProcess.start(at.programs, at.library)
    expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { balloon: true, randomNumbers: true, guestAgent: false }, next: all })
    await atShell(host, id, (shell) => shell.until(`${driven('virtio_balloon')} && ${hasRandom} && ! ${driven('virtio_console')}`))
    // Asked for once more the rest comes: and again the host is killed, between the controller and its channel.
    await host.calls.hardware.discardPending(id)
    const before = storedHardware(await host.calls.machines.get(id))
    await host.holdAt({ index: 2, name: 'hardware:live-change-made' }, ({ hardware }) => hardware.change(id, { ...before, ...all }, before))
    await host.kill()
  }
  {
    await using host = await HostProcess.start(at.programs, at.library)
    const { machines } = host.calls
    expect(await machines.get(id)).toMatchObject({ state: 'running', definition: { guestAgent: false }, next: all })
    await atShell(host, id, (shell) => shell.until(driven('virtio_console')))
    // The memory has the controller, and what waits comes when it goes on.
    await machines.save(id)
    await machines.start(id)
    expect(await machines.get(id)).toMatchObject({ state: 'running', definition: all, next: null, run: { notes: [] } })
    await atShell(host, id, (shell) => shell.until(agentsPort))
    const before = storedHardware(await machines.get(id))
    // On the way back: the balloon is gone and that is not noted.
    await host.holdAt({ index: 2, name: 'hardware:live-change-made' }, ({ hardware }) => hardware.change(id, { ...before, balloon: false, guestAgent: false }, before))
    await host.kill()
  }
  await using host = await HostProcess.start(at.programs, at.library)
  const { machines } = host.calls
  expect(await machines.get(id)).toMatchObject({ state: 'running', definition: { balloon: false, randomNumbers: true, guestAgent: true }, next: { balloon: false, randomNumbers: true, guestAgent: false } })
  await machines.save(id)
  const before = storedHardware(await machines.get(id))
  expect((await host.calls.hardware.change(id, { ...before, randomNumbers: false }, before)).map(({ path, when }) => [path, when])).toEqual([['randomNumbers', 'goesOn']])
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ state: 'running', definition: none, next: null })
  await atShell(host, id, (shell) => shell.until(`! ${driven('virtio_balloon')} && ! ${hasRandom} && ! ${agentsPort}`))
  await machines.powerOff(id)
})

test('what the watchdog does is changed at once, also in saved memory; a board without PCI Express says why the rest waits', async () => {
  const { kernel, initrd, commandLine } = await fullGuest()
  const boot = { kernel: { kernel: { kind: 'external', path: kernel }, initrd: { kind: 'external', path: initrd }, commandLine } } as const
  const [id = '', old = ''] = await addMachines(at.library, [await bareLinux({ memoryMiB: 320, boot, watchdog: { model: 'i6300esb', action: 'reset' } }), { ...(await bareLinux({ machineType: 'pc-i440fx-7.2' })), name: 'Old' }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware } = open.calls
  await machines.start(id)
  await atShell(open, id, (shell) => shell.booted())
  await change(open, id, { watchdog: { model: 'i6300esb', action: 'none' } })
  await machines.save(id)
  await change(open, id, { watchdog: { model: 'i6300esb', action: 'pause' } })
  await machines.start(id)
  // One second, and nobody feeds it.
  await atShell(open, id, (shell) => shell.ask('watchdog -T 1 -t 60 /dev/watchdog; echo set'))
  await expect.poll(async () => (await machines.get(id)).state).toBe('paused')
  await machines.powerOff(id)

  await machines.start(old)
  const before = storedHardware(await machines.get(old))
  const waiting = await hardware.change(old, { ...before, balloon: true, randomNumbers: true, guestAgent: true }, before)
  expect(waiting.map(({ path, when, reason }) => [path, when, reason?.includes('board')])).toEqual(['guestAgent', 'randomNumbers', 'balloon'].map((path) => [path, 'nextStart', true]))
  await machines.powerOff(old)
  // Where the controller has stayed the channel can come back, and the plan says so.
  await machines.start(old)
  await change(open, old, { guestAgent: false })
  const without = storedHardware(await machines.get(old))
  expect((await open.services.hardware.plan(old, { ...without, guestAgent: true })).differences).toMatchObject([{ path: 'guestAgent', when: 'now' }])
  await change(open, old, { guestAgent: true })
  await machines.powerOff(old)
  expect(open.defects).toEqual([])
})
