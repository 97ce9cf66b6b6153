import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { newDiskOptions } from '@core/creation'
import type { MachineView } from '@shared/model'
import { BareQemu } from '../vm/support/bare-qemu'
import { diskMachine } from '../vm/support/ledger-machines'
import { addMachines, type NewMachine } from '../vm/support/real-host'
import { SerialSession } from '../vm/support/serial-session'
import { qemuImg, qemuIo } from '../vm/support/storage-host'
import { TemporaryFolder, temporaryLibrary, type TemporaryLibrary } from '../vm/support/temporary-folder'
import { BenchHost } from './bench-host'
import { figures, inWords, timed } from './figures'
import { untilFirstSerialByte } from './first-serial-byte'
import { Heartbeat } from './heartbeat'
import { assembleMemoryDisk, memoryGuestRestMiB, memoryGuestTickMs, memoryGuestWords } from './memory-guest'
import { median } from './statistics'
import { useBench } from './use-bench'

// Figures, not verdicts, as in bench.spec.ts: what snapshots cost against what QEMU does by itself with the same guest in the same run.

const memorySizes = [256, 1024, 4096]
const warmRounds = 5
const clones = 10
const chainLengths = [0, 10, 50]
const chainDiskMiB = 256

const print = figures()
const ids = new Map<string, string>()

function memoryMachine(touchedMiB: number): NewMachine {
  return diskMachine(`memory ${String(touchedMiB)}`, [assembleMemoryDisk(touchedMiB)], { memoryMiB: touchedMiB + memoryGuestRestMiB })
}

const idOf = (name: string): string => ids.get(name) ?? ''

const bench = useBench(async (library) => {
  const machines = [...memorySizes.map(memoryMachine), diskMachine('chain', [randomBytes(chainDiskMiB * 2 ** 20)])]
  for (const [index, id] of (await addMachines(library, machines)).entries()) ids.set(machines[index]?.name ?? '', id)
})

interface Measured {
  pauseMs: number
  totalMs: number
  revertMs: number
}

/** Takes a snapshot of the running guest and goes back to it; the pauses are what a viewer of its serial port sees. */
async function liveSnapshot(id: string): Promise<Measured & { toldMs: number | null; method: string }> {
  await bench.host.client.machine.start({ id })
  const stream = await bench.host.openSerial(id)
  using session = new SerialSession(stream)
  await session.waitFor(memoryGuestWords.touched)
  using heart = new Heartbeat(stream)
  await heart.beats(50)
  const began = performance.now()
  const totalMs = await timed(() => bench.host.ended(bench.host.client.snapshot.take({ id, name: 'Bench' })))
  await heart.beats(20)
  const pauseMs = heart.longestGap(began) - memoryGuestTickMs
  const [snapshot] = (await bench.host.client.snapshot.tree({ id })).snapshots
  if (snapshot === undefined) throw new Error('There is no snapshot.')
  const revertMs = await timed(() => bench.host.ended(bench.host.client.snapshot.revert({ id, snapshotId: snapshot.id })))
  stream.destroy()
  await bench.host.powerOff(id)
  return { pauseMs, totalMs, revertMs, toldMs: snapshot.pauseMs, method: snapshot.method }
}

/** The same with QEMU's own snapshots within the disk. */
async function internalSnapshot(touchedMiB: number): Promise<Measured> {
  await using folder = await TemporaryFolder.make('ringside-bench-')
  await writeFile(folder.in('raw'), assembleMemoryDisk(touchedMiB))
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', '-o', newDiskOptions.join(','), folder.in('raw'), folder.in('disk.qcow2'))
  const disk = ['-drive', `if=none,id=disk,format=qcow2,file=${folder.in('disk.qcow2')}`, '-device', 'ide-hd,drive=disk,bus=ide.0']
  await using qemu = await BareQemu.start(['-machine', 'q35', '-m', String(touchedMiB + memoryGuestRestMiB), '-vga', 'std', ...disk])
  await qemu.serial.waitFor(memoryGuestWords.touched)
  using heart = new Heartbeat(qemu.serialStream)
  await heart.beats(50)
  const monitor = async (line: string): Promise<void> => {
    const answer = await qemu.qmp('human-monitor-command', { 'command-line': line })
    if (answer !== '') throw new Error(`${line}: ${String(answer)}`)
  }
  const began = performance.now()
  const totalMs = await timed(() => monitor('savevm bench'))
  await heart.beats(20)
  const pauseMs = heart.longestGap(began) - memoryGuestTickMs
  return { pauseMs, totalMs, revertMs: await timed(() => monitor('loadvm bench')) }
}

