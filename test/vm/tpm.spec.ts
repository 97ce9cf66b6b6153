import { createHash } from 'node:crypto'
import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { MachineView } from '@shared/model'
import { hardwareOf } from '@core/hardware/hardware'
import { atShell } from './support/guest-shell'
import { linuxGuest } from './support/guests'
import { OpenLibrary } from './support/open-library'
import { processesNaming } from './support/processes'
import { addMachines, HostProcess, type NewMachine } from './support/real-host'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

/* A TPM that guests use, whatever becomes of them, of their workers and of the host. */

const at = useLibrary()

const tpmMachine = async (): Promise<NewMachine> => {
  const { kernel, initrd, commandLine } = await linuxGuest()
  const external = (path: string): { kind: 'external'; path: string } => ({ kind: 'external', path })
  return { name: 'Keeper', definition: { memoryMiB: 128, disks: [], cdroms: [], display: { model: 'none' }, pointer: 'ps2', boot: { kernel: { kernel: external(kernel), initrd: external(initrd), commandLine } } } }
}

const note = (open: Parameters<typeof atShell>[0], id: string, text = ''): Promise<string> => atShell(open, id, (shell) => shell.ask(`tpm-note ${text}`))

const stateFolder = ({ folder, definition }: MachineView): string => join(folder, ...(definition.tpm?.state ?? '').split('/'))
const digest = async (machine: MachineView): Promise<string> => createHash('sha256').update(await readFile(join(stateFolder(machine), 'tpm2-00.permall'))).digest('hex')

/** Puts a TPM into a machine that is off. */
async function addTpm({ calls, services }: OpenLibrary, id: string): Promise<void> {
  const before = hardwareOf((await calls.machines.get(id)).definition)
  const wanted = { ...before, tpm: { version: '2.0', model: 'tpm-crb', state: 'tpm/new' } as const }
  const plan = await services.hardware.plan(id, wanted)
  expect(plan.issues.filter(({ severity }) => severity === 'error')).toEqual([])
  await calls.hardware.change(id, wanted, before)
}

