import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { MachineHardware } from '@shared/model'
import { fullGuest, pointerModules } from './support/full-guest'
import { atShell, type GuestShell } from './support/guest-shell'
import { linuxMachine, storedHardware } from './support/linux-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines, HostProcess, type NewMachine } from './support/real-host'
import { useLibrary } from './support/test-library'
import { VncPointer } from './support/vnc-pointer'

/* The tablet comes and goes while the guest runs, and memory loads with it on the port on which it was. */

const at = useLibrary()
beforeAll(() => fullGuest(), 300_000)

/** The ports of the USB controller on which the guest has a tablet. */
const tablets = 'for d in /sys/bus/usb/devices/*; do grep -q Tablet $d/product 2>/dev/null && cat $d/devpath; done'
const sees = (shell: GuestShell, port: number): Promise<void> => shell.until(`[ "$(${tablets})" = ${String(port)} ]`)
const stick = 'echo 3 >/proc/sys/vm/drop_caches; cat /sys/block/sda/size; dd if=/dev/sda of=/dev/null bs=1M 2>/dev/null && echo read'
const seesNone = (shell: GuestShell): Promise<void> => shell.until(`[ -z "$(${tablets})" ]`)

async function usbLinux(more: NewMachine['definition'] = {}): Promise<NewMachine> {
  const linux = await linuxMachine()
  const { kernel, initrd, commandLine } = await fullGuest()
  const boot = { kernel: { kernel: { kind: 'external', path: kernel }, initrd: { kind: 'external', path: initrd }, commandLine } } as const
  return {
    ...linux, definition: { ...linux.definition, memoryMiB: 320, boot, disks: [{ id: 'stick', bus: 'usb', image: { kind: 'own', path: 'disks/stick.qcow2' }, format: 'qcow2' }], ...more },
    prepare: ({ disksFolder }) => {
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(disksFolder, 'stick.qcow2'), '8M'])
      return Promise.resolve()
    },
  }
}

/** Changes what is stored, and expects that it is so at once. */
async function change(open: Pick<OpenLibrary, 'calls'>, id: string, pointer: MachineHardware['pointer']): Promise<void> {
  const before = storedHardware(await open.calls.machines.get(id))
  expect(await open.calls.hardware.change(id, { ...before, pointer }, before)).toMatchObject([{ path: 'pointer', when: 'now', reason: null }])
  expect(await open.calls.machines.get(id)).toMatchObject({ definition: { pointer }, next: null })
}

test('a running guest gets a tablet and loses it again; memory and snapshots load with it, with the stick beside it where that was', async () => {
  const [id = ''] = await addMachines(at.library, [await usbLinux({ pointer: 'ps2' })])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = open.calls
  const savedAndBack = async (): Promise<void> => {
    await machines.save(id)
    await machines.start(id)
    expect(await machines.get(id)).toMatchObject({ state: 'running', next: null, run: { notes: [] } })
  }
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    await shell.until('[ -b /dev/sda ]')
    await seesNone(shell)
  })
  await change(open, id, 'tablet')
  await atShell(open, id, (shell) => sees(shell, 2))
  const { id: snapshotId } = await snapshots.take(id, { name: 'with it', description: '', memory: true, quiesce: false })
  await savedAndBack()
  await atShell(open, id, async (shell) => {
    await sees(shell, 2)
    expect(await shell.ask(stick)).toBe('16384\nread')
  })
  await change(open, id, 'ps2')
  await atShell(open, id, seesNone)
  await savedAndBack()
  await atShell(open, id, seesNone)
  await change(open, id, 'tablet')
  await atShell(open, id, (shell) => sees(shell, 2))
  await change(open, id, 'ps2')
  await snapshots.revert(id, { snapshotId, memory: true, keepPresent: null, start: true })
  expect(await machines.get(id)).toMatchObject({ definition: { pointer: 'tablet' }, next: null, run: { notes: [] } })
  await atShell(open, id, async (shell) => {
    await sees(shell, 2)
    expect(await shell.ask(stick)).toBe('16384\nread')
  })
  // What changes while the guest is saved comes when it goes on.
  await machines.save(id)
  const before = storedHardware(await machines.get(id))
  expect(await open.calls.hardware.change(id, { ...before, pointer: 'ps2' }, before)).toMatchObject([{ path: 'pointer', when: 'goesOn' }])
  await machines.start(id)
  expect(await machines.get(id)).toMatchObject({ definition: { pointer: 'ps2' }, next: null, run: { notes: [] } })
  await atShell(open, id, seesNone)
  await change(open, id, 'tablet')
  // A start without memory begins anew: the tablet is the first.
  await machines.powerOff(id)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    await sees(shell, 1)
  })
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('who points on the screen moves the guest’s pointer by the tablet where there is one, else by the mouse, in the same connection', async () => {
  const [id = ''] = await addMachines(at.library, [await usbLinux()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines } = open.calls
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    await shell.ask(`for m in ${pointerModules.join(' ')}; do insmod /modules/$m.ko 2>/dev/null; done`)
    using viewer = await VncPointer.connect(await open.openConsole(id, 'graphics'))
    /** The kind of the first event: 2 moves by so much, 3 to a place [linux/input-event-codes.h]. */
    const kindOf = async (name: string): Promise<string> => {
      await shell.until(`grep -q '${name}' /proc/bus/input/devices`)
      return viewer.moveDuring(shell.ask(`d=$(grep -l '${name}' /sys/class/input/event*/device/name | cut -d/ -f5); dd if=/dev/input/$d of=/run/event bs=24 count=1 2>/dev/null; hexdump -s 16 -n 2 -e '1/2 "%u"' /run/event`))
    }
    expect(await kindOf('Tablet')).toBe('3')
    for (const _ of [1, 2]) {
      await change(open, id, 'ps2')
      await shell.until('! grep -q Tablet /proc/bus/input/devices')
      expect(await kindOf('PS/2')).toBe('2')
      await change(open, id, 'tablet')
      expect(await kindOf('Tablet')).toBe('3')
    }
  })
  // Without the tablet of the start the stick stays on the second port.
  await change(open, id, 'ps2')
  await machines.save(id)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await seesNone(shell)
    expect(await shell.ask(stick)).toBe('16384\nread')
  })
  await change(open, id, 'tablet')
  await atShell(open, id, (shell) => sees(shell, 1))
  await machines.powerOff(id)
  expect(open.defects).toEqual([])
})