test.each(memorySizes)('a live snapshot of a guest with %i MiB in use', async (touchedMiB) => {
  const neededMiB = 2 * touchedMiB
  if (process.availableMemory() / 2 ** 20 < neededMiB) {
    print(`Snapshot of ${String(touchedMiB)} MiB`, `not measured: needs ${String(neededMiB)} MiB of memory`)
    return
  }
  const id = idOf(`memory ${String(touchedMiB)}`)
  const ours = await liveSnapshot(id)
  await bench.host.client.machine.delete({ id, permanently: true })
  const internal = await internalSnapshot(touchedMiB)
  const size = `${String(touchedMiB)} MiB in use`
  const line = (name: string, of: keyof Measured, goal?: string): void => {
    print(name, `${(ours[of] / internal[of]).toFixed(4)}  (${inWords(ours[of])} / ${inWords(internal[of])})`, goal)
  }
  line(`Pause for a snapshot against savevm, ${size}`, 'pauseMs', 'goal: shrinks as memory grows')
  print('  as the snapshot itself tells it', `${ours.toldMs === null ? 'not told' : inWords(ours.toldMs)}, ${ours.method}`)
  line('  until it is whole', 'totalMs')
  line('  reverting to it, against loadvm', 'revertMs')
  expect(ours.method).not.toBe('none')
})

test('linked clones', async () => {
  const id = idOf('chain')
  const { folder } = await bench.host.client.machine.get({ id })
  const { client } = bench.host
  await bench.host.ended(client.snapshot.take({ id, name: 'Base' }))
  const [base] = (await client.snapshot.tree({ id })).snapshots
  const request = { id, snapshotId: base?.id ?? null }
  const made: MachineView[] = []
  const linkedMs = await timed(async () => {
    for (let number = 1; number <= clones; number++) made.push(await bench.host.made(client.machine.clone({ ...request, name: `Linked ${String(number)}`, kind: 'linked' })))
  })
  await using elsewhere = await TemporaryFolder.make('ringside-bench-')
  const plainMs = await timed(async () => {
    for (let number = 1; number <= clones; number++) await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', join(folder, 'disks/disk0.qcow2'), elsewhere.in(`${String(number)}.qcow2`))
  })
  print(`${String(clones)} linked clones against ${String(clones)} plain qemu-img create`, `${(linkedMs / plainMs).toFixed(2)}  (${inWords(linkedMs)} / ${inWords(plainMs)})`, 'goal: under 10 s')
  const fullMs = await timed(async () => made.push(await bench.host.made(client.machine.clone({ ...request, name: 'Full', kind: 'full' }))))
  const convertMs = await timed(() => qemuImg('convert', '-f', 'qcow2', '-O', 'qcow2', join(folder, 'disks/disk0.qcow2'), elsewhere.in('full.qcow2')))
  print(`A full clone of ${String(chainDiskMiB)} MiB against qemu-img convert`, `${(fullMs / convertMs).toFixed(2)}  (${inWords(fullMs)} / ${inWords(convertMs)})`)
  expect(made).toHaveLength(clones + 1)
  for (const { id: clone } of made) await client.machine.delete({ id: clone, permanently: true })
  await bench.host.ended(client.snapshot.delete({ id, snapshotId: base?.id ?? '' }))
})

/** How long a warm clone takes from its start until its guest runs, against a cold start until the guest has its memory filled again. */
async function warmClones(on: BenchHost, of: TemporaryLibrary, words: string): Promise<void> {
  const [memory = 0] = memorySizes
  const { client } = on
  const [id = ''] = (await client.machine.list()).filter(({ definition }) => definition.name === `template ${String(memory)}`).map((machine) => machine.id)
  const coldMs = await timed(async () => {
    await client.machine.start({ id })
    const stream = await on.openSerial(id)
    using session = new SerialSession(stream)
    await session.waitFor(memoryGuestWords.touched)
    stream.destroy()
  })
  await on.ended(client.machine.makeTemplate({ id, memory: true }))
  const runs: number[] = []
  const bytes: number[] = []
  const makes: number[] = []
  for (let round = 1; round <= warmRounds; round++) {
    const name = `Warm ${String(round)}`
    let clone: MachineView | undefined
    makes.push(await timed(async () => (clone = await on.made(client.machine.clone({ id, name, kind: 'linked', warm: true })))))
    if (clone === undefined) throw new Error('There is no clone.')
    const { id: cloneId, folder } = clone
    bytes.push(await untilFirstSerialByte(join(folder, 'logs', 'serial0.log'), async () => {
      runs.push(await timed(() => client.machine.start({ id: cloneId })))
    }))
    await client.machine.powerOff({ id: cloneId })
    await client.machine.delete({ id: cloneId, permanently: true })
    // The host makes the next worker ready a second after a start.
    await delay(1500)
  }
  print(`Warm clone, ${String(memory)} MiB in use, ${words}: start to running`, `${(median(runs) / coldMs).toFixed(3)}  (${inWords(median(runs))} / ${inWords(coldMs)} cold)`, 'goal: well under 1 s on QEMU 10')
  print('  to its first sign of life', inWords(median(bytes)))
  print('  making it', inWords(median(makes)))
  expect(of.data).not.toBe('')
}