test('what a guest keeps in its TPM survives a start, goes back with a snapshot with and without memory, and is in clones and backups; a disposable run changes nothing of it', async () => {
  const [id = ''] = await addMachines(at.library, [await tpmMachine()])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { backups, machines, snapshots, clones } = open.calls
  const view = (): Promise<MachineView> => machines.get(id)
  await addTpm(open, id)
  const first = await view()
  expect(first.definition.tpm?.state).toMatch(/^tpm\/[0-9a-f]{8}$/u)
  await machines.start(id)
  await atShell(open, id, async (shell) => {
    await shell.booted()
    expect(await shell.ask('cat /sys/class/tpm/tpm0/tpm_version_major')).toBe('2')
    // The firmware has measured what it started.
    expect(await shell.ask('cat /sys/class/tpm/tpm0/pcr-sha256/0')).toMatch(/^(?!0{64})[0-9A-F]{64}$/u)
  })
  expect(await note(open, id, 'FirstOne')).toBe('FirstOne')
  const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)
  expect([await mode(stateFolder(first)), await mode(join(stateFolder(first), 'tpm2-00.permall'))]).toEqual(['700', '600'])

  const withMemory = await snapshots.take(id, { name: 'memory', description: '', memory: true, quiesce: false })
  const disksOnly = await snapshots.take(id, { name: 'disks', description: '', memory: false, quiesce: false })
  expect(await note(open, id, 'Changed1')).toBe('Changed1')
  await snapshots.revert(id, { snapshotId: withMemory.id, memory: true, keepPresent: null, start: true })
  expect(await note(open, id)).toBe('FirstOne')
  const reverted = await view()
  expect(reverted.definition.tpm?.state).toMatch(/^tpm\/[0-9a-f]{8}\.[0-9a-f]{8}$/u)
  expect(await readdir(join(first.folder, 'tpm'))).toEqual([reverted.definition.tpm?.state.slice(4)])

  // A warm clone goes on from the memory, with a TPM of its own.
  expect(await note(open, id, 'Original')).toBe('Original')
  const warmId = await clones.clone({ id, snapshotId: withMemory.id, name: 'Warm', kind: 'full', warm: true })
  await machines.start(warmId)
  expect(await note(open, warmId)).toBe('FirstOne')
  expect(await note(open, warmId, 'OnlyWarm')).toBe('OnlyWarm')
  expect(await note(open, id)).toBe('Original')
  await machines.powerOff(warmId)

  await machines.save(id)
  await machines.start(id)
  expect(await note(open, id)).toBe('Original')
  await using elsewhere = await TemporaryFolder.make('ringside-backups-')
  await backups.create({ id, folder: elsewhere.path, full: false, compress: true, quiesce: false, verify: true })
  await machines.powerOff(id)
  const coldId = await clones.clone({ id, snapshotId: null, name: 'Cold', kind: 'full', warm: false })
  expect(await digest(await machines.get(coldId))).toBe(await digest(await view()))

  await snapshots.revert(id, { snapshotId: disksOnly.id, memory: false, keepPresent: null, start: true })
  await atShell(open, id, (shell) => shell.booted())
  expect(await note(open, id)).toBe('FirstOne')
  await machines.powerOff(id)

  const kept = await digest(await view())
  await machines.start(id, { disposable: true })
  expect(await readdir(join(first.folder, 'disposable'))).toEqual(['tpm'])
  await machines.powerOff(id)
  expect(await digest(await view())).toBe(kept)
  expect(open.defects).toEqual([])
  expect((await snapshots.tree(id)).orphans).toEqual([])

  // Taken out, its keys are kept until somebody deletes them.
  const before = hardwareOf((await view()).definition)
  const plan = await open.services.hardware.plan(id, { ...before, tpm: null })
  expect(plan).toMatchObject({ differences: [{ path: 'tpm' }], issues: [{ path: 'tpm', severity: 'warning', message: expect.stringContaining('BitLocker') as string }] })
  await open.calls.hardware.change(id, { ...before, tpm: null }, before)
  expect((await snapshots.tree(id)).orphans).toMatchObject([{ path: before.tpm?.state, about: expect.stringContaining('TPM') as string }])
  await open.calls.hardware.change(id, before, hardwareOf((await view()).definition))
  expect((await snapshots.tree(id)).orphans).toEqual([])

  // A backup has its keys, for a new machine and for this one.
  const [set] = (await backups.list({ folder: elsewhere.path, id })).sets
  const backup = { folder: elsewhere.path, set: set?.set ?? '', backupId: set?.backups[0]?.id ?? '' }
  const restoredId = await backups.restore({ ...backup, target: { kind: 'new', name: 'Restored', sameIdentity: false } })
  await backups.restore({ ...backup, target: { kind: 'same', keepPresent: null } })
  expect(await digest(await machines.get(restoredId))).toBe(await digest(await view()))
  await machines.start(restoredId)
  await atShell(open, restoredId, (shell) => shell.booted())
  expect(await note(open, restoredId)).toBe('Original')
  await machines.powerOff(restoredId)
  expect(open.defects).toEqual([])
})

test('a TPM answers on when worker and host are killed, ends with its QEMU however that ends, and its own death is told', async () => {
  const [id = ''] = await addMachines(at.library, [await tpmMachine()])
  {
    await using open = await OpenLibrary.open(at.programs, at.library)
    await addTpm(open, id)
  }
  const swtpm = async (): Promise<number[]> => (await processesNaming(at.library.runtime)).filter(({ commandLine }) => commandLine.includes('swtpm socket')).map(({ pid }) => pid)
  await using host = await HostProcess.start(at.programs, at.library)
  await host.do('start', id)
  await atShell(host, id, (shell) => shell.booted())
  expect(await note(host, id, 'StaysHer')).toBe('StaysHer')
  const [pid] = await swtpm()
  const { run } = await host.get(id)
  process.kill(run?.workerPid ?? 0, 'SIGKILL')
  await host.until(id, (machine) => machine.run?.workerPid != null && machine.run.workerPid !== run?.workerPid)
  expect(await note(host, id)).toBe('StaysHer')
  await host.kill()

  await using next = await HostProcess.start(at.programs, at.library)
  await next.until(id, ({ state, run: now }) => state === 'running' && now?.workerPid != null)
  expect(await note(next, id)).toBe('StaysHer')
  expect(await swtpm()).toEqual([pid])
  const { run: adopted } = await next.get(id)
  process.kill(adopted?.qemuPid ?? 0, 'SIGKILL')
  await next.until(id, ({ state }) => state === 'crashed')
  await expect.poll(swtpm).toEqual([])

  const crashed = await next.get(id)
  expect(await readFile(join(stateFolder(crashed), 'tpm2-00.permall'), 'latin1')).toContain('StaysHer')
  await next.do('start', id)
  const [other = 0] = await swtpm()
  process.kill(other, 'SIGKILL')
  await next.until(id, (machine) => machine.run?.notes.some((sentence) => sentence.includes('TPM')) === true)
  expect((await next.get(id)).state).toBe('running')
  await next.do('powerOff', id)
})
