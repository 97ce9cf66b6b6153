import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RevertRequest, SnapshotManifest } from '@shared/model'
import { atShellOf, GuestShell } from './support/guest-shell'
import { linuxGuest } from './support/guests'
import { LedgerConsole, ledgerMachine } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines, type NewMachine } from './support/real-host'
import { checkImages, digests, ledgerOf, readDisks, readManifest, readSnapshot } from './support/sound-machine'
import { qemuImg, run } from './support/storage-host'
import { useLibrary } from './support/test-library'

/* Snapshots of real guests, through the host's own services. */

const at = useLibrary()

const taking = { description: '', memory: true, quiesce: false }
const reverting: Omit<RevertRequest, 'snapshotId'> = { memory: true, keepPresent: null, start: true }

/** A Linux that keeps files on an ext4 of its own; it tells how many on its second serial port. */
async function linuxMachine(definition: NewMachine['definition'] = {}): Promise<NewMachine> {
  const { kernel, initrd, commandLine } = await linuxGuest()
  const external = (path: string): { kind: 'external'; path: string } => ({ kind: 'external', path })
  return {
    name: 'Linux',
    definition: {
      memoryMiB: 128, serialPorts: 2, boot: { kernel: { kernel: external(kernel), initrd: external(initrd), commandLine } },
      disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }],
      ...definition,
    },
    async prepare({ disksFolder }) {
      const raw = join(disksFolder, 'raw')
      await writeFile(raw, '')
      await truncate(raw, 32 * 2 ** 20)
      await run('mke2fs', ['-q', '-t', 'ext4', raw], { env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } })
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, join(disksFolder, 'disk0.qcow2'))
      await rm(raw)
    },
  }
}

class KeeperShell extends GuestShell {
  /** Lets it keep so many files more than it has. @returns how many it has then */
  async keep(more: number): Promise<number> {
    const until = Number(await this.ask('cat /run/files 2>/dev/null || echo 0')) + more
    return Number(await this.ask(`until [ "$(cat /run/files 2>/dev/null || echo 0)" -ge ${String(until)} ]; do usleep 20000; done; cat /run/files`))
  }

  async files(): Promise<number> {
    return Number(await this.ask('cat /run/files'))
  }

  /** How many files are on the disk, each of them whole. */
  async check(): Promise<number> {
    const answer = await this.ask('check-files /mnt')
    expect(answer).toMatch(/^\d+$/u)
    return Number(answer)
  }
}

const mountAndKeep = 'await-device /dev/vda && mount -t ext4 /dev/vda /mnt && { keep-files /mnt >/dev/null 2>&1 & } && echo mounted'

test('a running Linux goes back to the instant of its snapshot, its count and its files with it; clones of that instant have the same', async () => {
  const [id = ''] = await addMachines(at.library, [await linuxMachine()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots, clones } = open.calls
  await machines.start(id)
  const before = await atShellOf(KeeperShell, open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask(mountAndKeep)).toBe('mounted')
    return shell.keep(5)
  })
  const snapshot = await snapshots.take(id, { ...taking, name: 'working' })
  expect(snapshot).toMatchObject({ machineState: 'running', hasScreen: true, kind: 'manual', parentId: null })
  expect(snapshot.method).not.toBe('none')
  const [after, later] = await atShellOf(KeeperShell, open, id, async (shell) => {
    const now = await shell.files()
    const much = await shell.keep(10)
    expect(await shell.check()).toBeGreaterThanOrEqual(much)
    return [now, much]
  })

  await snapshots.revert(id, { ...reverting, snapshotId: snapshot.id })
  expect((await snapshots.tree(id)).current.parentId).toBe(snapshot.id)
  const instant = await atShellOf(KeeperShell, open, id, async (shell) => {
    const told = await shell.files()
    expect(told).toBeGreaterThanOrEqual(before)
    expect(told).toBeLessThan(later)
    const checked = await shell.check()
    expect(checked).toBeGreaterThanOrEqual(told)
    expect(checked).toBeLessThan(later)
    // And it goes on counting.
    await shell.keep(2)
    return told
  })
  expect(instant).toBeLessThanOrEqual(after + 1)

  // A branch that is copied and one that reads from the original, made while that runs; both boot from what was on the disk then.
  for (const kind of ['full', 'linked'] as const) {
    const clone = await clones.clone({ id, snapshotId: snapshot.id, name: `Clone in ${kind}`, kind, warm: false })
    await machines.start(clone)
    await atShellOf(KeeperShell, open, clone, async (shell) => {
      await shell.booted()
      expect(await shell.ask('await-device /dev/vda && mount -t ext4 /dev/vda /mnt && echo mounted')).toBe('mounted')
      const kept = await shell.check()
      expect(kept).toBeGreaterThanOrEqual(before)
      expect(kept).toBeLessThanOrEqual(after + 1)
    })
    await machines.powerOff(clone)
  }
  expect((await machines.get(id)).state).toBe('running')
  await machines.powerOff(id)
  for (const { folder } of await machines.list()) expect(await checkImages(folder)).toEqual({})
})

