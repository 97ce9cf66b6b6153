import { createHash } from 'node:crypto'
import { access, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import type { Disk, MachineView } from '@shared/model'
import { assembleCounterDisk } from './support/counter-guest'
import { assembleLedgerDisk, emptyLedgerDisk, ledgerWords, readLedger } from './support/ledger-guest'
import { processesNaming } from './support/processes'
import { HostProcess, addCounters, addMachines } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

const at = useLibrary()

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false)
const layersOf = ({ folder }: MachineView): string => join(folder, 'disposable')
const digest = async (path: string): Promise<string> => createHash('sha256').update(await readFile(path)).digest('hex')

/** A ledger on a disk of its own and on one that lies elsewhere. */
async function addLedger(elsewhere: string): Promise<string> {
  await writeFile(elsewhere, emptyLedgerDisk())
  const [id = ''] = await addMachines(at.library, [{
    name: 'ledger', disk: assembleLedgerDisk(),
    definition: {
      disks: [
        { id: 'disk0', image: { kind: 'own', path: 'disks/disk0.raw' }, format: 'raw', bus: 'sata' },
        { id: 'disk1', image: { kind: 'external', path: elsewhere }, format: 'raw', bus: 'sata' },
      ],
    },
  }])
  return id
}

/**
 * Lets the ledger of a run that has just begun write until the number is at least so high.
 * @param mark a letter that no other run of the machine has: a console opens with its past
 * @returns the number that it found on its disks
 */
async function writeSome(host: HostProcess, id: string, number: number, mark: string): Promise<{ kept: number; session: SerialSession }> {
  const session = new SerialSession(await host.openConsole(id, 'serial'))
  session.send(mark)
  const kept = Number([...(await session.waitFor(`<${mark}>`)).matchAll(new RegExp(ledgerWords.kept, 'gu'))].at(-1)?.[1])
  await session.waitFor(`n=${String(number).padStart(6, '0')}`)
  session.send('v')
  await session.waitFor(/whole at \d{6}/u)
  return { kept, session }
}

test('what the guest writes is gone when it is off, on every disk, wherever that lies; and what it had before is still there', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const id = await addLedger(elsewhere.in('disk1.raw'))
  await using host = await HostProcess.start(at.programs, at.library)
  const own = join((await host.get(id)).folder, 'disks/disk0.raw')

  await host.do('start', id)
  {
    const { session } = await writeSome(host, id, 10, 'A')
    using _ = session
    session.send('p')
    await session.waitFor('<p>')
    session.send('q')
    await host.until(id, ({ state }) => state === 'stopped')
  }
  const before = [await readFile(own), await readFile(elsewhere.in('disk1.raw'))]
  const kept = readLedger(before[0] ?? new Uint8Array())
  expect(kept.number).toBeGreaterThanOrEqual(10)

  const started = await host.startDisposable(id)
  expect(started).toMatchObject({ state: 'running', run: { disposable: true }, definition: { disks: [{ image: { path: 'disks/disk0.raw' } }, {}] } })
  expect((await readdir(layersOf(started))).sort()).toEqual(['disk0.qcow2', 'disk1.qcow2'])
  {
    const { kept: found, session } = await writeSome(host, id, kept.number + 10, 'B')
    using _ = session
    // It goes on from what the disks held.
    expect(found).toBe(kept.number)
    await expect(host.do('save', id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('disposable') as string })
    session.send('q')
  }
  expect(await host.until(id, ({ state }) => state === 'stopped')).toMatchObject({ run: null, crash: null })
  await expect.poll(() => exists(layersOf(started))).toBe(false)
  expect((await readFile(own)).equals(before[0] ?? new Uint8Array())).toBe(true)
  expect((await readFile(elsewhere.in('disk1.raw'))).equals(before[1] ?? new Uint8Array())).toBe(true)

  // And an ordinary start goes on from there too.
  expect(await host.do('start', id)).toMatchObject({ run: { disposable: false } })
  const { kept: again, session } = await writeSome(host, id, kept.number + 10, 'C')
  using _ = session
  expect(again).toBe(kept.number)
})

