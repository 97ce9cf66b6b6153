import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { LaunchPlan } from '@core/engine/engine'
import { agentGuest, startAgent } from './support/agent-guest'
import { launchPlan, TestMachine } from './support/engine-plan'
import { guestPrompt } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { goingOn, take } from './support/snapshot-machine'
import { qemuImg, run } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
beforeAll(async () => { folder = await TemporaryFolder.make('rs-quiet-') })
afterAll(() => folder[Symbol.asyncDispose]())

const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }

/** A Linux with Debian's guest agent and an ext4 on its disk. */
async function agentPlan(): Promise<LaunchPlan> {
  const { kernel, initrd, commandLine } = await agentGuest(folder.path)
  const external = (path: string): { kind: 'external'; path: string } => ({ kind: 'external', path })
  const plan = await launchPlan(folder.path, {
    memoryMiB: 192, display: { model: 'none' }, boot: { kernel: { kernel: external(kernel), initrd: external(initrd), commandLine } },
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }],
  })
  const raw = folder.in('raw')
  await writeFile(raw, '')
  await truncate(raw, 32 * 2 ** 20)
  await run('mke2fs', ['-q', '-t', 'ext4', raw], { env: environment })
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, join(plan.machineFolder, 'disks/disk0.qcow2'))
  await rm(raw)
  return plan
}

/** What the file system on a frozen layer says of itself, and what one file in it holds. */
async function look(layer: string, file: string): Promise<{ needsRecovery: boolean; content: string }> {
  const raw = `${layer}.raw`
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', layer, raw)
  try {
    const { stdout } = await run('dumpe2fs', ['-h', raw], { env: environment })
    return { needsRecovery: stdout.includes('needs_recovery'), content: (await run('debugfs', ['-R', `cat /${file}`, raw], { env: environment })).stdout }
  } finally {
    await rm(raw)
  }
}

test('the guest agent holds file systems still for the instant of a snapshot, and lets them go again', async () => {
  const plan = await agentPlan()
  await using running = await TestMachine.start(plan)
  const { machine } = running
  const port = await machine.openSerial(0)
  using shell = new SerialSession(port)
  await shell.waitFor(guestPrompt)
  expect(await machine.freezeObstacle()).toContain('did not answer')

  // Asked for and not to be had: a snapshot as after a power cut, and the reason.
  await shell.run('await-device /dev/vda && mount -t ext4 /dev/vda /mnt && echo first >/mnt/note')
  const cut = await take(machine, plan, { memory: false, freezeMs: 2000 })
  expect(cut).toMatchObject({ quiesced: false, notes: [expect.stringContaining('did not answer') as string] })
  expect(await look(cut.frozen['disk0'] ?? '', 'note')).toMatchObject({ needsRecovery: true })

  await shell.run(startAgent)
  await vi.waitFor(async () => { expect(await machine.freezeObstacle()).toBeNull() }, { timeout: 60_000 })

  // What is in the guest's memory only is on the disk by then.
  await shell.run('echo second >/mnt/note')
  const quiet = await take(machine, plan, { memory: false, freezeMs: 20_000 })
  expect(quiet).toMatchObject({ quiesced: true, notes: [] })
  expect(await look(quiet.frozen['disk0'] ?? '', 'note')).toEqual({ needsRecovery: false, content: 'second\n' })
  await shell.run('echo third >/mnt/note && sync')

  // With memory: the guest that goes on from it has file systems that were held, and is let go too.
  const whole = await take(machine, plan, { freezeMs: 20_000 })
  expect(whole).toMatchObject({ quiesced: true })
  await shell.run('echo fourth >/mnt/note && sync')
  expect(machine.notes).toEqual([])
  {
    await using other = await TestMachine.start(await goingOn(plan, whole))
    const there = await other.machine.openSerial(0)
    using branch = new SerialSession(there)
    expect(await branch.run('cat /mnt/note && echo fifth >/mnt/note && sync && cat /mnt/note')).toBe('third\nfifth')
    expect(await other.machine.freezeObstacle()).toBeNull()
    there.destroy()
  }

  // An agent that hangs in the middle holds nobody up, and its guest goes on.
  await shell.run('killall -STOP qemu-ga')
  expect(await take(machine, plan, { memory: false, freezeMs: 2000 })).toMatchObject({ quiesced: false })
  await shell.run('killall -CONT qemu-ga')
  await shell.run('echo sixth >/mnt/note && sync')
  port.destroy()
})