test('UEFI variables go back with a snapshot, with its memory and without', async () => {
  const linux = await linuxMachine({ firmware: { type: 'uefi' }, memoryMiB: 192, serialPorts: 1 })
  const [id = ''] = await addMachines(at.library, [linux])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = open.calls
  await machines.start(id)
  await atShellOf(KeeperShell, open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask('efi-variables first')).toBe('first ')
  })
  const snapshot = await snapshots.take(id, { ...taking, name: 'first' })
  expect((await readManifest((await machines.get(id)).folder, snapshot.id)).definition.firmware).toMatchObject({ nvram: 'firmware/nvram.qcow2' })
  await atShellOf(KeeperShell, open, id, async (shell) => {
    expect(await shell.ask('efi-variables second')).toBe('first second ')
  })
  await snapshots.revert(id, { ...reverting, snapshotId: snapshot.id })
  await atShellOf(KeeperShell, open, id, async (shell) => {
    expect(await shell.ask('efi-variables')).toBe('first ')
    expect(await shell.ask('efi-variables third')).toBe('first third ')
  })
  // Read anew by the firmware, from what is in the flash.
  await snapshots.revert(id, { ...reverting, snapshotId: snapshot.id, memory: false })
  await atShellOf(KeeperShell, open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask('efi-variables')).toBe('first ')
  })
  await machines.powerOff(id)
  expect(await checkImages((await machines.get(id)).folder)).toEqual({})
})

/** A machine with a ledger that has run and has a snapshot with memory, and the number that it holds. */
async function ledgerWithSnapshot(open: OpenLibrary, id: string): Promise<{ folder: string; snapshotId: string; number: number }> {
  const { machines, snapshots } = open.calls
  const { folder } = await machines.start(id)
  const write = async (): Promise<void> => {
    using console = await LedgerConsole.open(open, id)
    await console.write(3)
  }
  await write()
  const snapshot = await snapshots.take(id, { ...taking, name: 'with memory' })
  await write()
  return { folder, snapshotId: snapshot.id, number: ledgerOf(await readSnapshot(folder, snapshot.id)).number }
}

async function editManifest(folder: string, snapshotId: string, edit: (manifest: SnapshotManifest) => unknown): Promise<string> {
  const path = join(folder, 'snapshots', snapshotId, 'snapshot.json')
  const before = await readFile(path, 'utf8')
  await writeFile(path, JSON.stringify(edit(JSON.parse(before) as SnapshotManifest), null, 2))
  return before
}