/** Hosts on each QEMU that there is. */
const qemuFolders: [words: string, folder: string | null][] = [
  ['this QEMU', null],
  ...(process.env['RINGSIDE_BENCH_QEMU10'] === undefined ? [] : [['QEMU 10', process.env['RINGSIDE_BENCH_QEMU10']] satisfies [string, string]]),
]

test.each(qemuFolders)('warm clones on %s', async (words, folder) => {
  const [memory = 0] = memorySizes
  await using own = await temporaryLibrary()
  await addMachines(own, [{ ...memoryMachine(memory), name: `template ${String(memory)}` }])
  const environment = folder === null ? {} : { PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}` }
  await using on = await BenchHost.start(own, environment)
  const { qemu } = await on.client.host.probe({})
  await warmClones(on, own, `${words} (${qemu?.version ?? '?'})`)
})

interface Reading {
  sequentialMs: number
  scatteredMs: number
  startMs: number
}

/** Reads of the whole disk in order, and of small pieces all over it, by the block layer alone; and how long a start takes. */
async function read(id: string): Promise<Reading> {
  const { folder, definition } = await bench.host.client.machine.get({ id })
  const top = join(folder, definition.disks[0]?.image.path ?? '')
  const qemuBench = (...argv: string[]): Promise<number> => timed(() => qemuImg('bench', '-f', 'qcow2', ...argv, top))
  const sequential: number[] = []
  const scattered: number[] = []
  for (let round = 0; round < 3; round++) {
    sequential.push(await qemuBench('-s', '64k', '-c', String((chainDiskMiB * 1024) / 64), '-d', '16'))
    // A step that has no common divisor with the number of blocks comes to each of them.
    scattered.push(await qemuBench('-s', '4k', '-c', '30000', '-d', '16', '-S', String(4096 * 7919)))
  }
  const startMs = await timed(() => bench.host.client.machine.start({ id }))
  await bench.host.powerOff(id)
  return { sequentialMs: Math.min(...sequential), scatteredMs: Math.min(...scattered), startMs }
}

test('reads from a disk with many snapshots', async () => {
  const id = idOf('chain')
  let taken = 0
  let first: Reading | null = null
  for (const length of chainLengths) {
    for (; taken < length; taken++) {
      await bench.host.ended(bench.host.client.snapshot.take({ id, name: `Chain ${String(taken + 1)}` }))
      await scatter(id, taken)
    }
    const reading = await read(id)
    first ??= reading
    const against = (of: keyof Reading): string => `${(reading[of] / (first?.[of] ?? Number.NaN)).toFixed(2)}  (${inWords(reading[of])} / ${inWords(first?.[of] ?? Number.NaN)})`
    print(`Reading in order, ${String(length)} snapshots against none`, against('sequentialMs'))
    print('  small pieces all over it', against('scatteredMs'))
    print('  starting it', against('startMs'))
  }
  expect((await bench.host.client.snapshot.tree({ id })).snapshots).toHaveLength(taken)
})

/** Writes to the top layer here and there, as a guest does between two snapshots. */
async function scatter(id: string, round: number): Promise<void> {
  const { folder, definition } = await bench.host.client.machine.get({ id })
  const pieces = Array.from({ length: 16 }, (_, piece) => ((piece * 16 + round * 5) % chainDiskMiB) * 2 ** 20)
  await qemuIo(join(folder, definition.disks[0]?.image.path ?? ''), pieces.map((offset) => `write -q -P ${String(round % 255)} ${String(offset)} 256k`))
}