test('a host that is killed between the plug and its record leaves a machine whose tablet the next one finds, on its port', async () => {
  const [id = ''] = await addMachines(at.library, [await usbLinux({ pointer: 'ps2' })])
  const cutOff = async (host: HostProcess, pointer: MachineHardware['pointer']): Promise<void> => {
    const before = storedHardware(await host.calls.machines.get(id))
    await host.holdAt({ index: 2, name: 'hardware:live-change-made' }, ({ hardware }) => hardware.change(id, { ...before, pointer }, before))
    await host.kill()
  }
  const goesOn = async (host: HostProcess, look: (shell: GuestShell) => Promise<void>): Promise<void> => {
    await atShell(host, id, look)
    await host.calls.machines.save(id)
    await host.calls.machines.start(id)
    expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', next: null, run: { notes: [] } })
    await atShell(host, id, look)
  }
  {
    await using host = await HostProcess.start(at.programs, at.library)
    await host.calls.machines.start(id)
    await atShell(host, id, (shell) => shell.booted())
    await cutOff(host, 'tablet')
  }
  {
    await using host = await HostProcess.start(at.programs, at.library)
    expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { pointer: 'tablet' }, next: null })
    await goesOn(host, (shell) => sees(shell, 2))
    await cutOff(host, 'ps2')
  }
  await using host = await HostProcess.start(at.programs, at.library)
  expect(await host.calls.machines.get(id)).toMatchObject({ state: 'running', definition: { pointer: 'ps2' }, next: null })
  await goesOn(host, seesNone)
  await host.calls.machines.powerOff(id)
})

test('what an older controller, or none, can’t have at once waits with the reason', async () => {
  const [none = '', old = ''] = await addMachines(at.library, [await usbLinux({ pointer: 'ps2', disks: [] }), { ...(await usbLinux({ usbController: 'ehci', disks: [] })), name: 'Old' }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  for (const [id, pointer, reason] of [[none, 'tablet', 'no USB controller'], [old, 'ps2', 'USB 3']] as const) {
    await open.calls.machines.start(id)
    const before = storedHardware(await open.calls.machines.get(id))
    expect(await open.calls.hardware.change(id, { ...before, pointer }, before)).toMatchObject([{ path: 'pointer', when: 'nextStart', reason: expect.stringContaining(reason) as string }])
    expect(await open.calls.machines.get(id)).toMatchObject({ definition: { pointer: before.pointer }, next: { pointer } })
    await open.calls.machines.powerOff(id)
  }
})