test('the UEFI variables are as they were', async () => {
  const [id = ''] = await addMachines(at.library, [{ name: 'uefi', disk: assembleCounterDisk(), definition: { firmware: { type: 'uefi' }, memoryMiB: 128 } }])
  await using host = await HostProcess.start(at.programs, at.library)
  const started = await host.startDisposable(id)
  const nvram = join(started.folder, 'firmware/nvram.qcow2')
  const before = await digest(nvram)
  const layer = join(layersOf(started), 'nvram.qcow2')
  // The firmware writes its variables at the first start of a machine.
  await expect.poll(async () => (await readFile(layer)).length, { timeout: 60_000 }).toBeGreaterThan(300_000)
  await host.do('powerOff', id)
  await expect.poll(() => exists(layersOf(started))).toBe(false)
  expect(await digest(nvram)).toBe(before)
})

test('however the run ends, nothing of it stays: QEMU killed, the host killed and QEMU with it', async () => {
  const [killed = '', unseen = ''] = await addCounters(at.library, ['killed', 'unseen'])
  const first = await HostProcess.start(at.programs, at.library)
  const views = [await first.startDisposable(killed), await first.startDisposable(unseen)]
  process.kill(views[0]?.run?.qemuPid ?? 0, 'SIGKILL')
  await first.until(killed, ({ state }) => state === 'crashed')
  await expect.poll(() => exists(layersOf(views[0] as MachineView))).toBe(false)

  await first.kill()
  process.kill(views[1]?.run?.qemuPid ?? 0, 'SIGKILL')
  await expect.poll(async () => (await processesNaming(at.library.runtime)).length).toBe(0)
  expect(await exists(layersOf(views[1] as MachineView))).toBe(true)
  await using second = await HostProcess.start(at.programs, at.library)
  expect((await second.get(unseen)).state).toBe('crashed')
  expect(await exists(layersOf(views[1] as MachineView))).toBe(false)
  expect(await second.do('start', unseen)).toMatchObject({ state: 'running', run: { disposable: false } })
})

test('a run outlives its host and is disposable still', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  const first = await HostProcess.start(at.programs, at.library)
  const started = await first.startDisposable(id)
  await first.kill()
  await using second = await HostProcess.start(at.programs, at.library)
  expect(await second.get(id)).toMatchObject({ state: 'running', run: { disposable: true, qemuPid: started.run?.qemuPid } })
  await expect(second.do('save', id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await second.do('powerOff', id)
  await expect.poll(() => exists(layersOf(started))).toBe(false)
})

test('a machine that is saved to disk is not started so, and keeps its saved state', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
  await host.do('start', id)
  await host.do('save', id)
  await expect(host.startDisposable(id)).rejects.toMatchObject({ code: 'ILLEGAL_STATE', message: expect.stringContaining('saved') as string, data: { hint: expect.stringContaining('discard') as string } })
  expect(await host.get(id)).toMatchObject({ state: 'saved', saved: {} })
  expect(await host.do('start', id)).toMatchObject({ state: 'running' })
})

test('a start that fails leaves no layers, and two runs of one disk keep out of each other’s way', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const shared = elsewhere.in('shared.raw')
  await writeFile(shared, emptyLedgerDisk())
  const diskAt = (id: string, path: string): z.input<typeof Disk> => ({ id, image: { kind: 'external', path }, format: 'raw', bus: 'sata' })
  const disks: z.input<typeof Disk>[] = [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.raw' }, format: 'raw', bus: 'sata' }, diskAt('disk1', shared)]
  const [one = '', two = '', three = ''] = await addMachines(at.library, ['one', 'two', 'three'].map((name) => ({
    name, disk: assembleCounterDisk(), definition: { disks: name === 'three' ? [...disks, diskAt('disk2', elsewhere.in('missing.raw'))] : disks },
  })))
  await using host = await HostProcess.start(at.programs, at.library)
  const failed = await host.get(three)
  await expect(host.startDisposable(three)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: elsewhere.in('missing.raw') } })
  expect(await exists(layersOf(failed))).toBe(false)
  // Both only read the disk that they share; a machine that would write to it below them is refused.
  await host.startDisposable(one)
  await host.startDisposable(two)
  await host.do('powerOff', two)
  await expect(host.do('start', two)).rejects.toMatchObject({ code: 'DISK_IN_USE', data: { path: shared } })
  await host.do('powerOff', one)
  await host.do('start', two)
  await expect(host.startDisposable(one)).rejects.toMatchObject({ code: 'DISK_IN_USE', data: { path: shared } })
})