test('a snapshot of a newer version is told of and kept, and nothing that it may need is given away', async () => {
  const [id = ''] = await addMachines(at.library, [ledgerMachine('Ledger')])
  let folder: string
  let newer: string
  let other: string
  let content: Record<string, string>
  {
    await using open = await OpenLibrary.open(at.programs, at.library)
    const { machines, snapshots } = open.calls
    ;({ folder, snapshotId: newer } = await ledgerWithSnapshot(open, id))
    await machines.powerOff(id)
    other = (await snapshots.take(id, { ...taking, name: 'other' })).id
    content = digests(await readSnapshot(folder, newer))
  }
  const before = await editManifest(folder, newer, (manifest) => ({ ...manifest, schemaVersion: 99, createdBy: 'ringside 99' }))
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { snapshots } = open.calls
  const tree = await snapshots.tree(id)
  expect(tree.problems).toMatchObject([{ code: 'DEFINITION_NEWER', message: expect.stringContaining('newer') as string, hint: expect.stringContaining('Update') as string }])
  expect(tree.snapshots.map((snapshot) => snapshot.id)).toEqual([other])
  expect(tree.orphans).toEqual([])
  await expect(snapshots.revert(id, { ...reverting, snapshotId: newer })).rejects.toMatchObject({ code: 'DEFINITION_NEWER' })
  await expect(snapshots.delete(id, newer, { children: false })).rejects.toMatchObject({ code: 'DEFINITION_NEWER' })
  // Whatever is done with the others.
  await snapshots.take(id, { ...taking, name: 'third' })
  await snapshots.delete(id, other, { children: false })
  await writeFile(join(folder, 'snapshots', newer, 'snapshot.json'), before)
  expect(digests(await readSnapshot(folder, newer))).toEqual(content)
  expect((await snapshots.tree(id)).problems).toEqual([])
  await snapshots.revert(id, { ...reverting, snapshotId: newer })
  using console = await LedgerConsole.open(open, id)
  await console.verify()
})

test('memory that does not fit the QEMU in use is refused in words, and the disks of that instant are there', async () => {
  const [id = ''] = await addMachines(at.library, [ledgerMachine('Ledger')])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, snapshots } = open.calls
  const { folder, snapshotId, number } = await ledgerWithSnapshot(open, id)
  const mismatches: ((memory: NonNullable<SnapshotManifest['memory']>) => unknown)[] = [
    (memory) => ({ ...memory, definition: { ...memory.definition, machineType: 'pc-q35-99.0' } }),
    (memory) => ({ ...memory, definition: { ...memory.definition, memoryMiB: memory.definition.memoryMiB + 16 } }),
    // State of a device that is not there; one too many would go unnoticed.
    (memory) => ({ ...memory, definition: { ...memory.definition, disks: memory.definition.disks.map((disk) => ({ ...disk, bus: disk.bus === 'sata' ? 'virtio-blk' : 'sata' })) } }),
  ]
  for (const mismatch of mismatches) {
    const before = await editManifest(folder, snapshotId, (manifest) => ({ ...manifest, memory: manifest.memory && mismatch(manifest.memory) }))
    await expect(snapshots.revert(id, { ...reverting, snapshotId })).rejects.toMatchObject({
      message: expect.stringMatching(/“Ledger” is back at “with memory”, but its memory could not be loaded/u) as string,
      data: { hint: expect.stringContaining('power cut') as string },
    })
    const view = await machines.get(id)
    expect(view).toMatchObject({ state: 'stopped', saved: null, crash: null })
    expect(ledgerOf(await readDisks(folder, view.definition)).number).toBe(number)
    await writeFile(join(folder, 'snapshots', snapshotId, 'snapshot.json'), before)
  }
  // The disks alone, as its words advise.
  await machines.start(id)
  {
    using console = await LedgerConsole.open(open, id)
    expect(await console.verify()).toBeGreaterThanOrEqual(number)
  }
  // And with the right record its memory is as good as ever.
  await snapshots.revert(id, { ...reverting, snapshotId })
  {
    using console = await LedgerConsole.open(open, id)
    await console.verify()
  }
  await machines.powerOff(id)
  expect(await checkImages(folder)).toEqual({})
})
